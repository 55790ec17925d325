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
		often.add(device, float64(after[device].Sleeps-before[device].Sleeps)/watched.Seconds())
		work.add(device, float64(after[device].Used-before[device].Used)/watched.Seconds())
	}
	r.figures = append(r.figures, often, work)
	return running.stop()
}

// rest is what the kernel tells of each program's rest so far.
func (running pair) rest() (map[string]procfs.Rest, error) {
	all := map[string]procfs.Rest{}
	for device, p := range running {
		now, err := procfs.RestOf(p.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		all[device] = now
	}
	return all, nil
}
