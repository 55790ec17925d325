package faultlab

import (
	"fmt"
	"slices"
	"time"
)

// A Verdict is what became of the commands of one fault.
type Verdict struct {
	Faults     int
	Sent       int
	Effective  int // took effect and were answered
	Doubled    int // took effect twice, or were answered by two messages with ids of their own
	Lost       int // took no effect, or were not answered
	Disordered int // took effect, or were answered, after a command that was sent later
	Uncaused   int // moves of a relay that are no command's, or stand in no record, or records of no move
	Repeated   int // answers that came again under the same id: the receiver knows them
	Waits      []time.Duration
	Recoveries []time.Duration
	Complaints []string // what exactly was wrong
}

// Judge judges one round.
func Judge(o Observation) Verdict {
	v := Verdict{Faults: o.Faults, Sent: len(o.Commands), Waits: o.Waits, Recoveries: o.Recoveries}
	place := make(map[string]int)
	for i, c := range o.Commands {
		place[c.ID] = i
	}
	moved := v.records(o, place)
	answered := v.answers(o, place)
	for _, c := range o.Commands {
		switch {
		case c.Pin != "" && moved[c.ID] == 0:
			v.complain(&v.Lost, "%s took no effect", c.ID)
		case !answered[c.ID]:
			v.complain(&v.Lost, "%s was not answered", c.ID)
		default:
			v.Effective++
		}
	}
	v.edges(o)
	return v
}

// records holds the daemon's record against the commands, and counts the moves of each.
func (v *Verdict) records(o Observation, place map[string]int) map[string]int {
	moved := make(map[string]int)
	latest := -1
	for _, r := range o.Records {
		at, ours := place[r.Cause]
		if !ours || o.Commands[at].Pin != r.Pin {
			v.complain(&v.Uncaused, "%s moved because of %s", r.Pin, r.Cause)
			continue
		}
		if moved[r.Cause]++; moved[r.Cause] > 1 {
			v.complain(&v.Doubled, "%s took effect again", r.Cause)
		} else if at < latest {
			v.complain(&v.Disordered, "%s took effect after %s", r.Cause, o.Commands[latest].ID)
		}
		latest = max(latest, at)
	}
	return moved
}

// answers holds the answers against the commands, and tells which of these have one.
func (v *Verdict) answers(o Observation, place map[string]int) map[string]bool {
	type subject struct{ command, topic string }
	answered, ids, known := make(map[string]bool), make(map[string]bool), make(map[subject]string)
	latest := -1
	for _, a := range o.Answers {
		at, ours := place[a.Command]
		if !ours {
			continue
		}
		s := subject{a.Command, a.Topic}
		switch before, again := known[s]; {
		case ids[a.ID]:
			v.Repeated++
			continue
		case again:
			v.complain(&v.Doubled, "%s was answered on %s by %s and by %s", a.Command, a.Topic, before, a.ID)
		case at < latest:
			v.complain(&v.Disordered, "%s was answered after %s", a.Command, o.Commands[latest].ID)
		}
		answered[a.Command], ids[a.ID], known[s] = true, true, a.ID
		latest = max(latest, at)
	}
	return answered
}

// edges holds what the pins did against the daemon's record of it.
func (v *Verdict) edges(o Observation) {
	seen, told := make(map[string][]bool), make(map[string][]bool)
	for _, e := range o.Edges {
		seen[e.Pin] = append(seen[e.Pin], e.On)
	}
	for _, r := range o.Records {
		told[r.Pin] = append(told[r.Pin], r.On)
		if seen[r.Pin] == nil {
			seen[r.Pin] = []bool{}
		}
	}
	for pin, levels := range seen {
		if n := apart(levels, told[pin]); n > 0 {
			v.Uncaused += n - 1
			v.complain(&v.Uncaused, "%s made %d moves, and the record has %d: %d of either have no counterpart", pin, len(levels), len(told[pin]), n)
		}
	}
}

// apart counts the members of two lists that have no counterpart in the other one,
// when both are read in order.
func apart(a, b []bool) int {
	common := make([]int, len(b)+1) // length of the longest common subsequence, row by row
	for _, x := range a {
		before := 0
		for j, y := range b {
			above := common[j+1]
			if x == y {
				common[j+1] = before + 1
			} else {
				common[j+1] = max(above, common[j])
			}
			before = above
		}
	}
	return len(a) + len(b) - 2*common[len(b)]
}

func (v *Verdict) complain(count *int, format string, args ...any) {
	*count++
	v.Complaints = append(v.Complaints, fmt.Sprintf(format, args...))
}

// Good tells whether everything promised was kept.
func (v Verdict) Good() bool {
	return v.Sent > 0 && v.Effective == v.Sent && v.Doubled+v.Lost+v.Disordered+v.Uncaused == 0
}

// Add adds the verdict on another round of the same fault.
func (v *Verdict) Add(o Verdict) {
	v.Faults, v.Sent, v.Effective = v.Faults+o.Faults, v.Sent+o.Sent, v.Effective+o.Effective
	v.Doubled, v.Lost, v.Disordered = v.Doubled+o.Doubled, v.Lost+o.Lost, v.Disordered+o.Disordered
	v.Uncaused, v.Repeated = v.Uncaused+o.Uncaused, v.Repeated+o.Repeated
	v.Waits, v.Recoveries = append(v.Waits, o.Waits...), append(v.Recoveries, o.Recoveries...)
	v.Complaints = append(v.Complaints, o.Complaints...)
}

// middle returns the median and the longest of some times.
func middle(times []time.Duration) (median, longest time.Duration) {
	if len(times) == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[(len(sorted)-1)/2], sorted[len(sorted)-1]
}
