package main

import (
	"context"
	"time"

	"tasmota-azd/test/procfs"
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
		sleeps, err := procfs.SleepsOf(p.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		used, err := procfs.WorkOf(p.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		all[device] = rest{sleeps, used}
	}
	return all, nil
}
