package journal

import (
	"encoding/json"
	"strconv"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/edges"
)

// append appends r as encoding/json would write it, for that is what reads it. It is
// done by hand because it is half of what a command costs the journal: each is
// written twice, before the pin moves and when it is done.
func (r record) append(b []byte) []byte {
	l := line{append(b, '{')}
	switch {
	case r.Epoch != "":
		l.text("epoch", r.Epoch)
	case r.Decide != nil:
		l.key("decide")
		l.decision(*r.Decide)
	case r.Done != nil:
		l.key("done")
		l.outcome(r.Done)
	case r.Past != nil:
		l.key("past")
		l.outcome(r.Past)
	case r.Sent != 0:
		l.number("sent", r.Sent)
	}
	return append(l.b, '}')
}

// A line is a record being written. Its methods are named for what they write, and put a
// comma where one is needed.
type line struct{ b []byte }

func (l *line) decision(d Decision) {
	l.open()
	l.cause("cause", d.Cause)
	l.text("pin", d.Pin)
	l.truth("on", d.On)
	l.close('}')
}

func (l *line) outcome(o *Outcome) {
	l.open()
	l.time("at", o.At)
	if o.Start {
		l.truth("start", true)
	}
	values(l, "commands", o.Commands, (*line).command)
	values(l, "edges", o.Edges, (*line).edge)
	values(l, "answers", o.Answers, (*line).answer)
	if len(o.State) > 0 {
		l.key("state")
		l.b = append(l.b, o.State...)
	}
	l.close('}')
}

// values writes a list, unless it is empty.
func values[T any](l *line, name string, all []T, write func(*line, *T)) {
	if len(all) == 0 {
		return
	}
	l.key(name)
	l.b = append(l.b, '[')
	for i := range all {
		write(l, &all[i])
	}
	l.close(']')
}

func (l *line) command(c *Command) {
	l.open()
	l.cause("cause", c.Cause)
	if c.Open {
		l.truth("open", true)
	}
	if c.Line != "" {
		l.text("line", c.Line)
	}
	if !c.Made.IsZero() {
		l.time("made", c.Made)
	}
	if !c.Arrived.IsZero() {
		l.time("arrived", c.Arrived)
	}
	if len(c.Properties) > 0 {
		l.key("properties")
		l.open()
		for name, value := range c.Properties {
			l.key(name)
			l.b = appendText(l.b, value)
		}
		l.close('}')
	}
	l.close('}')
}

func (l *line) edge(e *edges.Edge) {
	l.open()
	l.number("seq", e.Seq)
	l.time("time", e.Time)
	l.number("relay", uint64(max(e.Relay, 0)))
	l.text("name", e.Name)
	l.text("pin", e.Pin)
	if e.From == nil {
		l.key("from")
		l.b = append(l.b, "null"...)
	} else {
		l.truth("from", *e.From)
	}
	l.truth("to", e.To)
	l.cause("cause", e.Cause)
	l.close('}')
}

func (l *line) answer(a *Answer) {
	l.open()
	l.number("n", a.Number)
	l.text("topic", a.Topic)
	l.text("body", a.Body)
	if a.CorrelationID != "" {
		l.text("cid", a.CorrelationID)
	}
	if a.Component != "" {
		l.text("sub", a.Component)
	}
	l.time("at", a.At)
	l.close('}')
}

// open begins an object, which close ends.
func (l *line) open() {
	l.comma()
	l.b = append(l.b, '{')
}

func (l *line) close(c byte) { l.b = append(l.b, c) }

// comma is called before each member of an object and each value of a list.
func (l *line) comma() {
	if last := l.b[len(l.b)-1]; last != '{' && last != '[' && last != ':' {
		l.b = append(l.b, ',')
	}
}

func (l *line) key(name string) {
	l.comma()
	l.b = append(appendText(l.b, name), ':')
}

func (l *line) text(name, value string) {
	l.key(name)
	l.b = appendText(l.b, value)
}

func (l *line) number(name string, n uint64) {
	l.key(name)
	l.b = strconv.AppendUint(l.b, n, 10)
}

func (l *line) truth(name string, is bool) {
	l.key(name)
	l.b = strconv.AppendBool(l.b, is)
}

func (l *line) cause(name string, c cause.Cause) {
	l.key(name)
	l.open()
	l.text("door", string(c.Door))
	if c.ID != "" {
		l.text("id", c.ID)
	}
	if c.Seq != 0 {
		l.number("seq", c.Seq)
	}
	l.close('}')
}

// time writes t, or no time where t could not be read: the year of JSON's times has
// four digits.
func (l *line) time(name string, t time.Time) {
	l.key(name)
	if y := t.Year(); y < 0 || y > 9999 {
		t = time.Time{}
	}
	l.b = append(t.AppendFormat(append(l.b, '"'), time.RFC3339Nano), '"')
}

// appendText appends s in quotes. What is more than ASCII and quotes is rare, and left
// to encoding/json.
func appendText(b []byte, s string) []byte {
	start := len(b)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~':
			text, err := json.Marshal(s)
			if err != nil {
				panic(err) // a text can always be written
			}
			return append(b[:start], text...)
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
