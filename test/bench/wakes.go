package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// watched is for how long two programs at rest are watched: the daemon pings the hub
// once in that time.
const watched = time.Minute

// measureWakes starts both programs, lets them rest, and counts how often their threads
// go to sleep, which is how often something has woken them, and their processor time.
func measureWakes(ctx context.Context, s *stage, o options, r *report) error {
	often := figure{name: "idle wake-ups", unit: wakes}
	work := figure{name: "idle CPU time per second", unit: microseconds}
	running, err := s.startBoth(ctx)
	if err != nil {
		return err
	}
	if err := sleep(ctx, o.settle); err != nil {
		return err
	}
	before, err := running.rest()
	if err != nil {
		return err
	}
	if err := sleep(ctx, watched); err != nil {
		return err
	}
	after, err := running.rest()
	if err != nil {
		return err
	}
	for device := range running {
		often.add(device, float64(after[device].sleeps-before[device].sleeps)/watched.Seconds())
		work.add(device, float64(after[device].used-before[device].used)/watched.Seconds())
	}
	r.figures = append(r.figures, often, work)
	return running.stop()
}

// A rest is how often a process has gone to sleep so far, and what it has worked.
type rest struct {
	sleeps uint64
	used   time.Duration
}

func (running pair) rest() (map[string]rest, error) {
	all := map[string]rest{}
	for device, p := range running {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.cmd.Process.Pid))
		if err != nil {
			return nil, err
		}
		var now rest
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			n, err := parseSleeps(string(text))
			if err != nil {
				return nil, err
			}
			now.sleeps += n
			// in nanoseconds, where a process's stat has hundredths of a second
			if text, err = os.ReadFile(filepath.Join(filepath.Dir(file), "schedstat")); err != nil {
				return nil, err
			}
			ran, _, _ := strings.Cut(string(text), " ")
			ns, err := strconv.ParseInt(ran, 10, 64)
			if err != nil {
				return nil, err
			}
			now.used += time.Duration(ns)
		}
		all[device] = now
	}
	return all, nil
}

// parseSleeps finds "voluntary_ctxt_switches:	150" of proc_pid_status(5).
func parseSleeps(status string) (uint64, error) {
	_, text, _ := strings.Cut(status, "\nvoluntary_ctxt_switches:")
	text, _, _ = strings.Cut(text, "\n")
	return strconv.ParseUint(strings.TrimSpace(text), 10, 64)
}
