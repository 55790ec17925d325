package device

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/store"
)

// StateFile is the name under which the store keeps State.
const StateFile = "state"

// State is what outlives the daemon: the relays by the pin they are wired to, so
// that a reordered configuration moves none, and what commands have changed.
//
// It is saved once in a while; what happened since is in the journal.
type State struct {
	Relays   map[string]bool   `json:"relays"`
	Settings commands.Settings `json:"settings"`
	Backlog  commands.Backlog  `json:"backlog,omitzero"`
	Pins     []string          `json:"pins,omitempty"`    // of the relays that the numbers in Backlog mean
	Empty    time.Time         `json:"empty,omitzero"`    // when the hub's queue was last certainly empty
	BootID   string            `json:"boot_id,omitempty"` // of the kernel that saw this state
	Spent    Spent             `json:"spent,omitzero"`    // of the day's messages
	Journal  uint64            `json:"journal,omitempty"` // number of the newest record that it knows of

	cut map[string]cause.Cause // of each pin: who decided what the last run was killed over
}

// Load returns the state as the last run of the daemon left it, however that ended,
// and the open journal.
func Load(s *store.Store) (State, *journal.Journal, error) {
	var state State
	if _, err := s.Load(StateFile, &state); err != nil {
		return state, nil, err
	}
	j, err := journal.Open(s, state.Journal)
	if err != nil {
		return state, nil, err
	}
	outcomes, cut := j.Since(state.Journal)
	var newest json.RawMessage
	for _, o := range outcomes {
		state = state.after(o.Edges)
		if len(o.State) == 0 {
			continue
		}
		var later State
		if json.Unmarshal(o.State, &later) == nil { // else it is a later release's
			state, newest = later, o.State
		}
	}
	if newest != nil {
		s.Keep(StateFile, newest, state)
	}
	state.cut = make(map[string]cause.Cause)
	for _, d := range cut {
		state = state.with(d.Pin, d.On)
		state.cut[d.Pin] = d.Cause
	}
	return state, j, nil
}

// Cut returns who decided about the relay on pin when the last run of the daemon was
// killed. What it decided is in the state already, and may not be on the pin yet.
func (s State) Cut(pin string) (cause.Cause, bool) {
	why, ok := s.cut[pin]
	return why, ok
}

// after returns the state that s became by these edges. What a stop switched off
// comes back at the next start.
func (s State) after(moved []edges.Edge) State {
	for _, e := range moved {
		if e.Cause.Door != cause.Stop && e.Cause.Door != cause.Removed {
			s = s.with(e.Pin, e.To)
		}
	}
	return s
}

// with returns s with one relay as it is now. With SetOption0 0 every relay is saved
// as off (language reference, section 2.7).
func (s State) with(pin string, on bool) State {
	relays := make(map[string]bool, len(s.Relays)+1)
	maps.Copy(relays, s.Relays)
	relays[pin] = on && s.Settings.SaveState()
	s.Relays = relays
	return s
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

// state is what would have to be known if the daemon ended now. It has the map of
// known, if the relays are as that says.
func (d *Device) state(now time.Time, known State) State {
	s := State{
		Settings: d.o.Commands.Settings(),
		Backlog:  d.o.Commands.Backlog(now), BootID: d.o.BootID, Spent: d.meter.saying(d.ending),
	}
	if len(s.Backlog.Commands) > 0 {
		s.Pins = d.o.Pins
	}
	if d.o.Guarded {
		s.Empty = d.queue.saying(now, d.o.Wall(now), d.ending)
	}
	s.Relays = d.levels(known.Relays, s.Settings.SaveState())
	return s
}

// levels is how the relays are saved: known, if that says it, and else a new map.
func (d *Device) levels(known map[string]bool, keep bool) map[string]bool {
	same := len(known) == d.o.Relays.Len()
	for i, pin := range d.o.Pins {
		on, ok := known[pin]
		same = same && ok && on == (keep && d.o.Relays.On(i))
	}
	if same {
		return known
	}
	all := make(map[string]bool, len(d.o.Pins))
	for i, pin := range d.o.Pins {
		all[pin] = keep && d.o.Relays.On(i)
	}
	return all
}

func (s State) equal(o State) bool {
	return s.Settings == o.Settings && s.BootID == o.BootID && s.Empty.Equal(o.Empty) && s.Spent == o.Spent && s.Backlog.Equal(o.Backlog) &&
		slices.Equal(s.Pins, o.Pins) && maps.Equal(s.Relays, o.Relays)
}

// text is s as the journal has it, with what a later release knows of it.
func (d *Device) text(s State) json.RawMessage {
	text, err := d.o.Store.Pack(StateFile, s)
	if err != nil {
		panic(fmt.Sprintf("a state that cannot be written: %v", err)) // it has nothing but numbers and texts
	}
	return text
}
