package journal

import (
	"slices"
	"time"
)

const (
	// rememberFor is the longest a hub can deliver a message again: its greatest
	// time to live is two days (contract, section 4.2).
	rememberFor = 48 * time.Hour
	// rememberMost bounds the ids, of at most 128 characters each, and answerBytes
	// the answers that are kept with them.
	rememberMost = 4096
	answerBytes  = 256 << 10
)

// ids remembers the messages that took effect, and how they were answered.
type ids struct {
	known map[string]*past
	order []*past // oldest first
	cut   int     // so many of order have lost their answers, for want of room
	bytes int     // of all answers
}

type past struct {
	Past
	at   time.Time
	open bool
}

func newIDs() ids { return ids{known: make(map[string]*past)} }

// get returns what is known of a message.
func (s *ids) get(id string, now time.Time) (Past, bool) {
	p := s.known[id]
	if p == nil || now.Sub(p.at) >= rememberFor {
		return Past{}, false
	}
	return p.Past, true
}

// add takes up the outcome of a message, or of a command in its backlog, and
// forgets what is too old or too much.
func (s *ids) add(c Command, o Outcome) {
	p := s.known[c.Cause.ID]
	if p == nil {
		p = &past{at: o.At}
		s.known[c.Cause.ID] = p
		s.order = append(s.order, p)
	}
	p.open, p.Cause = c.Open, c.Cause
	mine := answersTo(c.Cause.ID, o.Answers)
	for _, a := range mine {
		s.bytes += a.size()
	}
	p.Answers = joined(p.Answers, mine)
	for len(s.order) > rememberMost || o.At.Sub(s.order[0].at) >= rememberFor {
		s.drop(s.order[0])
		delete(s.known, s.order[0].Cause.ID)
		s.order = s.order[1:]
		s.cut = max(s.cut-1, 0)
	}
	for ; s.bytes > answerBytes && s.cut < len(s.order); s.cut++ {
		s.drop(s.order[s.cut])
	}
}

// drop forgets the answers of a message.
func (s *ids) drop(p *past) {
	for _, a := range p.Answers {
		s.bytes -= a.size()
	}
	p.Answers = nil
}

// answersTo returns those of all that answer the message of that id.
func answersTo(id string, all []Answer) []Answer {
	other := func(a Answer) bool { return a.CorrelationID != id }
	if slices.ContainsFunc(all, other) {
		all = slices.DeleteFunc(slices.Clone(all), other)
	}
	return slices.Clip(all) // the usual case, in which nothing is copied
}

// joined appends to answers that may belong to somebody else as well.
func joined(have, more []Answer) []Answer {
	if len(have) == 0 {
		return more
	}
	return append(slices.Clip(have), more...)
}

func (a Answer) size() int { return len(a.Topic) + len(a.Body) + len(a.CorrelationID) }
