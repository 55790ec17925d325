package device

import (
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/twin"
)

// TwinFile is the name under which the store keeps what came of desired properties.
const TwinFile = "twin"

// A shadow is the device's side of its twin.
type shadow struct {
	memory twin.Memory // what came of desired properties
	saved  twin.Memory

	have     twin.Document // the hub's copy of what is reported; nil while it is not known
	sent     twin.Document // the patch whose outcome is not known; nil if there is none
	whole    bool          // nothing was reported in this session
	lookAt   time.Time     // when to look what has changed, or zero
	lookedAt time.Time
	sessions int
	failure  *twin.Failure
}

// remember loads what came of desired properties.
func (d *Device) remember() {
	d.shadow.whole = true
	if _, err := d.o.Store.Load(TwinFile, &d.shadow.memory); err != nil {
		d.o.Log.Error("it is not known which desired properties were applied: all of them are applied again", "err", err)
	}
	if d.shadow.memory == nil {
		d.shadow.memory = make(twin.Memory)
	}
	d.shadow.saved = maps.Clone(d.shadow.memory)
}

// twinEvent deals with what the hub says about the twin.
func (d *Device) twinEvent(now time.Time, ev hub.Event) {
	s := &d.shadow
	switch ev := ev.(type) {
	case hub.Twin:
		d.spend(now, len(ev.Desired)+len(ev.Reported))
		have, err := twin.Parse(ev.Reported)
		todo, gone, err2 := twin.Changes(ev.Desired, s.memory, d.settings())
		if err != nil || err2 != nil {
			d.o.Log.Warn("twin not understood", "reported", err, "desired", err2)
			return
		}
		s.have, s.sent = have, nil
		d.desire(now, todo, gone, ev.DesiredVersion)
	case hub.Desired:
		d.spend(now, len(ev.Patch))
		todo, gone, err := twin.Patch(ev.Patch, s.memory, d.settings())
		if err != nil {
			d.o.Log.Warn("desired properties not understood", "version", ev.Version, "err", err)
			return
		}
		d.desire(now, todo, gone, ev.Version)
	case hub.Reported:
		if s.sent == nil {
			return
		}
		if ev.Err == nil || ev.Refused() { // to repeat what was refused would not help
			s.have = twin.Merge(s.have, s.sent)
		} else {
			s.have = nil // the hub tells it again
		}
		s.sent = nil
	}
	d.changed(now)
}

// forget is for the end of a session: nothing is known of the hub's copy.
func (s *shadow) forget() { s.have, s.sent, s.lookAt, s.whole = nil, nil, time.Time{}, true }

// desire runs what desired properties ask for, and takes down what came of each. A
// daemon that is killed in between does it again: to want a state twice is no harm.
func (d *Device) desire(now time.Time, todo []twin.Wish, gone []string, version int64) {
	for _, w := range todo {
		d.seq++
		why := cause.Cause{Door: cause.Twin, ID: strconv.FormatInt(version, 10), Seq: d.seq}
		d.shadow.memory[w.Path] = twin.Entry{Want: w.Want, Ack: d.grant(now, w, why, version)}
	}
	for _, path := range gone {
		delete(d.shadow.memory, path)
	}
	d.failing(now, d.saveTwin())
}

// grant runs what one desired property asks for.
func (d *Device) grant(now time.Time, w twin.Wish, why cause.Cause, version int64) twin.Ack {
	ack := twin.Ack{Value: w.Want, Status: statusRejected, Version: version}
	switch {
	case errors.Is(w.Err, twin.ErrUnknown):
		ack.Status, ack.Text = statusUnknown, w.Err.Error()
	case w.Err != nil:
		ack.Text = w.Err.Error()
	default:
		c := commands.Parse(w.Command, w.Arg)
		c.Cause = why
		_, err := d.run(now, c, origin{})
		ack.Status, ack.Text = status(err, why), "ok"
		if err != nil {
			ack.Text = shorten(err.Error())
		}
	}
	if w.Err != nil {
		d.o.Log.Warn("desired property not applied", "property", shorten(w.Path), "value", shorten(string(w.Want)), "cause", why.String(), "err", w.Err)
	}
	if value, text, ok := d.inForce(w); ok {
		ack.Value = json.RawMessage(value)
		if ack.Status == statusOK && text != w.Arg && number(w.Arg) {
			ack.Text = "in force is " + text // what a command does with a value out of its range
		}
	}
	return ack
}

// number reports whether a text is one, and not a word.
func number(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

// inForce returns the value of what w desires, as JSON in the form of its place and
// as the argument of a command. A relay or a setting that there is not has none.
func (d *Device) inForce(w twin.Wish) (value, text string, ok bool) {
	c := commands.Parse(w.Command, "")
	if c.Name == "POWER" {
		if c.Index > d.o.Relays.Len() {
			return "", "", false
		}
		return power(d.o.Relays.On(c.Index-1), strings.HasPrefix(w.Path, "relays/"))
	}
	for _, set := range d.settings() {
		if strings.EqualFold(set.Name, w.Command) {
			text := strconv.Itoa(set.Value)
			return text, text, true
		}
	}
	return "", "", false
}

// power is the state of a relay in words, or as Plug and Play has it.
func power(on, words bool) (value, text string, ok bool) {
	text = "OFF"
	if on {
		text = "ON"
	}
	if words {
		return strconv.Quote(text), text, true
	}
	return strconv.FormatBool(on), text, true
}

// settings are those that the twin may change.
func (d *Device) settings() []twin.Setting {
	var all []twin.Setting
	for _, s := range d.o.Commands.Settings().List() {
		all = append(all, twin.Setting(s))
	}
	return all
}
