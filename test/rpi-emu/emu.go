// Package rpiemu runs a command on an emulated Raspberry Pi and tells what was
// written to its GPIO registers. It is for tests; README.md beside it tells about
// the machine.
package rpiemu

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tasmota-azd/test/gobuild"
)

// Options say what the Pi is like and what it does.
type Options struct {
	Machine string            // "raspi3b" if empty; raspi0
	Board   string            // "3b" if empty; zero2w
	Cmd     string            // for sh, as root
	Bins    []string          // programs of this machine, into /usr/local/bin
	Files   map[string]string // text files: path in the guest to what they hold
	Systemd bool              // Debian with systemd: half a minute to boot
	Timeout time.Duration     // then the power is cut; 120 s if 0
	Args    []string          // further options of run.sh
}

// Result is what came of it.
type Result struct {
	Exit   int    // the command's; 124 timed out, 125 the guest ended without one
	Output string // stdout and stderr
	Log    []Change
}

// Change is a write to a register that changed a pin.
type Change struct {
	At  time.Duration // since the first write to the GPIO
	Pin string        // "GPIO17"
	To  string        // "high" and "low" (driven so), "in", "alt0" to "alt5", "pull up", or a mark: "want 1"
}

// Run boots the Pi, runs the command and returns when the Pi is off. It skips the
// test as Need does.
func Run(t *testing.T, o Options) Result {
	t.Helper()
	script := filepath.Join(gobuild.Root(t), "test", "rpi-emu", "run.sh")
	o.Need(t)
	ctl, err := os.MkdirTemp("", "pi") // the path of a socket may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(ctl)
	args := append(o.args(t), "--ctl", ctl)
	cmd := exec.CommandContext(t.Context(), script, append(args, "--cmd", o.Cmd)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if _, ended := errors.AsType[*exec.ExitError](err); !ended {
			t.Fatal(err)
		}
	}
	f, err := os.Open(filepath.Join(ctl, "gpio.log"))
	if err != nil {
		t.Fatalf("the Pi was not booted: %v\n%s", err, out.String())
	}
	defer f.Close()
	log, err := ParseLog(f)
	if err != nil {
		t.Fatal(err)
	}
	return Result{Exit: cmd.ProcessState.ExitCode(), Output: out.String(), Log: log}
}

// Need skips the test if it is to be short, or if this machine lacks something that
// the Pi needs.
func (o Options) Need(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED, booting a Raspberry Pi takes seconds")
	}
	script := filepath.Join(gobuild.Root(t), "test", "rpi-emu", "run.sh")
	o.Files = nil
	if out, err := exec.Command(script, append(o.args(t), "--check")...).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, cannot boot a Raspberry Pi: %s%v", out, err)
	}
}

func (o Options) args(t *testing.T) []string {
	t.Helper()
	var args []string
	add := func(option, value string) {
		if value != "" {
			args = append(args, option, value)
		}
	}
	add("--machine", o.Machine)
	add("--board", o.Board)
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
	if o.Timeout > 0 {
		add("--timeout", strconv.Itoa(int(o.Timeout.Seconds())))
	}
	return append(args, o.Args...)
}

// ParseLog reads gpio.log: "   4.883820 GPIO17 high".
func ParseLog(r io.Reader) ([]Change, error) {
	var log []Change
	for s := bufio.NewScanner(r); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 3 {
			return log, fmt.Errorf("gpio.log: %q", s.Text())
		}
		seconds, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return log, fmt.Errorf("gpio.log: %w", err)
		}
		log = append(log, Change{time.Duration(seconds * float64(time.Second)), fields[1], strings.Join(fields[2:], " ")})
	}
	return log, nil
}

// Moves lists what a pin became, one after the other.
func (r Result) Moves(pin string) []string {
	var list []string
	for _, c := range r.Log {
		if c.Pin == pin {
			list = append(list, c.To)
		}
	}
	return list
}

// Build compiles a program of this module for the Pi, into dir, and returns its
// path. arch is arm64, or arm, which means what runs on the first Raspberry Pi too.
func Build(dir, pkg, arch string) (string, error) {
	bin := filepath.Join(dir, filepath.Base(pkg)+"-"+arch)
	return bin, gobuild.Build(bin, pkg, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOARM=6"})
}
