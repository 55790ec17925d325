package model_test

import (
	"slices"
	"time"

	"tasmota-azd/internal/cause"
)

// minInterval is the pause between two closings of the last relay. The others need
// none.
const minInterval = time.Second

// A moved is an edge as it should be recorded.
type moved struct {
	from, to level
	door     cause.Door
	id       string // of the message
}

// A memory is what a restart does not lose.
type memory struct {
	relays       []level // unknown for a relay of which nothing was saved
	powerOnState int
	saveState    bool // SetOption0
	boot         int
}

func (m memory) clone() memory {
	m.relays = slices.Clone(m.relays)
	return m
}

// A model is the daemon and its pins without any of its parts: a few facts, and
// rules in the words of the language reference and of the manual.
type model struct {
	relays []relayModel
	now    memory // relays is not used: they show themselves
	saved  memory // what a start would find
	all    int    // edges so far
}

// A relayModel is one relay.
type relayModel struct {
	on     bool  // as the daemon shows it
	level  level // as it is
	fault  bool
	lost   bool // the daemon knows that the chip was away
	back   bool // what it will be when the chip is back
	closed time.Time

	failing, unplugged, dead bool // the pin, as in world

	moves []moved // all edges that should have been recorded
}

func newModel(relays int) *model {
	fresh := memory{relays: make([]level, relays), powerOnState: 3, saveState: true, boot: -1}
	return &model{relays: make([]relayModel, relays), now: fresh.clone(), saved: fresh}
}

// move is an edge, if the level is another one.
func (m *model) move(i int, conducts bool, door cause.Door, id string, now time.Time) {
	r := &m.relays[i]
	r.on = conducts
	to := levelOf(conducts)
	if r.level == to {
		return
	}
	r.moves = append(r.moves, moved{r.level, to, door, id})
	m.all++
	r.level = to
	if conducts {
		r.closed = now
	}
}

// set is a command to one relay. It returns whether it succeeds.
func (m *model) set(i int, conducts bool, door cause.Door, id string, now time.Time) bool {
	r := &m.relays[i]
	tooSoon := !r.closed.IsZero() && now.Sub(r.closed) < minInterval
	if conducts && !r.on && i == len(m.relays)-1 && tooSoon {
		return false // the relay must rest; nothing is wrong with it
	}
	switch {
	case r.dead && (r.unplugged || r.failing):
		if !r.lost {
			r.lost, r.back = true, r.on
		}
		r.back = r.back && conducts // what should have been off does not come back on
		r.fault = true
		return false
	case r.failing:
		r.fault = true
		return false
	}
	r.lost, r.dead, r.fault = false, false, false
	m.move(i, conducts, door, id, now)
	return true
}

// power is Power<index> with a value from 0 to 2, and Power0 for all of them.
func (m *model) power(index, value int, id string, now time.Time) (ok bool) {
	first, last := index, index
	if index == 0 {
		first, last = 1, len(m.relays)
	}
	if m.now.powerOnState == 4 {
		first, last, value = 1, len(m.relays), 1
	}
	ok = true
	for i := first - 1; i < last; i++ {
		want := value == 1 || value == 2 && !m.relays[i].on
		ok = m.set(i, want, cause.C2D, id, now) && ok
	}
	return ok
}

// powerOnState is PowerOnState with a value; one that is not allowed does nothing.
func (m *model) powerOnState(n int, id string, now time.Time) (ok bool) {
	if n > 4 {
		return true
	}
	m.now.powerOnState = n
	return n != 4 || m.power(0, 1, id, now)
}

// settle is what saving does.
func (m *model) settle() {
	m.saved = m.now.clone()
	for i, r := range m.relays {
		m.saved.relays[i] = levelOf(r.on && m.now.saveState)
	}
}

// wanted is what relay i should first be driven to.
func (m *model) wanted(i int, powerOn bool) bool {
	s := m.saved
	was := s.relays[i]
	switch {
	case s.powerOnState == 4:
		return true
	case powerOn && s.powerOnState == 0:
		return false
	case powerOn && s.powerOnState == 1:
		return true
	case !s.saveState:
		return false
	case powerOn && s.powerOnState == 2:
		return was == off
	}
	return was == on
}

// end is the end of the daemon, with or without saving before.
func (m *model) end(keeps bool) {
	for i := range m.relays {
		if r := &m.relays[i]; !keeps || r.dead {
			r.level = unknown
		}
	}
}

// start is a start under a kernel, with pins that all work. restore says that the
// service had been stopped.
func (m *model) start(boot int, restore bool, now time.Time) {
	powerOn := boot != m.saved.boot
	door := cause.Start
	if powerOn {
		door = cause.PowerOn
	}
	for i := range m.relays {
		r := &m.relays[i]
		r.lost, r.fault, r.dead, r.closed = false, false, false, time.Time{}
		conducts := m.wanted(i, powerOn)
		if r.level != unknown && !restore {
			conducts = r.level == on // a line that was kept is believed
		}
		m.move(i, conducts, door, "", now)
	}
	m.now = m.saved.clone()
	m.now.boot = boot
}

// boot is a power-on: nobody drives the pins.
func (m *model) boot() {
	for i := range m.relays {
		m.relays[i].level = unknown
	}
}

// recover is a line that came back by itself. It returns whether it may.
func (m *model) recover(i int, now time.Time) bool {
	r := &m.relays[i]
	if !r.lost || r.unplugged || r.failing {
		return false
	}
	r.lost, r.dead, r.fault = false, false, false
	m.move(i, r.back, cause.Recovered, "", now)
	return true
}
