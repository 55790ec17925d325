package device

import (
	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/journal"
)

// Relays are relays that move only after the journal says that they will. Use Noted.
type Relays struct {
	commands.Relays
	journal *journal.Journal
	pins    []string
	moved   []bool       // by a command of this run
	shown   map[int]bool // what relays were to a command that runs again
}

// Noted returns the relays as the interpreter is to have them. What a command makes
// of one is in the journal before the pin moves. A command that runs again, because
// the daemon was killed under it, meets what it decided then, and does not decide
// anew: a toggle that was to switch on switches on. pins are the proper names of the
// relays' pins.
func Noted(r commands.Relays, j *journal.Journal, pins []string) *Relays {
	return &Relays{Relays: r, journal: j, pins: pins, moved: make([]bool, len(pins)), shown: make(map[int]bool)}
}

// On reports whether relay i is closed, or was when the command that runs again came
// that far.
func (n *Relays) On(i int) bool {
	if on, ok := n.shown[i]; ok {
		return on
	}
	return n.Relays.On(i)
}

// Set switches relay i.
func (n *Relays) Set(i int, on bool, why cause.Cause) error {
	if decided, last, ok := n.journal.Decided(why, n.pins[i]); ok {
		return n.repeat(i, decided, last, why)
	}
	delete(n.shown, i)
	if on != n.Relays.On(i) {
		// If it cannot be noted the relay moves all the same, and the device says
		// what that may cost: it cannot note the outcome either.
		_ = n.journal.Decide(journal.Decision{Cause: why, Pin: n.pins[i], On: on})
		n.moved[i] = true
	}
	return n.Relays.Set(i, on, why)
}

// repeat is what was decided before. Only the last of it is driven, and not even
// that if another command has moved the relay since.
func (n *Relays) repeat(i int, on, last bool, why cause.Cause) error {
	n.shown[i] = on
	if !last || n.moved[i] {
		return nil
	}
	return n.Relays.Set(i, on, why)
}

// ran is told that a command is done: relays show themselves as they are.
func (n *Relays) ran() { clear(n.shown) }
