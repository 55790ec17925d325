package device

import (
	"encoding/json"
	"errors"
	"maps"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/twin"
)

const (
	// reportEvery is the least time between two patches, as each counts against the
	// quota (contract, section 6.4); reportAfter lets what changes together go out
	// together.
	reportEvery = 5 * time.Second
	reportAfter = 200 * time.Millisecond
	// trusted is before any time at which this program can run: an edge of before is
	// from a clock that was not set yet.
	trusted = 1735689600 // 2025-01-01
)

// changed has what is reported looked at, soon but not too often.
func (d *Device) changed(now time.Time) {
	s := &d.shadow
	if s.have == nil || s.sent != nil || !s.lookAt.IsZero() {
		return // Reported or Twin comes back to it
	}
	s.lookAt = now.Add(reportAfter)
	if at := s.lookedAt.Add(reportEvery); at.After(s.lookAt) {
		s.lookAt = at
	}
}

// report sends what differs from the hub's copy.
func (d *Device) report(now time.Time) {
	s := &d.shadow
	s.lookAt, s.lookedAt = time.Time{}, now
	if s.have == nil || s.sent != nil {
		return
	}
	doc := d.reported().Document()
	patch, whole := twin.Diff(s.have, doc), s.whole
	s.whole = false
	switch {
	case len(patch) == 0:
		return
	case whole: // the copy may be another daemon's, or of long ago: all of it is said anew
		patch = twin.Whole(s.have, doc)
	}
	text, err := json.Marshal(patch)
	if err != nil {
		panic(err) // a document is what JSON can hold
	}
	if !d.mayspend(now, len(text), changes) {
		return // until something else changes, or the next day
	}
	s.sent = patch
	d.o.Hub.Report(text)
}

// reported is all that the twin shows of the device.
func (d *Device) reported() twin.State {
	machine, facts := d.o.Commands.Machine()
	s := twin.State{
		Relays: d.relays(), Settings: d.settings(), Failure: d.shadow.failure, Memory: d.shadow.memory,
		Daemon:   twin.Daemon{Version: machine.Version, Built: machine.BuildTime, Go: machine.SDK},
		Board:    twin.Board{Model: machine.Hardware, OS: machine.Core},
		Network:  twin.Network{Hostname: facts.Hostname, IP: facts.IPAddress, MAC: facts.MAC},
		Counters: twin.Counters{Boots: d.o.Commands.Settings().BootCount, Sessions: d.shadow.sessions},
	}
	if facts.Wifi != nil {
		s.Network.SSID = facts.Wifi.SSID
	}
	return s
}

// relays are the relays with what is known of their last move.
func (d *Device) relays() []twin.Relay {
	moved := d.lastMoves()
	all := make([]twin.Relay, d.o.Relays.Len())
	for i, name := range d.o.Commands.Names() {
		pin := d.o.Pins[i]
		all[i] = twin.Relay{On: d.o.Relays.On(i), Name: shorten(name), Pin: pin, Since: moved[pin].at, Cause: moved[pin].why}
		if err := d.o.Relays.Fault(i); err != nil {
			all[i].Fault = shorten(err.Error())
		}
	}
	return all
}

// A move is when and why a relay got where it is.
type move struct {
	at  time.Time
	why string
	on  bool
}

// lastMoves returns the last move of each pin, as far as it is on record. That a
// daemon which starts drives a relay to where it was is none.
func (d *Device) lastMoves() map[string]move {
	moves := make(map[string]move)
	for _, e := range d.o.Journal.Edges(edges.Most) {
		again := e.Cause.Door == cause.Start || e.Cause.Door == cause.Adopted
		if before, ok := moves[e.Pin]; ok && again && before.on == e.To {
			continue
		}
		m := move{why: e.Cause.String(), on: e.To}
		if e.Time.Unix() >= trusted {
			m.at = e.Time
		}
		moves[e.Pin] = m
	}
	return moves
}

// fail notes what went wrong, unless it is the sender's affair.
func (d *Device) fail(now time.Time, err error, why cause.Cause) {
	if err == nil || d.dealtWith(err) {
		return
	}
	if queued, ok := errors.AsType[*commands.BacklogError](err); ok {
		why = queued.Cause
	}
	d.shadow.failure = &twin.Failure{Text: shorten(err.Error()), Time: d.o.Wall(now), Cause: why.String()}
}

// saveTwin writes what came of desired properties, if there is anything new.
func (d *Device) saveTwin() error {
	s := &d.shadow
	if s.memory.Equal(s.saved) {
		return nil
	}
	if _, err := d.o.Store.Save(TwinFile, s.memory); err != nil {
		return err
	}
	s.saved = maps.Clone(s.memory)
	return nil
}
