package device

import (
	"maps"

	"tasmota-azd/internal/commands"
)

// StateFile is the name under which the store keeps State.
const StateFile = "state"

// State is what outlives the daemon: the relays by the pin they are wired to, so
// that a reordered configuration moves none, and the settings that commands change.
type State struct {
	Relays   map[string]bool   `json:"relays"`
	Settings commands.Settings `json:"settings"`
	BootID   string            `json:"boot_id,omitempty"` // of the kernel that saw this state
}

// PowerOn reports whether the machine was started since s was saved: bootID is that
// of the running kernel. Where it cannot be told the machine was not.
func (s State) PowerOn(bootID string) bool {
	return bootID != "" && bootID != s.BootID
}

// Wanted returns what the relay on pin is to be driven to at a start (language
// reference, section 2.4). One of which nothing was saved is on only if it would be
// so whatever was saved: it has no opposite that PowerOnState 2 could mean.
func (s State) Wanted(pin string, powerOn bool) bool {
	on, known := s.Relays[pin]
	if !known {
		return s.Settings.Wanted(false, powerOn) && s.Settings.Wanted(true, powerOn)
	}
	return s.Settings.Wanted(on, powerOn)
}

// state is what has to be saved now. With SetOption0 0 every relay is saved as off
// (language reference, section 2.7).
func (d *Device) state() State {
	s := State{Relays: make(map[string]bool, d.o.Relays.Len()), Settings: d.o.Commands.Settings(), BootID: d.o.BootID}
	keep := s.Settings.SaveState()
	for i := range d.o.Relays.Len() {
		s.Relays[d.o.Pins[i]] = keep && d.o.Relays.On(i)
	}
	return s
}

func (s State) equal(o State) bool {
	return s.Settings == o.Settings && s.BootID == o.BootID && maps.Equal(s.Relays, o.Relays)
}
