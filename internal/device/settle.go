package device

import (
	"maps"
	"time"

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

// settle saves what has changed, then acknowledges what has taken effect. In this
// order a daemon that is killed in between gets the message again, and not a relay
// that forgot it. A disk that takes nothing does not hold up the acknowledgement:
// the hub would deliver a toggle once a minute for as long as the disk is full.
func (d *Device) settle(now time.Time) {
	d.save(now)
	d.acknowledge(now)
	d.behind, d.pause = 0, time.Time{}
}

// save writes the state if it differs from the saved one.
func (d *Device) save(now time.Time) {
	state := d.state()
	if state.equal(d.saved) {
		return
	}
	state.Settings = d.o.Commands.Saving()
	if _, err := d.o.Store.Save(StateFile, state); err != nil {
		d.o.Log.Error("state not saved: after a restart the relays would return to what was saved before", "err", err)
		return
	}
	d.saved = state
	if d.syncAt.IsZero() {
		d.syncAt = now.Add(syncAfter)
	}
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

// acknowledge lets the hub forget the messages whose commands have run, in order
// of arrival (contract 4.2).
func (d *Device) acknowledge(now time.Time) {
	for len(d.unacked) > 0 {
		w := d.unacked[0]
		if d.o.Commands.Pending(w.command.Cause) && now.Before(w.until) {
			return
		}
		d.o.Hub.Ack(w.message)
		d.unacked = d.unacked[1:]
	}
}

// owes reports whether a command that came in is still being worked off.
func (d *Device) owes() bool {
	for _, w := range d.unacked {
		if d.o.Commands.Pending(w.command.Cause) {
			return true
		}
	}
	return false
}

// sync flushes the store to the disk.
func (d *Device) sync() {
	d.syncAt = time.Time{}
	if err := d.o.Store.Sync(); err != nil {
		d.o.Log.Error("state not flushed to the disk", "err", err)
	}
}
