package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tasmota-azd/test/procfs"
)

// measureSizes reads the sizes of the programs that were built for boards.
func measureSizes(_ context.Context, s *stage, _ options, r *report) error {
	for _, board := range []string{"armv6", "arm64", "amd64"} {
		f := figure{name: "size, " + board, unit: bytesUnit}
		for _, c := range s.both() {
			info, err := os.Stat(filepath.Join(s.bin, filepath.Base(c.program)+"-"+board))
			if err != nil {
				return err
			}
			f.add(c.device, float64(info.Size()))
		}
		if board == "armv6" {
			f.most = 9_000_000
		}
		r.figures = append(r.figures, f)
	}
	return nil
}

// measureStarts measures from exec to the hub's acceptance of CONNECT. The daemon
// asks the time server on loopback first; the bare program asks nobody.
func measureStarts(ctx context.Context, s *stage, o options, r *report) error {
	f := figure{name: "start to CONNECT", unit: milliseconds, most: 100 * float64(time.Millisecond)}
	for range o.starts {
		for _, c := range s.both() {
			p, err := c.start()
			if err != nil {
				return err
			}
			at, err := c.online(ctx, p.started)
			if err == nil {
				err = p.kill()
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.device, err)
			}
			f.add(c.device, float64(at.Sub(p.started)))
		}
	}
	r.figures = append(r.figures, f)
	return nil
}

// measureMemory starts both programs, sends each a command, lets them rest, and then
// looks at their memory.
func measureMemory(ctx context.Context, s *stage, o options, r *report) error {
	all := figure{name: "idle RSS", unit: mebibytes, most: 12 << 20}
	own := figure{name: "  of which anonymous", unit: mebibytes, most: 7 << 20}
	for i := range o.memories {
		running, err := s.startBoth(ctx)
		if err != nil {
			return err
		}
		for _, c := range s.both() {
			if _, err := c.command(ctx, fmt.Sprintf("memory-%d", i)); err != nil {
				return err
			}
		}
		if err := running.weigh(ctx, o.settle, &all, &own); err != nil {
			return err
		}
		if err := running.stop(); err != nil {
			return err
		}
	}
	r.figures = append(r.figures, all, own)
	return nil
}

// A pair is both programs running, by device.
type pair map[string]*process

// startBoth starts both programs and waits until they are connected.
func (s *stage) startBoth(ctx context.Context) (pair, error) {
	running := pair{}
	for _, c := range s.both() {
		p, err := c.start()
		if err != nil {
			return nil, err
		}
		if _, err := c.online(ctx, p.started); err != nil {
			return nil, err
		}
		running[c.device] = p
	}
	return running, nil
}

func (running pair) stop() error {
	for device, p := range running {
		if err := p.stop(); err != nil {
			return fmt.Errorf("%s: %w", device, err)
		}
	}
	return nil
}

// weigh lets the programs rest and adds five looks at the memory of each, of which
// the median counts.
func (running pair) weigh(ctx context.Context, rest time.Duration, all, own *figure) error {
	looks := map[string][]procfs.Memory{}
	for i := range 5 {
		if i > 0 {
			rest = 200 * time.Millisecond
		}
		if err := sleep(ctx, rest); err != nil {
			return err
		}
		for device, p := range running {
			m, err := procfs.MemoryOf(p.cmd.Process.Pid)
			if err != nil {
				return err
			}
			looks[device] = append(looks[device], m)
		}
	}
	for device, ms := range looks {
		all.add(device, median(ms, func(m procfs.Memory) float64 { return float64(m.Resident) }))
		own.add(device, median(ms, func(m procfs.Memory) float64 { return float64(m.Anonymous) }))
	}
	return nil
}
