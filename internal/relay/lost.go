package relay

import (
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/lasting"
)

// A line whose chip is gone is asked for again after a second, then after twice
// as long each time, up to half a minute.
const (
	regainFirst = time.Second
	regainMost  = 30 * time.Second
)

// A loss is what to do about a line whose chip is gone.
type loss struct {
	on    bool // what the relay is to be when the line is back
	after time.Duration
	at    time.Time // when it is next asked for
	fault lasting.Fault
}

// drive drives relay i, and returns what it was before. A line that was lost, or
// is found lost now, is asked for at once.
func (b *Bank) drive(i int, on bool) (from State, err error) {
	w := b.wires[i]
	from = stateOf(b.on[i])
	if b.lost[i] == nil {
		err = w.Pin.Out(w.level(on))
	}
	line, ok := w.Pin.(Line)
	if !ok || b.lost[i] == nil && !gone(err) {
		return from, err
	}
	if err := line.Regain(w.level(on)); err != nil {
		b.lose(i, on, err)
		return from, err
	}
	b.regained(i, time.Now())
	return Unknown, nil
}

// lose notes that relay i could not be driven because its chip is gone. When the
// chip is back the relay gets its last state again. Only a relay that should have
// been opened meanwhile is then open: who wanted it closed was told that it failed,
// and may have thought better of it.
func (b *Bank) lose(i int, on bool, err error) {
	l := b.lost[i]
	if l == nil {
		l = &loss{on: b.on[i], after: regainFirst, at: time.Now().Add(regainFirst)}
		b.lost[i] = l
	}
	l.on = l.on && on
	b.missing(i, time.Now(), err)
}

// missing says that relay i has no line, but not each time.
func (b *Bank) missing(i int, now time.Time, err error) {
	if f := &b.lost[i].fault; f.Say(now, err.Error()) {
		b.log.Error("relay lost its line; trying to get it back", "relay", i+1, "name", b.wires[i].Name,
			"pin", b.wires[i].Pin.Name(), "err", err, "lasts", f.For(now))
	}
}

// regained is told that relay i has its line back, if it was lost.
func (b *Bank) regained(i int, now time.Time) {
	l := b.lost[i]
	b.lost[i] = nil
	if l == nil {
		return // it was lost and regained in one
	}
	lasted, _ := l.fault.Over(now)
	b.log.Info("relay has its line back", "relay", i+1, "name", b.wires[i].Name, "pin", b.wires[i].Pin.Name(), "lasted", lasted)
}

// Next returns when Tick has something to do, or zero.
func (b *Bank) Next() time.Time {
	var at time.Time
	for _, l := range b.lost {
		if l != nil && (at.IsZero() || l.at.Before(at)) {
			at = l.at
		}
	}
	return at
}

// Tick tries to get lost lines back that are due. It moves no other relay.
func (b *Bank) Tick(now time.Time) {
	for i, l := range b.lost {
		if l == nil || now.Before(l.at) {
			continue
		}
		w := b.wires[i]
		if err := w.Pin.(Line).Regain(w.level(l.on)); err != nil { // only a Line is ever lost
			l.after = min(2*l.after, regainMost)
			l.at = now.Add(l.after)
			b.missing(i, now, err)
			continue
		}
		b.regained(i, now)
		b.faults[i], b.on[i] = nil, l.on
		b.edge("relay switched", i, Unknown, cause.Cause{Door: cause.Recovered})
	}
}
