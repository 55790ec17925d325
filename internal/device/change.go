package device

import (
	"context"
	"slices"
	"time"

	"tasmota-azd/internal/journal"
)

// A Change is what another configuration makes of a device that runs. What it does not
// name stays as it is: settings, backlog, the session, and what was saved.
type Change struct {
	// Rewire makes the relays others, and returns the pins that they have then. wanted
	// is the first state of one that is new. If it fails nothing changes at all. nil:
	// they stay.
	Rewire func(wanted func(pin string) bool) (pins []string, err error)

	Names     []string // as in Options, like all below
	MaxAge    []time.Duration
	Period    time.Duration
	FullTopic string
	Guarded   bool
	Limit     int
	Meter     int

	OtherHub bool // what is known of the hub's queue is of another one
}

// Change makes the device another one, between two commands. It may be called from any
// goroutine while Run runs.
func (d *Device) Change(ctx context.Context, c Change) (err error) {
	over := d.do(ctx, func(now time.Time) { err = d.change(now, c) })
	if over != nil {
		return over
	}
	return err
}

func (d *Device) change(now time.Time, c Change) error {
	if c.Rewire != nil {
		known := d.state(now, State{})
		pins, err := c.Rewire(func(pin string) bool { return known.Wanted(pin, false) })
		if err != nil {
			d.note(now, journal.Outcome{}) // what was tried and taken back
			return err
		}
		d.o.Relays.rewired(pins)
		d.renumber(now, d.o.Pins, pins)
		d.o.Pins = pins
	}
	d.o.Names = c.Names
	d.o.Commands.Rewire(now, c.Names, c.MaxAge, c.Period)
	d.o.Guarded = c.Guarded
	if c.OtherHub {
		d.queue = cloudQueue{}
	}
	d.retopic(c.FullTopic)
	d.remeter(now, c.Limit, c.Meter)
	d.note(now, journal.Outcome{})
	d.changed(now)
	return nil
}

// retopic makes the topics of what is sent from now on.
func (d *Device) retopic(template string) {
	if template != d.o.FullTopic {
		d.o.FullTopic = template
		d.topic = newTopics(template, d.session.device)
	}
}

// remeter counts the day's messages against another limit. What waited for the day to
// end may go at once.
func (d *Device) remeter(now time.Time, limit, size int) {
	m := &d.meter
	if limit == m.limit && size == m.size {
		return
	}
	m.limit, m.size, m.warned, m.short = limit, size, false, false
	if limit == 0 {
		m.until = time.Time{}
	}
	d.sendOwed(now)
}

// rewired is told that the relays are others now: pins are theirs.
func (n *Relays) rewired(pins []string) {
	moved := make([]bool, len(pins))
	for i, pin := range pins {
		if old := slices.Index(n.pins, pin); old >= 0 {
			moved[i] = n.moved[old]
		}
	}
	n.pins, n.moved = pins, moved
	clear(n.shown)
}
