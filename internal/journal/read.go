package journal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"slices"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/edges"
)

// pastMark begins the records that need not be read to know how the relays were left.
var pastMark = []byte(`{"past":`)

// Since returns what was written behind the record of that number, in order: the
// outcomes, and then the decisions of a command that was cut short.
func (j *Journal) Since(number uint64) (outcomes []Outcome, cut []Decision) {
	for _, r := range j.unread {
		if r.Number <= number || bytes.HasPrefix(r.Value, pastMark) {
			continue
		}
		var rec record
		if json.Unmarshal(r.Value, &rec) != nil {
			continue
		}
		switch {
		case rec.Decide != nil:
			cut = append(cut, *rec.Decide)
		case rec.Done != nil:
			outcomes = append(outcomes, *rec.Done)
			cut = slices.DeleteFunc(cut, func(d Decision) bool { return rec.Done.ends(d) })
		}
	}
	return outcomes, cut
}

// ends tells whether a decision is not under way any more behind this outcome.
func (o Outcome) ends(d Decision) bool {
	return o.Start || slices.ContainsFunc(o.Commands, func(c Command) bool { return key(c.Cause) == key(d.Cause) })
}

// load reads everything, once.
func (j *Journal) load() {
	records := j.unread
	if records == nil {
		return
	}
	j.unread = nil
	for _, r := range records {
		var rec record
		if json.Unmarshal(r.Value, &rec) != nil {
			continue
		}
		if rec == (record{}) {
			j.keep(r.Value)
		}
		j.take(rec)
	}
	slices.SortStableFunc(j.owed, func(a, b Answer) int { return cmp.Compare(a.Number, b.Number) })
	if len(records) > 0 {
		j.answer += rand.Uint64N(leap)
	}
}

// othersMost bounds the records of a later release that are kept, in bytes.
const othersMost = 256 << 10

// keep keeps a record for the later release that wrote it.
func (j *Journal) keep(value []byte) {
	j.others = append(j.others, bytes.Clone(value))
	for j.heavy += len(value); j.heavy > othersMost; j.others = j.others[1:] {
		j.heavy -= len(j.others[0])
	}
}

// take takes up one record that was written before.
func (j *Journal) take(r record) {
	switch {
	case r.Epoch != "":
		j.epoch = r.Epoch
	case r.Decide != nil:
		j.current = append(j.current, *r.Decide)
	case r.Done != nil:
		j.took(*r.Done)
	case r.Past != nil:
		j.took(*r.Past)
	case r.Sent != 0 && r.Sent <= highest:
		j.answer = max(j.answer, r.Sent)
		j.forget(r.Sent)
	}
}

func (j *Journal) took(o Outcome) {
	for _, e := range o.Edges {
		j.edges.Add(e)
	}
	for _, a := range o.Answers {
		if a.Number > highest {
			continue
		}
		j.answer = max(j.answer, a.Number)
		if a.Number > j.sent {
			j.owed = append(j.owed, a)
		}
	}
	j.finish(o)
}

// leap bounds the step of the numbers at a start. What a loss of power or a full disk
// has taken from the journal may have been sent, and its numbers, as a part of message
// ids, must not be given to other answers.
const leap = 1 << 32

// highest is far from overflowing, however long a device answers.
const highest = 1 << 62

// Large tells whether the journal has grown so much that Compact is worth its while.
func (j *Journal) Large() bool { return j.log.Size() > max(compactAt, 2*j.small) }

// Lacks tells whether the file lacks something that the journal knows, as a disk was
// full. Compact puts it there.
func (j *Journal) Lacks() bool { return j.lacks }

// Compact rewrites the journal with what still matters. The state must be saved: no
// state is kept.
func (j *Journal) Compact() error {
	j.load()
	err := j.log.Rewrite(func(yield func([]byte) bool) {
		for _, value := range j.others {
			if !yield(value) {
				return
			}
		}
		for r := range j.lasting {
			j.line = r.append(j.line[:0])
			if !yield(j.line) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	j.small, j.lacks = j.log.Size(), false
	return nil
}

// lasting yields the records of a journal that was compacted.
func (j *Journal) lasting(yield func(record) bool) {
	_ = (j.epoch == "" || yield(record{Epoch: j.epoch})) &&
		(j.sent == 0 || yield(record{Sent: j.sent})) &&
		yield(record{Past: &Outcome{Edges: j.edges.Last(edges.Most)}}) &&
		j.pasts(yield) && j.decisions(yield)
}

// pasts yields the messages that took effect, and the answers that the hub has not got.
func (j *Journal) pasts(yield func(record) bool) bool {
	chains := make(map[cause.Cause]Command, len(j.chains))
	for _, c := range j.chains {
		chains[c.Cause] = c.Command
	}
	kept := make(map[uint64]bool)
	all := record{Past: &Outcome{Commands: make([]Command, 1)}} // used again for each
	for _, p := range j.ids.order {
		c, ok := chains[p.Cause]
		if !ok {
			c = Command{Cause: p.Cause, Open: p.open}
		}
		for _, a := range p.Answers {
			kept[a.Number] = true
		}
		all.Past.At, all.Past.Commands[0], all.Past.Answers = p.at, c, p.Answers
		if !yield(all) {
			return false
		}
	}
	for _, a := range j.owed {
		if !kept[a.Number] && !yield(record{Past: &Outcome{At: a.At, Answers: []Answer{a}}}) {
			return false
		}
	}
	return true
}

// decisions yields those of commands that may run again, and those under way.
func (j *Journal) decisions(yield func(record) bool) bool {
	for _, list := range j.decided {
		for _, d := range list {
			if d.Cause.Door == cause.C2D && !yield(record{Decide: &d}) { // nothing else comes again
				return false
			}
		}
	}
	if !yield(record{Done: &Outcome{Start: true}}) {
		return false
	}
	for _, d := range j.current {
		if !yield(record{Decide: &d}) {
			return false
		}
	}
	return true
}
