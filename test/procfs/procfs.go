// Package procfs reads what the kernel tells of a running process: its memory, and how
// often it goes to sleep.
package procfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Memory is what a process has of the machine's, in bytes.
type Memory struct {
	Resident  int64 // VmRSS
	Anonymous int64 // RssAnon: its own, not pages of its file
}

// MemoryOf reads /proc/PID/status.
func MemoryOf(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	return parseStatus(string(text))
}

// parseStatus finds "VmRSS:	   11296 kB" and "RssAnon:".
func parseStatus(text string) (m Memory, err error) {
	for name, to := range map[string]*int64{"VmRSS:": &m.Resident, "RssAnon:": &m.Anonymous} {
		_, rest, ok := strings.Cut(text, "\n"+name)
		value, _, unit := strings.Cut(rest, " kB\n")
		kib, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
		if !ok || !unit || err != nil {
			return Memory{}, fmt.Errorf("no %s in a process's status", name)
		}
		*to = int64(kib) * 1024
	}
	return m, nil
}

// SleepsOf counts how often the threads of a process have gone to sleep so far, which is
// how often something has woken them.
func SleepsOf(pid int) (n uint64, err error) {
	err = threads(pid, "status", func(text string) error {
		sleeps, err := parseSleeps(text)
		n += sleeps
		return err
	})
	return n, err
}

// WorkOf is the processor time of the threads of a process so far, in nanoseconds where
// its stat has hundredths of a second. Not every kernel tells it.
func WorkOf(pid int) (used time.Duration, err error) {
	err = threads(pid, "schedstat", func(text string) error {
		ran, _, _ := strings.Cut(text, " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		used += time.Duration(ns)
		return err
	})
	return used, err
}

// threads reads a file of each thread.
func threads(pid int, name string, read func(text string) error) error {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/%s", pid, name))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("process %d has no thread with a %s", pid, name)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := read(string(text)); err != nil {
			return err
		}
	}
	return err
}

// parseSleeps finds "voluntary_ctxt_switches:	150" of proc_pid_status(5).
func parseSleeps(status string) (uint64, error) {
	_, text, _ := strings.Cut(status, "\nvoluntary_ctxt_switches:")
	text, _, _ = strings.Cut(text, "\n")
	return strconv.ParseUint(strings.TrimSpace(text), 10, 64)
}
