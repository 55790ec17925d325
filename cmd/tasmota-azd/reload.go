package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/relay"
)

// reloads reads the configuration again as often as it is asked to, until ctx ends. To a
// daemon that runs by hand the same signal says that its terminal is gone: then it returns
// true, and nobody would see the daemon go on.
func (d *daemon) reloads(ctx context.Context, asked <-chan os.Signal) (gone bool) {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-asked:
			if d.byHand && hungUp(ctx) {
				return true
			}
			d.reload(ctx)
		}
	}
}

// reload reads the file again. What is wrong with it changes nothing; what is right
// changes only what it has otherwise.
func (d *daemon) reload(ctx context.Context) {
	d.systemd.reloading()
	now := time.Now()
	old := d.config()
	cfg, err := d.load()
	var waits []config.Change
	if err == nil {
		cfg, waits = d.apart(old, cfg)
		err = located(d.path, cfg, d.apply(ctx, old, cfg))
	}
	if ctx.Err() != nil {
		return // the daemon ends
	}
	if err != nil {
		d.systemd.reloaded(d.refused(now, err))
	} else {
		d.taken(now, cfg, config.Diff(old, cfg), waits)
		d.systemd.reloaded("")
	}
	debug.FreeOSMemory() // what reading took
}

// apart returns cfg without what only a restart can change, and what that is.
func (d *daemon) apart(old, cfg config.Config) (config.Config, []config.Change) {
	whole := cfg
	cfg.Log.Format = old.Log.Format
	if stateDir(cfg) == stateDir(old) {
		whole.StateDir = old.StateDir // systemd says another one
	}
	cfg.StateDir = old.StateDir
	simulated := old.GPIO.Driver == config.DriverSim || cfg.GPIO.Driver == config.DriverSim
	if cfg.GPIO.Driver == d.claim.found.Driver.Name { // what "auto" has come to
		old.GPIO.Driver = cfg.GPIO.Driver
	}
	if cfg.GPIO.Driver != old.GPIO.Driver || simulated && cfg.GPIO.SimDir != old.GPIO.SimDir {
		// No pin is looked for by another driver while this one has the others.
		cfg.GPIO, cfg.Board, cfg.Relays, cfg.PinLines = old.GPIO, old.Board, old.Relays, old.PinLines
	}
	return cfg, config.Diff(cfg, whole)
}

// apply makes the parts work by cfg. The relays come first: if they cannot be what it
// says, nothing is.
func (d *daemon) apply(ctx context.Context, old, cfg config.Config) error {
	c := device.Change{
		Names: names(cfg), MaxAge: maxAges(cfg), Period: cfg.Telemetry.Period, FullTopic: cfg.Telemetry.FullTopic,
		Guarded: guarded(cfg), Limit: cfg.Telemetry.DailyLimit, Meter: cfg.Telemetry.Meter,
		OtherHub: !sameDevice(old, cfg),
	}
	if !slices.Equal(old.Relays, cfg.Relays) || old.GPIO != cfg.GPIO {
		c.Rewire = func(wanted func(pin string) bool) ([]string, error) {
			err := d.claim.again(d.bank, cfg, wanted)
			return d.claim.pins, err
		}
	}
	if err := d.device.Change(ctx, c); err != nil {
		return err
	}
	d.hub.change(old, cfg)
	if !slices.Equal(old.NTP.Servers, cfg.NTP.Servers) {
		d.clock.Ask(cfg.NTP.Servers)
	}
	if old.Log.Level != cfg.Log.Level {
		d.level.Set(cfg.Log.Level)
	}
	if old.Metrics.Listen != cfg.Metrics.Listen {
		select {
		case d.page.address <- cfg.Metrics.Listen:
		case <-ctx.Done():
		}
	}
	return nil
}

// taken says what has changed, and what has not.
func (d *daemon) taken(at time.Time, cfg config.Config, changes, waits []config.Change) {
	for _, w := range cfg.Warnings {
		d.log.Warn("configuration: " + w)
	}
	for _, c := range changes {
		d.log.Info("configuration changed", "key", c.Key, "from", c.From, "to", c.To)
	}
	var texts []string
	for _, w := range waits {
		texts = append(texts, w.String())
		d.log.Warn("a change in the configuration needs a restart: systemctl restart tasmota-azd", "key", w.Key, "from", w.From, "to", w.To)
	}
	if len(cfg.Credentials) > 0 {
		d.log.Info("credentials of the unit are as at the start: systemctl restart tasmota-azd brings others", "keys", strings.Join(cfg.Credentials, ", "))
	}
	d.take(cfg, at, texts)
	d.log.Info("configuration reloaded", "config", d.path, "changes", len(changes), "need_restart", len(waits))
}

// mostFaults is how many mistakes a log and a status bear.
const mostFaults = 10

// located says of pins that failed where the file names them.
func located(path string, cfg config.Config, err error) error {
	if err == nil {
		return nil
	}
	all := []error{err}
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		all = list.Unwrap()
	}
	e := &config.Error{File: path}
	for _, err := range all {
		m, at := config.Mistake{Text: err.Error()}, -1
		if name, ok := errors.AsType[*relay.NameError](err); ok {
			at = name.Relay
		} else if pin, ok := errors.AsType[*relay.PinError](err); ok {
			at = pin.Relay - 1
		}
		if 0 <= at && at < len(cfg.PinLines) {
			m.Line = cfg.PinLines[at]
		}
		e.Mistakes = append(e.Mistakes, m)
	}
	return &notApplied{e, err}
}

// A notApplied is a file without mistakes by which the relays cannot be driven, or
// nothing can any more.
type notApplied struct {
	said *config.Error
	err  error
}

func (e *notApplied) Error() string { return e.said.Error() }
func (e *notApplied) Unwrap() error { return e.err }

// refused says why the file was not taken, and returns it as one line.
func (d *daemon) refused(at time.Time, err error) string {
	faults := strings.Split(err.Error(), "\n")
	if more := len(faults) - mostFaults; more > 0 {
		faults = append(faults[:mostFaults:mostFaults], fmt.Sprintf("and %d more", more))
	}
	for _, f := range faults {
		d.log.Error("configuration not taken, the one before stays in force", "err", f)
	}
	d.refuse(at, faults, exitCode(err) == exitConfig)
	text := "configuration not taken: " + faults[0]
	if n := len(faults) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	return text
}
