// Package uml runs a command in a small Linux kernel that has GPIO chips and, if
// need be, systemd, and tells what happened to the lines. It is for tests; README.md
// beside it tells about the kernel.
package uml

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"tasmota-azd/test/gobuild"
)

// Options say what the guest is like and what it does. The zero value of each is
// the default of run.sh.
type Options struct {
	Board     string            // "pi4" if empty; zero2w, pi3, pi4, pi5, pi5-2023, none
	Chips     []string          // in place of the board's: "label=L,lines=4,names=A:-:C1..C2"
	Cmd       string            // for sh, as root
	Bins      []string          // programs of this machine, into /usr/local/bin
	Files     map[string]string // text files: path in the guest to what they hold
	Systemd   bool              // Debian's systemd as process 1
	NoPersist bool              // a released output becomes an input, as on most kernels
	Disk      string            // file that keeps the disk of systemd from run to run
	Timeout   time.Duration     // then the power is cut; three minutes if 0: machines are busy
	Args      []string          // further options of run.sh
}

// Result is what came of it.
type Result struct {
	Exit   int // the command's; 124 timed out, 125 the guest ended without one
	Stdout string
	Stderr string
	Trace  []Event // all that happened to all lines, in order
}

// Run boots the guest, runs the command and returns when the guest is off. It skips
// the test if this machine cannot do it, and says what is missing.
func Run(t *testing.T, o Options) Result {
	t.Helper()
	script := filepath.Join(gobuild.Root(t), "test", "uml", "run.sh")
	Need(t, o.Systemd)
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(t.Context(), script, append(o.args(t), "--trace", trace)...)
	// The script cleans up after itself when it is asked to end.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	r := Result{Exit: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
	f, err := os.Open(trace)
	if err != nil {
		t.Fatalf("the guest was not booted: exit %d\n%s", r.Exit, r.Stderr)
	}
	defer f.Close()
	if r.Trace, err = ParseTrace(f); err != nil {
		t.Fatal(err)
	}
	return r
}

// Need skips the test if it is to be short, or if this machine lacks something that
// the guest needs.
func Need(t *testing.T, systemd bool) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED, booting the small kernel takes seconds")
	}
	args := []string{"--check"}
	if systemd {
		args = append(args, "--systemd")
	}
	script := filepath.Join(gobuild.Root(t), "test", "uml", "run.sh")
	if out, err := exec.Command(script, args...).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, cannot boot the small kernel: %s%v", out, err)
	}
}

func (o Options) args(t *testing.T) []string {
	args := slices.Concat(o.Args, []string{"--cmd", o.Cmd})
	add := func(option, value string) {
		if value != "" {
			args = append(args, option, value)
		}
	}
	add("--board", o.Board)
	add("--disk", o.Disk)
	for _, c := range o.Chips {
		add("--chip", c)
	}
	for _, b := range o.Bins {
		add("--bin", b)
	}
	for i, guest := range slices.Sorted(maps.Keys(o.Files)) {
		file := filepath.Join(t.TempDir(), strconv.Itoa(i))
		if err := os.WriteFile(file, []byte(o.Files[guest]), 0o644); err != nil {
			t.Fatal(err)
		}
		add("--file", file+":"+guest)
	}
	if o.Systemd {
		args = append(args, "--systemd")
	}
	if o.NoPersist {
		args = append(args, "--no-persist")
	}
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Minute
	}
	add("--timeout", strconv.FormatFloat(o.Timeout.Seconds(), 'f', -1, 64))
	return args
}

// Build compiles a program of this module for the guest, into dir, and returns its
// path.
func Build(dir, pkg string) (string, error) {
	bin := filepath.Join(dir, filepath.Base(pkg))
	return bin, gobuild.Build(bin, pkg, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"})
}
