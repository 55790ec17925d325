package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/relay"
)

// A chip may be absent, or not yet permitted, while the board boots.
const (
	pinsWithin = 10 * time.Second
	pinsAgain  = 250 * time.Millisecond
)

// A claim finds the pins and brings the relays to their first state.
type claim struct {
	cfg     config.Config
	state   device.State // as saved
	powerOn bool         // the machine was started since
	stopped bool         // the relays are off because the service was stopped
	kept    []*os.File   // lines that systemd kept
	keeper  relay.Keeper
	edges   func(relay.Edge)
	log     *slog.Logger

	found *relay.Found // once Open found all pins
	pins  []string     // their proper names
}

// insist makes the bank. What is absent or not permitted is tried again for 10 s:
// at boot udev may come later.
func (c *claim) insist(ctx context.Context) (*relay.Bank, error) {
	end := time.Now().Add(pinsWithin)
	for said := false; ; {
		bank, err := c.try()
		if err == nil || !errors.Is(err, relay.ErrNotReady) || time.Now().After(end) {
			return bank, err
		}
		if !said {
			said = true
			c.log.Warn("the pins are not there yet, trying for 10 s", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pinsAgain):
		}
	}
}

// try is one attempt. Pins that were found stay so: a line that an attempt has
// claimed is ours from then on.
func (c *claim) try() (*relay.Bank, error) {
	if c.found == nil {
		if err := c.open(); err != nil {
			return nil, err
		}
	}
	wires := make([]relay.Wire, len(c.cfg.Relays))
	s := relay.Setup{
		On: make([]bool, len(wires)), Cause: cause.Cause{Door: cause.Start}, Causes: make(map[int]cause.Cause),
		Restore: c.stopped, Others: c.found.Others,
		Stagger: c.cfg.GPIO.Stagger, MaxPerMinute: c.cfg.GPIO.MaxPerMinute,
		Edges: c.edges, Log: c.log,
	}
	if c.powerOn {
		s.Cause.Door = cause.PowerOn
	}
	for i, r := range c.cfg.Relays {
		wires[i] = relay.Wire{Name: r.Name, Pin: c.found.Pins[i], ActiveLow: r.ActiveLow, MinInterval: r.MinInterval}
		s.On[i] = c.state.Wanted(c.pins[i], c.powerOn)
		if why, cut := c.state.Cut(c.pins[i]); cut && !c.powerOn {
			s.Causes[i] = why // it is the command that moves the relay, if it moves
		}
	}
	return relay.New(wires, s)
}

func (c *claim) open() error {
	o := relay.Options{
		Driver: c.cfg.GPIO.Driver, SimDir: c.cfg.GPIO.SimDir,
		Kept: c.kept, Keeper: c.keeper, Log: c.log,
	}
	for _, r := range c.cfg.Relays {
		o.Names = append(o.Names, r.Pin)
	}
	found, err := relay.Open(o)
	if err != nil {
		return err
	}
	d := found.Driver
	c.log.Info("pins found", "driver", d.Name, "on", d.About, "kernel", d.Kernel)
	c.found = &found
	for _, p := range found.Pins {
		c.pins = append(c.pins, p.Name())
	}
	return nil
}
