// Package relay switches a bank of relays, each wired to one GPIO pin.
//
// Open finds pins by the names an owner writes; a Bank drives them. The Bank is
// the only writer of its pins, and the only place that knows which level closes
// a relay. It answers from what it last wrote and never reads a pin back: in
// some drivers, reading an output turns it into an input.
//
// A Bank is not safe for concurrent use; one goroutine owns it.
package relay

import (
	"errors"
	"log/slog"
	"slices"

	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/cause"
)

// A Pin is the part of gpio.PinOut that a relay needs. If it also has the
// method Halt() error, Close calls that to release it.
type Pin interface {
	Name() string // the pin's proper name, such as GPIO17
	Out(gpio.Level) error
}

// A Wire is one relay and the pin it hangs on.
type Wire struct {
	Name      string // what the owner calls the relay
	Pin       Pin
	ActiveLow bool // Low closes the relay
}

// level returns the level that closes or opens the relay.
func (w Wire) level(on bool) gpio.Level { return gpio.Level(on != w.ActiveLow) }

// A Bank is a row of relays.
type Bank struct {
	wires []Wire
	on    []bool
	log   *slog.Logger
}

// New drives every wire to the state wanted in on, in order, and returns the
// bank. The first level a pin sees is the wanted one; what on does not cover is
// off. The error joins those of all pins that failed, and the others stand as
// wanted all the same. A nil log discards.
func New(wires []Wire, on []bool, why cause.Cause, log *slog.Logger) (*Bank, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &Bank{wires: slices.Clone(wires), on: make([]bool, len(wires)), log: log}
	copy(b.on, on)
	var errs []error
	for i := range b.wires {
		if err := b.drive(i, b.on[i]); err != nil {
			errs = append(errs, err)
			continue
		}
		b.report("relay ready", i, why)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return b, nil
}

// Len returns the number of relays.
func (b *Bank) Len() int { return len(b.wires) }

// On reports whether relay i, counted from 0, is closed, by the last level that
// was certainly driven.
func (b *Bank) On(i int) bool { return b.on[i] }

// Set closes or opens relay i, counted from 0. The pin is driven even if the
// relay is there already, so that a repeated command heals a pin that somebody
// else has moved; only an edge is logged. After an error On is as before.
func (b *Bank) Set(i int, on bool, why cause.Cause) error {
	if err := b.drive(i, on); err != nil {
		return err
	}
	if b.on[i] != on {
		b.on[i] = on
		b.report("relay switched", i, why)
	}
	return nil
}

// Close releases the pins and moves none. What the kernel then does with a
// released line is the driver's affair.
func (b *Bank) Close() error {
	var errs []error
	for i, w := range b.wires {
		if p, ok := w.Pin.(interface{ Halt() error }); ok {
			errs = append(errs, b.failed(i, p.Halt()))
		}
	}
	return errors.Join(errs...)
}

func (b *Bank) drive(i int, on bool) error {
	w := b.wires[i]
	return b.failed(i, w.Pin.Out(w.level(on)))
}

func (b *Bank) report(msg string, i int, why cause.Cause) {
	w := b.wires[i]
	b.log.Info(msg, "relay", i+1, "name", w.Name, "pin", w.Pin.Name(), "on", b.on[i], "cause", why.String())
}

func (b *Bank) failed(i int, err error) error {
	if err == nil {
		return nil
	}
	return &PinError{Relay: i + 1, Pin: b.wires[i].Pin.Name(), Err: err}
}
