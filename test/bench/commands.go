package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/lab"
)

// measureCommands measures commands one at a time, then as many as go, and at last
// the memory of programs that have worked and rest again.
func measureCommands(ctx context.Context, s *stage, o options, r *report) error {
	running, err := s.startBoth(ctx)
	if err != nil {
		return err
	}
	for _, c := range s.both() { // what is done only once is done before
		if _, err := c.latencies(ctx, "warm", o.single/10); err != nil {
			return err
		}
	}
	if err := measureLatency(ctx, s, o, r); err != nil {
		return err
	}
	if err := measureRate(ctx, s, o, r, running); err != nil {
		return err
	}
	all := figure{name: "RSS at rest after all that", unit: mebibytes}
	own := figure{name: "  of which anonymous", unit: mebibytes}
	if err := running.weigh(ctx, o.settle, &all, &own); err != nil {
		return err
	}
	r.figures = append(r.figures, all, own)
	return running.stop()
}

func measureLatency(ctx context.Context, s *stage, o options, r *report) error {
	figures := []figure{
		{name: "command to pin, p50", unit: milliseconds, within: 1.3},
		{name: "command to pin, p99", unit: milliseconds, within: 1.3},
		{name: "command to answer, p50", unit: milliseconds, within: 1.3},
		{name: "command to answer, p99", unit: milliseconds, within: 1.3},
	}
	for i := range o.rounds {
		for _, c := range s.both() {
			all, err := c.latencies(ctx, fmt.Sprintf("single-%d", i), o.single)
			if err != nil {
				return err
			}
			for j, value := range []float64{
				percentile(all, 50, toPin), percentile(all, 99, toPin),
				percentile(all, 50, toAnswer), percentile(all, 99, toAnswer),
			} {
				figures[j].add(c.device, value)
			}
		}
	}
	r.figures = append(r.figures, figures...)
	return nil
}

// A latency is what one command took, from the call that puts it into the hub's queue.
type latency struct {
	pin    time.Duration // to the level in edges.log
	answer time.Duration // to the answer's arrival at the hub
}

func toPin(l latency) float64    { return float64(l.pin) }
func toAnswer(l latency) float64 { return float64(l.answer) }

// pause is between two single commands, after the PUBACK of the first. Commands come
// one by one in life, and find a program that sleeps: without the pause, one that is
// still awake from the last command would have the advantage.
const pause = 5 * time.Millisecond

// latencies sends n commands, one at a time, each to a program at rest.
func (c *contender) latencies(ctx context.Context, name string, n int) ([]latency, error) {
	before, err := lab.Edges(c.pins())
	if err != nil {
		return nil, err
	}
	sent := make([]time.Time, n)
	answered := make([]time.Time, n)
	for i := range n {
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		sent[i] = time.Now()
		answered[i], err = c.command(ctx, fmt.Sprintf("%s-%d", name, i))
		if err != nil {
			return nil, err
		}
	}
	edges, err := lab.Edges(c.pins())
	if err != nil {
		return nil, err
	}
	if edges = edges[len(before):]; len(edges) != n {
		return nil, fmt.Errorf("%s drove %d levels for %d commands", c.device, len(edges), n)
	}
	all := make([]latency, n)
	for i := range all {
		all[i] = latency{pin: edges[i].At.Sub(sent[i]), answer: answered[i].Sub(sent[i])}
	}
	return all, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// command sends one, returns when its answer came, and waits for its PUBACK.
func (c *contender) command(ctx context.Context, id string) (answered time.Time, err error) {
	_, seq := c.stage.cloud.RecordsSince(^uint64(0))
	if err := c.send(id); err != nil {
		return time.Time{}, err
	}
	err = c.wait(ctx, "an answer", func() bool {
		var fresh []hubsim.Record
		fresh, seq = c.stage.cloud.RecordsSince(seq)
		for _, r := range fresh {
			if r.Device == c.device && r.System["correlation-id"] == id {
				answered = r.Enqueued
				return true
			}
		}
		return false
	})
	if err != nil {
		return time.Time{}, err
	}
	return answered, c.completed(ctx)
}

func measureRate(ctx context.Context, s *stage, o options, r *report, running pair) error {
	rate := figure{name: "commands per second", unit: perSecond, within: 1.3}
	work := figure{name: "CPU time per command", unit: microseconds}
	hubs := figure{name: "CPU time of hub and bench per command", unit: microseconds}
	for i := range o.rounds {
		for _, c := range s.both() {
			pids := []int{running[c.device].cmd.Process.Pid, os.Getpid()}
			used := make([]time.Duration, len(pids))
			if err := addCPU(used, pids, -1); err != nil {
				return err
			}
			took, err := c.burst(ctx, fmt.Sprintf("burst-%d", i), o.burst)
			if err != nil {
				return err
			}
			if err := addCPU(used, pids, 1); err != nil {
				return err
			}
			n := float64(o.burst)
			rate.add(c.device, n/took.Seconds())
			work.add(c.device, float64(used[0])/n)
			hubs.add(c.device, float64(used[1])/n)
		}
	}
	r.figures = append(r.figures, rate, work, hubs)
	return nil
}

// addCPU adds to used, or takes from it, the processor time that each process has
// used so far.
func addCPU(used []time.Duration, pids []int, sign time.Duration) error {
	for i, pid := range pids {
		t, err := cpu(pid)
		if err != nil {
			return err
		}
		used[i] += sign * t
	}
	return nil
}

// full is how long to wait when the hub's queue has no room: it holds 50 commands,
// which last for several times as long.
const full = 500 * time.Microsecond

// burst sends n commands, as fast as the hub's queue takes them, and returns how long
// it took from the first command to the last answer.
func (c *contender) burst(ctx context.Context, name string, n int) (time.Duration, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	_, seq := c.stage.cloud.RecordsSince(^uint64(0))
	begin := time.Now()
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		if err := c.feed(ctx, name, n); err != nil {
			fail(err)
		}
	}()
	var end time.Time
	answered := 0
	err := c.wait(ctx, "the last answer", func() bool {
		var fresh []hubsim.Record
		fresh, seq = c.stage.cloud.RecordsSince(seq)
		for _, r := range fresh {
			if r.Device == c.device && r.System["correlation-id"] != "" {
				answered++
				end = r.Enqueued
			}
		}
		return answered >= n
	})
	if err != nil {
		fail(err)
	}
	<-fed
	if err != nil {
		return 0, err
	}
	return end.Sub(begin), c.completed(ctx)
}

// feed keeps the hub's queue full until n commands are in it or have been there.
func (c *contender) feed(ctx context.Context, name string, n int) error {
	for i := 0; i < n; {
		err := c.send(fmt.Sprintf("%s-%d", name, i))
		switch {
		case err == nil:
			i++
		case !errors.Is(err, hubsim.ErrQueueFull):
			return err
		default:
			if err := sleep(ctx, full); err != nil {
				return err
			}
		}
	}
	return nil
}
