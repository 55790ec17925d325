package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/coreos/go-systemd/v22/activation"

	"tasmota-azd/internal/clock"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/control"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/relay"
	"tasmota-azd/internal/store"
	"tasmota-azd/internal/system"
)

// A daemon is the parts, ready to run; the relays stand.
type daemon struct {
	log     *slog.Logger
	level   *slog.LevelVar // of it
	byHand  bool           // it ends with its terminal
	systemd *notifier
	claim   *claim
	bank    *relay.Bank
	stopper stopper
	clock   *clock.Clock
	hub     *uplink
	device  *device.Device
	control *control.Server // nil: there is no socket
	page    *page
	inForce
}

// build makes the parts bottom up: relays first, then everything that needs a network.
func build(ctx context.Context, file source, cfg config.Config, st *store.Store, state device.State, j *journal.Journal,
	started time.Time, level *slog.LevelVar, log *slog.Logger) (*daemon, error) {
	d := &daemon{log: log, level: level, systemd: &notifier{log: log}}
	sys := system.New(system.Options{})
	d.stopper = stopper{store: st, bootID: sys.BootID(), log: log.With("part", "relay")}
	moved := new(moves)
	d.claim = &claim{
		cfg: cfg, state: state, powerOn: state.PowerOn(sys.BootID()), stopped: d.stopper.stopped(),
		kept: activation.Files(true), keeper: d.systemd, edges: recorder(j, moved), log: log.With("part", "relay"),
	}
	bank, err := d.claim.insist(ctx)
	if err != nil {
		return nil, err
	}
	d.bank = bank
	d.stopper.started()
	log.Info("relays stand", "relays", bank.Len(), "after", time.Since(started))
	d.clock = newClock(cfg, log)
	d.inForce = inForce{source: file, cfg: cfg, read: started, wall: d.clock.Wall}
	d.hub = newUplink(cfg, st, d.clock, log)
	relays := device.Noted(bank, j, d.claim.pins)
	d.device = device.New(device.Options{
		Hub:      d.hub,
		Commands: newCommands(cfg, relays, state, sys, d.clock, started),
		Relays:   relays, Upkeep: bank, HeldBack: relay.ErrHeldBack, Pins: d.claim.pins, Names: names(cfg),
		Store: st, State: state, Journal: j, Guarded: guarded(cfg), Limit: cfg.Telemetry.DailyLimit, Meter: cfg.Telemetry.Meter,
		BootID: sys.BootID(), Wall: d.clock.Wall,
		FullTopic: cfg.Telemetry.FullTopic,
		Beat:      d.systemd.beat(), Alive: d.systemd.alive, Status: d.systemd.status,
		Log: log.With("part", "device"),
	})
	n := numbers{d.device, d.clock, d.hub, moved, started}
	d.control = listen(stateDir(cfg), n, d.inForce.status, level, log.With("part", "control"))
	d.page = newPage(n.page, log.With("part", "metrics"))
	return d, nil
}

// recorder returns the hook of a bank that takes each edge down, and counts it.
func recorder(j *journal.Journal, counted *moves) func(relay.Edge) {
	return func(e relay.Edge) {
		counted.add(e)
		r := edges.Edge{Time: e.Time, Relay: e.Relay, Name: e.Name, Pin: e.Pin, To: e.To == relay.On, Cause: e.Cause}
		if e.From != relay.Unknown {
			r.From = new(e.From == relay.On)
		}
		j.Edge(r)
	}
}

// names are what the owner calls the relays.
func names(cfg config.Config) (all []string) {
	for _, r := range cfg.Relays {
		all = append(all, r.Name)
	}
	return all
}

// guarded tells whether a relay has a max_age.
func guarded(cfg config.Config) bool {
	return slices.ContainsFunc(cfg.Relays, func(r config.Relay) bool { return r.MaxAge > 0 })
}

// maxAges are those of the relays.
func maxAges(cfg config.Config) (all []time.Duration) {
	for _, r := range cfg.Relays {
		all = append(all, r.MaxAge)
	}
	return all
}

// newCommands makes the interpreter, and tells it about the machine.
func newCommands(cfg config.Config, relays commands.Relays, saved device.State, sys *system.System,
	clk *clock.Clock, started time.Time) *commands.Interpreter {
	machine := sys.Device()
	machine.Version, machine.BuildTime = version, buildTime
	machine.RestartReason = system.RestartReason(saved.BootID, sys.BootID())
	return commands.New(commands.Options{
		Relays: relays, Names: names(cfg), MaxAge: maxAges(cfg), Device: machine, Facts: sys.Facts,
		Settings: saved.Settings, Backlog: saved.Backlog, Period: cfg.Telemetry.Period,
		Started: started,
		Wall:    func(t time.Time) time.Time { return clk.Wall(t).Local() },
	})
}
