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

// A Rest is how often the threads of a process have gone to sleep so far, which is how
// often something has woken them, and what they have worked.
type Rest struct {
	Sleeps uint64
	Used   time.Duration
}

// RestOf adds up what /proc/PID/task tells of the threads.
func RestOf(pid int) (r Rest, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return r, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return r, err
		}
		n, err := parseSleeps(string(text))
		if err != nil {
			return r, err
		}
		r.Sleeps += n
		// in nanoseconds, where a process's stat has hundredths of a second
		if text, err = os.ReadFile(filepath.Join(filepath.Dir(file), "schedstat")); err != nil {
			return r, err
		}
		ran, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return r, err
		}
		r.Used += time.Duration(ns)
	}
	return r, nil
}

// parseSleeps finds "voluntary_ctxt_switches:	150" of proc_pid_status(5).
func parseSleeps(status string) (uint64, error) {
	_, text, _ := strings.Cut(status, "\nvoluntary_ctxt_switches:")
	text, _, _ = strings.Cut(text, "\n")
	return strconv.ParseUint(strings.TrimSpace(text), 10, 64)
}
