// Package relay switches a bank of relays, each wired to one GPIO pin.
//
// Open finds pins by the names an owner writes; a Bank drives them. The Bank is
// the only writer of its pins, and the only place that knows which level closes
// a relay. It answers from the last level that was certainly driven. A pin is
// read once at most, when it is taken back from an earlier run, in a way that
// leaves it an output.
//
// A Bank is not safe for concurrent use; one goroutine owns it.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/cause"
)

// A Pin is the part of gpio.PinOut that a relay needs. If it also has the
// method Halt() error, Close calls that to release it.
type Pin interface {
	Name() string // the pin's proper name, such as GPIO17
	Out(gpio.Level) error
}

// A Line is a Pin that must be claimed before it is driven. It may be held from
// an earlier run, and its chip may go away and come back.
type Line interface {
	Pin
	// Held returns the level of a line that is ours already.
	Held() (level gpio.Level, held bool)
	// Claim makes the line an output with this level at once, or changes one that
	// is held to it; off is the level that is to be left behind at the end.
	Claim(level, off gpio.Level) error
	// Regain takes the line anew, with this level, after its chip was gone.
	Regain(level gpio.Level) error
	// Release drives the line off and lets it go for good.
	Release() error
}

// A Wire is one relay and the pin it hangs on.
type Wire struct {
	Name        string // what the owner calls the relay
	Pin         Pin
	ActiveLow   bool          // Low closes the relay
	MinInterval time.Duration // shortest time from one closing to the next, 0 for none
}

// level returns the level that closes or opens the relay.
func (w Wire) level(on bool) gpio.Level { return gpio.Level(on != w.ActiveLow) }

// A Setup says how a Bank begins and what it may do. The zero value opens all
// relays and has no limits.
type Setup struct {
	On     []bool              // the state wanted of each relay; what it does not cover is off
	Cause  cause.Cause         // who wants it
	Causes map[int]cause.Cause // where it is somebody else

	// Restore drives what On wants on lines held from an earlier run too. Without
	// it they stay as they are.
	Restore bool
	Others  []Line // held lines of no relay: New releases them

	// Stagger is the pause between relays that one command switches. All pauses
	// of a bank take 10 s at the most, so that a loop may wait for them.
	Stagger      time.Duration
	MaxPerMinute int // how often all relays may close within a minute, 0 for no limit

	Edges func(Edge) // is told of every edge, at once; may be nil
	Log   *slog.Logger
}

// A Bank is a row of relays.
type Bank struct {
	wires  []Wire
	on     []bool
	lost   []*loss // of each relay whose chip is gone
	faults []error // of each relay: how driving it failed the last time, or nil
	limits limits
	pause  pause
	edges  func(Edge)
	log    *slog.Logger
}

// New brings every wire to its first state, in order, and returns the bank.
//
// The first level a pin sees is the one wanted in s.On. A Line that is held from
// an earlier run keeps its level, and with it the relay the state that this level
// now means; if that is not the one in s.On, a warning says so. The error joins
// those of all pins that failed, and the others stand as they should all the
// same: New may be tried again with the same pins.
func New(wires []Wire, s Setup) (*Bank, error) {
	b := newBank(wires, s)
	var errs []error
	for i := range b.wires {
		errs = append(errs, b.failed(i, b.begin(i, s)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	b.releaseOthers(s.Others)
	return b, nil
}

// newBank returns a bank that has driven nothing yet.
func newBank(wires []Wire, s Setup) *Bank {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Edges == nil {
		s.Edges = func(Edge) {}
	}
	b := &Bank{
		wires:  slices.Clone(wires),
		on:     make([]bool, len(wires)),
		lost:   make([]*loss, len(wires)),
		faults: make([]error, len(wires)),
		limits: newLimits(wires, s.MaxPerMinute),
		pause:  newPause(s, len(wires)),
		edges:  s.Edges,
		log:    s.Log,
	}
	copy(b.on, s.On)
	return b
}

// Len returns the number of relays.
func (b *Bank) Len() int { return len(b.wires) }

// On reports whether relay i, counted from 0, is closed, by the last level that
// was certainly driven.
func (b *Bank) On(i int) bool { return b.on[i] }

// Fault returns the *PinError of the last attempt to drive relay i, nil if the
// relay was driven.
func (b *Bank) Fault(i int) error { return b.faults[i] }

// Set closes or opens relay i, counted from 0. The pin is driven even if the
// relay is there already, so that a repeated command heals a pin that somebody
// else has moved; only an edge is logged. After an error On is as before.
//
// Closing fails with ErrHeldBack if the relay's MinInterval or the bank's limit
// forbids it; opening never does. If the same command switched another relay
// just before, Set waits for the bank's Stagger.
func (b *Bank) Set(i int, on bool, why cause.Cause) error {
	now := time.Now()
	if on && !b.on[i] {
		if err := b.limits.allow(i, now); err != nil {
			b.log.Warn("relay held back", "relay", i+1, "name", b.wires[i].Name, "why", err,
				"times", b.limits.refused, "cause", why.String())
			return b.failed(i, err)
		}
	}
	if on != b.on[i] {
		b.pause.wait(why)
	}
	return b.set(i, on, why)
}

// set is Set without limits and pauses.
func (b *Bank) set(i int, on bool, why cause.Cause) error {
	from, err := b.drive(i, on)
	b.faults[i] = b.failed(i, err)
	if err != nil {
		return b.faults[i]
	}
	b.on[i] = on
	b.edge("relay switched", i, from, why)
	return nil
}

// Off opens all relays that are closed, in order, without pauses.
func (b *Bank) Off(why cause.Cause) error {
	var errs []error
	for i, on := range b.on {
		if on {
			errs = append(errs, b.set(i, false, why))
		}
	}
	return errors.Join(errs...)
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

// edge reports that relay i was driven to where it is now, if it was not there.
func (b *Bank) edge(msg string, i int, from State, why cause.Cause) {
	w, to := b.wires[i], stateOf(b.on[i])
	if from == to {
		return
	}
	e := Edge{Time: time.Now(), Relay: i + 1, Name: w.Name, Pin: w.Pin.Name(), From: from, To: to, Cause: why}
	if to == On {
		b.limits.closed(i, e.Time)
	}
	b.pause.moved(e)
	b.report(msg, i, why)
	b.edges(e)
}

func (b *Bank) report(msg string, i int, why cause.Cause) {
	w := b.wires[i]
	b.log.LogAttrs(context.Background(), slog.LevelInfo, msg, slog.Int("relay", i+1), slog.String("name", w.Name),
		slog.String("pin", w.Pin.Name()), slog.Bool("on", b.on[i]), slog.String("cause", why.String()))
}

func (b *Bank) failed(i int, err error) error {
	if err == nil {
		return nil
	}
	return &PinError{Relay: i + 1, Pin: b.wires[i].Pin.Name(), Err: err}
}
