package relay

import (
	"errors"
	"slices"
	"time"

	"tasmota-azd/internal/cause"
)

// errInverted says why the polarity of a relay stays as it was for now.
var errInverted = errors.New("its chip is gone; active_low cannot be changed before it is back")

// Rewire gives the bank other wires, or the same ones with other settings. A relay is
// known by its pin: whatever its number and its name are now, it keeps its state, and
// its line is not touched. Only where ActiveLow is another the level changes, so that
// the state stays. A relay that is new is brought to what s.On wants, as by New; one
// that is no longer there is opened, and its pin released.
//
// If a pin fails, all relays are again as they were, and the bank is the old one.
func (b *Bank) Rewire(wires []Wire, s Setup) error {
	next, was := newBank(wires, s), b.places(wires)
	for i, o := range was {
		if o >= 0 {
			next.follow(i, b, o)
		}
	}
	next.limits.follow(&b.limits, was)
	next.pause.last = b.pause.last
	if err := next.apply(b, was, s); err != nil {
		return err
	}
	for o := range b.wires {
		if !slices.Contains(was, o) {
			b.remove(o)
		}
	}
	*b = *next
	return nil
}

// places finds each of wires among those of the bank; -1 stands for a new one.
func (b *Bank) places(wires []Wire) []int {
	was := make([]int, len(wires))
	for i, w := range wires {
		was[i] = slices.IndexFunc(b.wires, func(old Wire) bool { return old.Pin == w.Pin })
	}
	return was
}

// follow takes over what old knows of its relay o, which is i here.
func (b *Bank) follow(i int, old *Bank, o int) {
	b.on[i], b.lost[i] = old.on[o], old.lost[o]
	if e, ok := errors.AsType[*PinError](old.faults[o]); ok {
		b.faults[i] = b.failed(i, e.Err)
	}
}

// apply drives what is new, and then what is inverted. If that fails it takes back
// what it did.
func (b *Bank) apply(old *Bank, was []int, s Setup) (err error) {
	var done []int
	for i, o := range was {
		if o < 0 {
			if err = b.failed(i, b.begin(i, s)); err != nil {
				break
			}
			done = append(done, i)
		}
	}
	for i, o := range was {
		if err == nil && o >= 0 && b.wires[i].ActiveLow != old.wires[o].ActiveLow {
			if err = b.failed(i, b.invert(i, s.cause(i))); err == nil {
				done = append(done, i)
			}
		}
	}
	if err == nil {
		return nil
	}
	for _, i := range slices.Backward(done) {
		if o := was[i]; o < 0 {
			b.remove(i)
		} else {
			err = errors.Join(err, old.revert(o, s.cause(i)))
		}
	}
	return err
}

// invert drives relay i to the level that its state has by its polarity, which was
// the other one before: what the level said so far was the opposite.
func (b *Bank) invert(i int, why cause.Cause) error {
	w, level := b.wires[i], b.wires[i].level(b.on[i])
	line, ok := w.Pin.(Line)
	var err error
	switch {
	case b.lost[i] != nil:
		err = errInverted
	case ok:
		err = line.Claim(level, w.level(false))
	default:
		err = w.Pin.Out(level)
	}
	if err == nil {
		b.edge("relay switched", i, stateOf(!b.on[i]), why)
	}
	return err
}

// revert takes back an inversion of relay i. If that fails its level stays, and means the
// other state.
func (b *Bank) revert(i int, why cause.Cause) error {
	err := b.invert(i, why)
	b.faults[i] = b.failed(i, err)
	if err != nil {
		b.on[i] = !b.on[i]
		b.edge("relay switched", i, stateOf(!b.on[i]), why)
	}
	return b.faults[i]
}

// remove opens relay i, which is none any more, and releases its pin. The daemon works
// without that, so an error is only told.
func (b *Bank) remove(i int) {
	w := b.wires[i]
	if err := w.release(b.on[i]); err != nil {
		b.log.Error("line of a relay that was removed is not released", "pin", w.Pin.Name(), "name", w.Name, "err", err)
		return
	}
	b.log.Info("line of a relay that was removed is off and released", "pin", w.Pin.Name(), "name", w.Name)
	if b.on[i] {
		b.edges(Edge{Time: time.Now(), Name: w.Name, Pin: w.Pin.Name(), From: On, To: Off, Cause: cause.Cause{Door: cause.Removed}})
	}
}

// release opens the relay, if it is on, and lets the pin go.
func (w Wire) release(on bool) error {
	if line, ok := w.Pin.(Line); ok {
		return line.Release()
	}
	var err error
	if on {
		err = w.Pin.Out(w.level(false))
	}
	if p, ok := w.Pin.(interface{ Halt() error }); ok {
		err = errors.Join(err, p.Halt())
	}
	return err
}
