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
	for _, c := range slices.Backward(j.chains) {
		if c.Cause == why {
			return c, true
		}
	}
	return Chain{}, false
}

// link takes up the outcome of a command, or of a part of its backlog.
func (j *Journal) link(c Command, o Outcome) {
	i := len(j.chains) - 1
	for i >= 0 && j.chains[i].Cause != c.Cause {
		i--
	}
	if i < 0 {
		i = len(j.chains)
		j.chains = append(j.chains, Chain{Command: c})
	}
	ch := &j.chains[i]
	ch.At, ch.Open = o.At, c.Open
	for _, a := range o.Answers {
		if len(o.Commands) == 1 || a.CorrelationID == c.Cause.ID && c.Cause.ID != "" {
			ch.Answers = append(ch.Answers, a)
		}
	}
	if len(j.chains) == 2*chainsMost {
		j.chains = slices.Delete(j.chains, 0, chainsMost)
	}
}

// command is what is kept of the command that answered a message.
func (j *Journal) command(p *past) Command {
	if c, ok := j.Chain(p.Cause); ok {
		return c.Command
	}
	return Command{Cause: p.Cause, Open: p.open}
}
