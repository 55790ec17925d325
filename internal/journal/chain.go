package journal

import (
	"slices"
	"time"

	"tasmota-azd/internal/cause"
)

// chainsMost is how many commands are remembered with all that is known of them.
const chainsMost = 256

// A Chain is a command and what came of it.
type Chain struct {
	Command
	At      time.Time // when it had taken effect, in proven time
	Answers []Answer
}

// Chain returns what is known of the command that was the cause of an edge.
func (j *Journal) Chain(why cause.Cause) (Chain, bool) {
	j.load()
	if i := j.chain(why); i >= 0 {
		return j.chains[i], true
	}
	return Chain{}, false
}

// chain returns the place of a command among the last ones, or -1. The numbers of
// commands rise, so a new one need not be looked for.
func (j *Journal) chain(why cause.Cause) int {
	if why.Seq > j.highest {
		return -1
	}
	for i := len(j.chains) - 1; i >= 0; i-- {
		if c := &j.chains[i].Cause; c.Seq == why.Seq && *c == why {
			return i
		}
	}
	return -1
}

// link takes up the outcome of a command, or of a part of its backlog.
func (j *Journal) link(c Command, o Outcome) {
	i := j.chain(c.Cause)
	if i < 0 {
		i = len(j.chains)
		j.chains = append(j.chains, Chain{Command: c})
		j.highest = max(j.highest, c.Cause.Seq)
	}
	ch := &j.chains[i]
	ch.At, ch.Open = o.At, c.Open
	switch {
	case len(o.Commands) == 1:
		ch.Answers = joined(ch.Answers, slices.Clip(o.Answers))
	case c.Cause.ID != "":
		ch.Answers = joined(ch.Answers, answersTo(c.Cause.ID, o.Answers))
	}
	if len(j.chains) == 2*chainsMost {
		j.chains = slices.Delete(j.chains, 0, chainsMost)
	}
}
