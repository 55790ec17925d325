package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// Files returns small files of /proc, /sys or /etc, each below its name.
func Files(paths ...string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		var b bytes.Buffer
		var errs []error
		for _, path := range paths {
			text, err := readUpTo(path, 64<<10)
			errs = append(errs, err)
			if len(text) > 0 {
				fmt.Fprintf(&b, "%s: %s\n", path, printable(strings.TrimRight(string(text), "\x00\n")))
			}
		}
		return b.Bytes(), join(errs)
	}
}

// readUpTo reads the beginning of a file.
func readUpTo(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// fields returns those lines of a file such as /proc/meminfo that are named.
func fields(path string, names ...string) (string, error) {
	text, err := readUpTo(path, 64<<10)
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		for _, name := range names {
			if strings.HasPrefix(line, name+":") || strings.HasPrefix(line, name+"=") {
				b.WriteString(line)
			}
		}
	}
	return b.String(), err
}

// The lines of /proc that tell of memory and load.
var (
	ofMachine = []string{"MemTotal", "MemAvailable", "SwapTotal", "SwapFree"}
	ofProcess = []string{"State", "VmHWM", "VmRSS", "RssAnon", "RssFile", "VmSwap", "Threads", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"}
)

// Resources tells what the machine has left, what the process takes (none if pid is 0)
// and how full the disks of the directories are.
func Resources(pid int, dirs ...string) ([]byte, error) {
	var b bytes.Buffer
	memory, err := fields("/proc/meminfo", ofMachine...)
	b.WriteString(memory)
	errs := []error{err}
	for _, dir := range dirs {
		var s syscall.Statfs_t
		if err := syscall.Statfs(dir, &s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
			continue
		}
		size := uint64(s.Bsize)
		fmt.Fprintf(&b, "disk of %s: %d of %d bytes free, %d of %d inodes\n", dir, s.Bavail*size, s.Blocks*size, s.Ffree, s.Files)
	}
	if pid == 0 {
		return b.Bytes(), join(append(errs, errors.New("the daemon does not run")))
	}
	proc := "/proc/" + strconv.Itoa(pid)
	process, err := fields(proc+"/status", ofProcess...)
	fmt.Fprintf(&b, "the daemon, process %d:\n%s", pid, process)
	errs = append(errs, err)
	if open, err := os.ReadDir(proc + "/fd"); err == nil { // else only root may look
		fmt.Fprintf(&b, "open files: %d\n", len(open))
	}
	return b.Bytes(), join(errs)
}

// Modes lists files and directories as ls -l does, and what is in those directories that
// end in a slash.
func Modes(paths ...string) ([]byte, error) {
	var b bytes.Buffer
	var errs []error
	show := func(path string) {
		info, err := os.Lstat(path)
		if err != nil {
			fmt.Fprintf(&b, "%v\n", err)
			return
		}
		fmt.Fprintf(&b, "%v  %-24s %10d  %s  %s\n", info.Mode(), owner(info), info.Size(), info.ModTime().UTC().Format("2006-01-02 15:04:05"), printable(path))
	}
	for _, path := range paths {
		show(filepath.Clean(path))
		if !strings.HasSuffix(path, "/") {
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			show(filepath.Join(path, e.Name()))
		}
	}
	return b.Bytes(), join(errs)
}

func owner(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "?"
	}
	name, group := strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return name + ":" + group
}

// run returns what a program prints, up to most bytes. Its first word on stderr is part
// of the error.
func run(ctx context.Context, most int64, name string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(&stdout, io.LimitReader(pipe, most))
	if _, more := io.CopyN(io.Discard, pipe, 1); more == nil {
		_ = cmd.Process.Kill() // there is more than is wanted
		_ = cmd.Wait()
		return stdout.Bytes(), nil
	}
	if ended := cmd.Wait(); err == nil {
		err = ended
	}
	if said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); said != "" && (err != nil || stdout.Len() == 0) {
		err = fmt.Errorf("%s: %.200s", name, said)
	} else if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return stdout.Bytes(), err
}

// printable is text on one line, which no terminal takes for a command.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ' '
		case unicode.IsControl(r) && r != '\t':
			return '?'
		}
		return r
	}, text)
}
