package device

import (
	"errors"
	"slices"
	"time"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/twin"
)

// begin takes up what the last run left: it finishes what a command had decided when
// the daemon was killed, and sends what the hub has not got.
func (d *Device) begin(now time.Time) {
	d.renumber(now, d.o.State.Pins, d.o.Pins)
	cut := make(map[string][]journal.Decision)
	for _, w := range d.o.Journal.Unfinished() {
		cut[w.Pin] = append(cut[w.Pin], w)
	}
	driven := make(map[string]bool) // by this start
	for _, e := range d.o.Journal.Unsaved() {
		driven[e.Pin] = true
	}
	for i, pin := range d.o.Pins {
		d.finishOff(now, i, cut[pin], driven[pin])
	}
	d.note(now, journal.Outcome{Start: true})
	d.save(now)
	if owed := d.o.Journal.Owed(); len(owed) > 0 {
		d.o.Log.Info("messages from before the start are still to be sent", "messages", len(owed))
		d.sendOwed(now)
	}
}

// sendOwed sends what the hub was not given yet.
func (d *Device) sendOwed(now time.Time) {
	for _, a := range d.o.Journal.Owed() {
		if a.Number > d.handed {
			d.sendAgain(now, a, a.Number)
		}
	}
}

// finishOff makes of a relay what was decided when the daemon was killed, and takes
// down the edges that it could not take down any more. Each decision was made when
// the pin had moved by the one before; whether it has by the last one its level
// tells, if nobody has driven it since. After a power-on PowerOnState decides: there
// the hub delivers the message again.
func (d *Device) finishOff(now time.Time, i int, cut []journal.Decision, driven bool) {
	if len(cut) == 0 || d.o.State.PowerOn(d.o.BootID) {
		return
	}
	last := cut[len(cut)-1]
	moved := d.o.Relays.On(i) == last.On
	for n, w := range cut {
		if n < len(cut)-1 || moved && !driven {
			d.o.Journal.Edge(edges.Edge{Time: now, Relay: i + 1, Name: d.name(i), Pin: w.Pin, From: new(!w.On), To: w.On, Cause: w.Cause})
		}
	}
	if !moved {
		err := d.o.Relays.Relays.Set(i, last.On, last.Cause)
		d.o.Log.Warn("the daemon was killed when it was about to switch a relay; this is done now",
			"relay", i+1, "on", last.On, "cause", last.Cause.String(), "err", err)
	}
}

// name is what the owner calls a relay.
func (d *Device) name(i int) string {
	if i < len(d.o.Names) {
		return d.o.Names[i]
	}
	return ""
}

// note writes down what came of commands, and of whatever else happened since. The
// answers get their numbers.
func (d *Device) note(now time.Time, o journal.Outcome) []journal.Answer {
	d.o.Relays.ran()
	d.changed(now)
	known := d.noted.after(d.o.Journal.Unsaved())
	state := d.state(now, known)
	changed := !state.equal(known)
	if changed {
		o.State = d.text(state)
	} else if !o.Start && len(o.Commands) == 0 && len(o.Answers) == 0 && len(d.o.Journal.Unsaved()) == 0 {
		return nil
	}
	o.At = d.o.Wall(now).UTC()
	answers, err := d.o.Journal.Done(o)
	if err == nil {
		d.noted = state
	}
	d.failing(now, err)
	if d.syncAt.IsZero() {
		d.syncAt = now.Add(syncAfter)
	}
	return answers
}

// outcome is what commands and their replies are to the journal: each command once,
// and what it has to say.
func (d *Device) outcome(now time.Time, first []journal.Command, replies []commands.Reply) journal.Outcome {
	var o journal.Outcome
	o.Commands = append(o.Commands, first...)
	at := d.o.Wall(now).UTC()
	for _, r := range replies {
		if !kept(r) {
			continue
		}
		if !ran(o.Commands, r) {
			o.Commands = append(o.Commands, journal.Command{Cause: r.Cause})
		}
		o.Answers = append(o.Answers, journal.Answer{
			Topic: d.topic.full(r.Tele, r.Topic), Body: r.Body, CorrelationID: correlation(r.Cause), Component: twin.Component(r.Relay), At: at,
		})
	}
	for i, c := range o.Commands {
		o.Commands[i].Open = d.o.Commands.Pending(c.Cause)
	}
	return o
}

// kept tells whether a reply is kept until the hub has it: what a command led to is,
// what the calendar or a connection wants is not.
func kept(r commands.Reply) bool { return !r.Periodic && r.Cause.Door != "" }

func ran(list []journal.Command, r commands.Reply) bool {
	for _, c := range list {
		if c.Cause == r.Cause {
			return true
		}
	}
	return false
}

// settle notes what happened by itself, and how far the hub is.
func (d *Device) settle(now time.Time) {
	d.pause = time.Time{}
	d.note(now, journal.Outcome{})
	oldest, dropped := d.o.Hub.Progress()
	upTo := d.handed
	if oldest != 0 {
		upTo = oldest - 1
	}
	d.failing(now, d.o.Journal.Sent(upTo))
	if (d.o.Journal.Lacks() || d.unsaved.Lasts()) && d.syncAt.IsZero() {
		d.syncAt = now // there may be room again
	}
	d.lost += dropped - d.dropped
	d.dropped = dropped
	d.acknowledge(now)
	d.answer(now)
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
		d.unacked = slices.Delete(d.unacked, 0, 1)
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

// save makes all that was written survive a loss of power. The journal can forget what
// it no longer needs when the state is in its file.
func (d *Device) save(now time.Time) {
	d.syncAt = time.Time{}
	compact := d.o.Journal.Large() || d.o.Journal.Lacks()
	var err error
	if compact || d.saved.Relays == nil || d.o.Journal.Last()-d.saved.Journal >= saveEvery {
		err = d.saveState(now)
	}
	if err == nil && compact {
		err = d.o.Journal.Compact()
	}
	err = errors.Join(err, d.saveTwin(), d.o.Store.Sync())
	d.failing(now, err)
	if err != nil || d.o.Journal.Lacks() {
		return
	}
	if lasted, was := d.unsaved.Over(now); was {
		d.o.Log.Info("state saved again", "lasted", lasted)
	}
}

func (d *Device) saveState(now time.Time) error {
	state := d.state(now, d.saved)
	if state.equal(d.saved) {
		return nil
	}
	state.Settings, state.Journal = d.o.Commands.Saving(), d.o.Journal.Last()
	if _, err := d.o.Store.Save(StateFile, state); err != nil {
		return err
	}
	d.saved, d.noted = state, state
	return nil
}

// failing says that the disk takes nothing, but not each time; save says when it does
// again. A disk that takes nothing does not hold up an acknowledgement: the hub would deliver
// a toggle once a minute for as long as the disk is full.
func (d *Device) failing(now time.Time, err error) {
	if err == nil {
		return
	}
	if d.unsaved.Say(now, "") {
		d.o.Log.Error("state not saved: after a restart the relays would return to what was saved before, "+
			"and a command that the hub delivers again would run again", "err", err, "retry_in", saveAgain, "lasts", d.unsaved.For(now))
	}
	d.pause = earliest(d.pause, now.Add(saveAgain))
}
