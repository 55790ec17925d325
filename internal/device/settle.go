package device

import (
	"errors"
	"time"
)

// settle saves what has changed, then acknowledges what has taken effect. In this
// order a daemon that is killed in between gets the message again, and not a relay
// that forgot it. A disk that takes nothing does not hold up the acknowledgement:
// the hub would deliver a toggle once a minute for as long as the disk is full.
func (d *Device) settle(now time.Time) {
	d.behind, d.pause = 0, time.Time{}
	if err := d.save(now); err != nil {
		d.o.Log.Error("state not saved: after a restart the relays would return to what was saved before",
			"err", err, "retry_in", saveAgain)
		d.pause = now.Add(saveAgain)
	}
	d.acknowledge(now)
	d.answer(now)
}

// save writes what has happened and what that led to, if there is anything new.
// The edges come first: a saved state never lacks the record of how it came about.
// If they cannot be written the state is all the same.
func (d *Device) save(now time.Time) error {
	edges, err := d.o.Edges.Save()
	state, err2 := d.saveState()
	if (edges || state) && d.syncAt.IsZero() {
		d.syncAt = now.Add(syncAfter)
	}
	return errors.Join(err, err2)
}

// saveState writes the state if it differs from the saved one, and reports whether
// it did.
func (d *Device) saveState() (bool, error) {
	state := d.state()
	if state.equal(d.saved) {
		return false, nil
	}
	state.Settings = d.o.Commands.Saving()
	if _, err := d.o.Store.Save(StateFile, state); err != nil {
		return false, err
	}
	d.saved = state
	return true, nil
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
	for _, a := range d.asked {
		if d.waits(time.Now(), a) {
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
