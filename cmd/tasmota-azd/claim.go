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
	wires, s := wire(c.cfg, c.found.Pins), c.setup(c.cfg)
	s.Cause, s.Causes, s.Restore, s.Others = cause.Cause{Door: cause.Start}, make(map[int]cause.Cause), c.stopped, c.found.Others
	if c.powerOn {
		s.Cause.Door = cause.PowerOn
	}
	for i := range wires {
		s.On[i] = c.state.Wanted(c.pins[i], c.powerOn)
		if why, cut := c.state.Cut(c.pins[i]); cut && !c.powerOn {
			s.Causes[i] = why // it is the command that moves the relay, if it moves
		}
	}
	return relay.New(wires, s)
}

// setup is what a bank has by the configuration.
func (c *claim) setup(cfg config.Config) relay.Setup {
	return relay.Setup{
		On: make([]bool, len(cfg.Relays)), Stagger: cfg.GPIO.Stagger, MaxPerMinute: cfg.GPIO.MaxPerMinute,
		Edges: c.edges, Log: c.log,
	}
}

// wire makes the wires of relays that have these pins.
func wire(cfg config.Config, pins []relay.Pin) []relay.Wire {
	wires := make([]relay.Wire, len(cfg.Relays))
	for i, r := range cfg.Relays {
		wires[i] = relay.Wire{Name: r.Name, Pin: pins[i], ActiveLow: r.ActiveLow, MinInterval: r.MinInterval}
	}
	return wires
}

// again gives a bank the relays of another configuration. wanted is the first state of
// one whose pin is new. If it fails the bank is as before.
func (c *claim) again(bank *relay.Bank, cfg config.Config, wanted func(pin string) bool) error {
	have, names := make(map[string]relay.Pin), make([]string, len(cfg.Relays))
	for i, r := range c.cfg.Relays {
		have[r.Pin] = c.found.Pins[i]
	}
	for i, r := range cfg.Relays {
		names[i] = r.Pin
	}
	pins, err := c.found.Again(names, have)
	if err != nil {
		return err
	}
	s := c.setup(cfg)
	s.Cause.Door = cause.Reload
	for i, p := range pins {
		s.On[i] = wanted(p.Name())
	}
	if err := bank.Rewire(wire(cfg, pins), s); err != nil {
		return err
	}
	c.cfg, c.found.Pins, c.pins = cfg, pins, properNames(pins)
	return nil
}

// properNames are those of the pins.
func properNames(pins []relay.Pin) (all []string) {
	for _, p := range pins {
		all = append(all, p.Name())
	}
	return all
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
	c.found, c.pins = &found, properNames(found.Pins)
	return nil
}
