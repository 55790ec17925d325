package device

import (
	"context"
	"strconv"
	"strings"
	"time"

	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/journal"
)

// calm is how long a session has to stand until nobody is suspected any more to have cut
// the ones before short.
const calm = 2 * time.Minute

// A Status is what the device knows of itself.
type Status struct {
	Device   string        `json:"device,omitempty"` // its id, once a session stood
	Relays   []RelayStatus `json:"relays"`
	Session  Session       `json:"session"`
	Owed     int           `json:"owed"`           // answers that the hub has not got
	Lost     int           `json:"lost,omitempty"` // messages that the hub's queue had no room for
	Backlog  int           `json:"backlog"`        // commands still to come
	Spent    Spent         `json:"spent,omitzero"` // of the day's messages
	Limit    int           `json:"daily_limit,omitempty"`
	Failure  string        `json:"failure,omitempty"` // the last one that was not a sender's mistake
	FailedAt time.Time     `json:"failed_at,omitzero"`
}

// A RelayStatus is one relay.
type RelayStatus struct {
	Number int       `json:"number"` // from 1, as in Power1
	Name   string    `json:"name"`
	Pin    string    `json:"pin"`
	On     bool      `json:"on"`
	Since  time.Time `json:"since,omitzero"` // unknown if zero
	Cause  string    `json:"cause,omitempty"`
	Fault  string    `json:"fault,omitempty"` // why it cannot be driven just now
}

// A Session is how it stands with the hub.
type Session struct {
	Connected bool      `json:"connected"`
	Host      string    `json:"host,omitempty"`
	Since     time.Time `json:"since,omitzero"`  // of this state, by the proven clock
	Why       string    `json:"why,omitempty"`   // there is none
	Sessions  int       `json:"sessions"`        // since the start
	Rival     bool      `json:"rival,omitempty"` // another client is likely to use this device id: sessions are cut short, one after the other
}

// Status returns how the device fares. It may be called from any goroutine while Run
// runs.
func (d *Device) Status(ctx context.Context) (s Status, err error) {
	err = d.do(ctx, func(now time.Time) {
		s = Status{
			Device: d.session.device, Session: d.session.Session, Owed: len(d.o.Journal.Owed()), Lost: d.dropped,
			Backlog: len(d.o.Commands.Backlog(now).Commands), Spent: d.meter.spent, Limit: d.meter.limit,
		}
		s.Session.Sessions = d.shadow.sessions
		if s.Session.Connected && d.o.Wall(now).Sub(s.Session.Since) > calm {
			s.Session.Rival = false
		}
		for i, r := range d.relays() {
			s.Relays = append(s.Relays, RelayStatus{
				Number: i + 1, Name: r.Name, Pin: r.Pin, On: r.On, Since: r.Since, Cause: r.Cause, Fault: r.Fault,
			})
		}
		if f := d.shadow.failure; f != nil {
			s.Failure, s.FailedAt = f.Text, f.Time
		}
	})
	return s, err
}

// standing is what Status tells of the session.
type standing struct {
	Session
	device string
}

// note takes up an event, and reports whether there is something to tell.
func (s *standing) note(wall time.Time, ev hub.Event) bool {
	was := s.Session
	switch ev := ev.(type) {
	case hub.Connected:
		s.Connected, s.Host, s.Why, s.device = true, ev.Host, "", ev.DeviceID
	case hub.Disconnected:
		if ev.Renewal {
			return false
		}
		s.Connected, s.Why, s.Rival = false, ev.Err.Error(), ev.Rival
	}
	if s.Connected != was.Connected || s.Since.IsZero() && s.Session != was {
		s.Since = wall
	}
	return s.Session != was
}

// A Why is one move of a relay and how it came about.
type Why struct {
	Edge    edges.Edge      `json:"edge"`
	Command journal.Command `json:"command,omitzero"` // what wanted it; zero if it was no command, or one that is forgotten
	Done    time.Time       `json:"done,omitzero"`    // when it had taken effect
	Answers []WhyAnswer     `json:"answers,omitempty"`
}

// A WhyAnswer is an answer, and whether the hub has it.
type WhyAnswer struct {
	Topic string    `json:"topic"`
	Body  string    `json:"body"`
	At    time.Time `json:"at"`
	Sent  bool      `json:"sent"` // the hub has acknowledged it
}

// Why returns the last moves of a relay, at most most of them, oldest first. relay is
// counted from 1. It may be called from any goroutine while Run runs.
func (d *Device) Why(ctx context.Context, relay, most int) (all []Why, err error) {
	err = d.do(ctx, func(time.Time) {
		if relay < 1 || relay > len(d.o.Pins) {
			return // the file is another since it was asked for
		}
		for _, e := range d.o.Journal.Edges(edges.Most) {
			if e.Pin != d.o.Pins[relay-1] { // its number may have been another's
				continue
			}
			w := Why{Edge: e}
			if r, ok := d.o.Journal.Chain(e.Cause); ok {
				w.Command, w.Done = r.Command, r.At
				for _, a := range r.Answers {
					w.Answers = append(w.Answers, WhyAnswer{Topic: a.Topic, Body: a.Body, At: a.At, Sent: !d.o.Journal.Owes(a.Number)})
				}
			}
			all = append(all, w)
		}
	})
	return all[max(len(all)-most, 0):], err
}

// RelayNumber finds a relay by its number, "1" or "relay1" or "Power1", or by its name
// or pin, in any letter case; 0 if there is none. It may be called from any goroutine
// while Run runs.
func (d *Device) RelayNumber(ctx context.Context, text string) (n int, err error) {
	err = d.do(ctx, func(time.Time) { n = d.number(strings.ToLower(text)) })
	return n, err
}

func (d *Device) number(text string) int {
	for i := range d.o.Pins {
		for _, known := range []string{strconv.Itoa(i + 1), "relay" + strconv.Itoa(i+1), "power" + strconv.Itoa(i+1), strings.ToLower(d.name(i)), strings.ToLower(d.o.Pins[i])} {
			if text == known && text != "" {
				return i + 1
			}
		}
	}
	return 0
}
