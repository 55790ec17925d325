// Package model_test plays random lives of the daemon (commands, crashes, restarts,
// power cuts, pins and disks that fail) and compares them with a pure model of what
// should happen.
//
// The parts are the daemon's own, put together as cmd/tasmota-azd does: relay.Bank,
// commands.Interpreter, device.Device, store.Store and edges.Ring, in a bubble of
// invented time. Only the pins, the hub and the kernel are replaced: world_test.go
// has them. model_test.go says what should happen, and play_test.go compares.
package model_test

import (
	"fmt"
	"syscall"

	"periph.io/x/conn/v3/gpio"
)

// A level is what is known of a relay, seen from outside.
type level int

const (
	unknown level = iota
	off
	on
)

func levelOf(conducts bool) level {
	if conducts {
		return on
	}
	return off
}

func (l level) String() string { return [...]string{"unknown", "off", "on"}[l] }

// A seen is one edge that happened on a pin.
type seen struct {
	pin      string
	from, to level
}

func (s seen) String() string { return fmt.Sprintf("%s %v -> %v", s.pin, s.from, s.to) }

// A world is what outlives the daemon: its pins, and what has happened on them.
type world struct {
	pins []*pin
	// keeps says that systemd keeps the lines of a daemon that ends. Otherwise the
	// kernel takes them, and nothing is known of their levels from then on.
	keeps bool
	edges []seen
}

// A pin is a GPIO line and the relay behind it.
type pin struct {
	world     *world
	name      string
	activeLow bool

	level     level // unknown while nobody drives it
	held      bool  // the daemon or systemd has it
	failing   bool  // writes fail though the chip is there
	unplugged bool  // the chip is away
	dead      bool  // the chip was away: what was held is worth nothing
}

func newWorld(keeps bool) *world {
	w := &world{keeps: keeps}
	for i, name := range []string{"GPIO17", "GPIO27", "GPIO4"} {
		w.pins = append(w.pins, &pin{world: w, name: name, activeLow: i == 1})
	}
	return w
}

// drive puts the relay to a level and notes the edge, if it is one.
func (p *pin) drive(l gpio.Level) error {
	switch to := levelOf(bool(l) != p.activeLow); {
	case p.unplugged:
		return syscall.ENODEV
	case p.failing:
		return syscall.EIO
	case to != p.level:
		p.world.edges = append(p.world.edges, seen{p.name, p.level, to})
		p.level = to
	}
	p.held = true
	return nil
}

// unplug takes the chip away, and all that was known of the line.
func (p *pin) unplug() {
	p.unplugged, p.dead, p.level = true, true, unknown
}

// mend makes the pin usable again.
func (p *pin) mend() { p.failing, p.unplugged = false, false }

// ended is what the end of a daemon does to the lines.
func (w *world) ended() {
	for _, p := range w.pins {
		if !w.keeps || p.dead {
			p.released()
		}
	}
}

// boot is a power-on.
func (w *world) boot() {
	for _, p := range w.pins {
		p.released()
	}
}

func (p *pin) released() { p.level, p.held, p.dead = unknown, false, false }

// A hand is one daemon's hold on a pin. It is a relay.Line. A daemon that was
// killed moves nothing any more.
type hand struct {
	*pin
	killed *bool
	step   func() // is called before and behind each level that is driven
}

func (h hand) Name() string { return h.name }

func (h hand) Out(l gpio.Level) error {
	switch {
	case *h.killed:
		return nil
	case h.dead:
		return syscall.ENODEV
	}
	if h.step(); *h.killed {
		return nil
	}
	defer h.step()
	return h.drive(l)
}

func (h hand) Held() (gpio.Level, bool) {
	return gpio.Level((h.level == on) != h.activeLow), h.held && h.level != unknown
}

func (h hand) Claim(l, _ gpio.Level) error { return h.Regain(l) }

func (h hand) Regain(l gpio.Level) error {
	if *h.killed {
		return nil
	}
	err := h.drive(l)
	if err == nil {
		h.dead = false
	}
	return err
}

func (h hand) Release() error { return nil }
