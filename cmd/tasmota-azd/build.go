package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/clock"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/relay"
	"tasmota-azd/internal/store"
	"tasmota-azd/internal/system"
)

// A chip may be absent, or not yet permitted, while the board boots.
const (
	pinsWithin = 10 * time.Second
	pinsAgain  = 250 * time.Millisecond
)

// A daemon is the parts, ready to run; the relays stand.
type daemon struct {
	log     *slog.Logger
	systemd *notifier
	bank    *relay.Bank
	clock   *clock.Clock
	hub     *hub.Client
	device  *device.Device
}

// build makes the parts bottom up: relays first, then everything that needs a network.
func build(ctx context.Context, cfg config.Config, st *store.Store, started time.Time, log *slog.Logger) (*daemon, error) {
	d := &daemon{log: log, systemd: &notifier{log: log}}
	var state device.State
	if _, err := st.Load(device.StateFile, &state); err != nil {
		return nil, err
	}
	bank, pins, err := claim(ctx, cfg, state, log.With("part", "relay"))
	if err != nil {
		return nil, err
	}
	d.bank = bank
	d.clock = newClock(cfg, log)
	d.hub = newHub(cfg, st, d.clock, log)
	sys := system.New(system.Options{})
	d.device = device.New(device.Options{
		Hub:      d.hub,
		Commands: newCommands(cfg, bank, state, sys, d.clock, started),
		Relays:   bank, Pins: pins, Store: st, State: state, BootID: sys.BootID(),
		FullTopic: cfg.Telemetry.FullTopic,
		Beat:      d.systemd.beat(), Alive: d.systemd.alive, Status: d.systemd.status,
		Log: log.With("part", "device"),
	})
	return d, nil
}

// claim finds the pins and drives each relay to its saved state. What is absent or
// not permitted is tried again for 10 s: at boot udev may come later.
func claim(ctx context.Context, cfg config.Config, state device.State, log *slog.Logger) (*relay.Bank, []string, error) {
	end := time.Now().Add(pinsWithin)
	for said := false; ; {
		bank, pins, err := tryClaim(cfg, state, log)
		if err == nil || !errors.Is(err, relay.ErrNotReady) || time.Now().After(end) {
			return bank, pins, err
		}
		if !said {
			said = true
			log.Warn("the pins are not there yet, trying for 10 s", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(pinsAgain):
		}
	}
}

// tryClaim is one attempt of claim. It returns the bank and the pins' proper names.
func tryClaim(cfg config.Config, state device.State, log *slog.Logger) (*relay.Bank, []string, error) {
	o := relay.Options{Driver: cfg.GPIO.Driver, SimDir: cfg.GPIO.SimDir}
	for _, r := range cfg.Relays {
		o.Names = append(o.Names, r.Pin)
	}
	driver, found, err := relay.Open(o)
	if err != nil {
		return nil, nil, err
	}
	log.Info("pins found", "driver", driver.Name, "board", driver.About)
	wires := make([]relay.Wire, len(found))
	on := make([]bool, len(found))
	pins := make([]string, len(found))
	for i, r := range cfg.Relays {
		pins[i] = found[i].Name()
		wires[i] = relay.Wire{Name: r.Name, Pin: found[i], ActiveLow: r.ActiveLow}
		on[i] = state.Relays[pins[i]] && state.Settings.SaveState()
	}
	bank, err := relay.New(wires, on, cause.Cause{Door: cause.Start}, log)
	return bank, pins, err
}

// newCommands makes the interpreter, and tells it about the machine.
func newCommands(cfg config.Config, bank *relay.Bank, saved device.State, sys *system.System,
	clk *clock.Clock, started time.Time) *commands.Interpreter {
	var names []string
	for _, r := range cfg.Relays {
		names = append(names, r.Name)
	}
	machine := sys.Device()
	machine.Version, machine.BuildTime = version, buildTime
	machine.RestartReason = system.RestartReason(saved.BootID, sys.BootID())
	return commands.New(commands.Options{
		Relays: bank, Names: names, Device: machine, Facts: sys.Facts,
		Settings: saved.Settings, Period: cfg.Telemetry.Period,
		Started: started,
		Wall:    func(t time.Time) time.Time { return clk.Wall(t).Local() },
	})
}
