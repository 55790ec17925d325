package clock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	kissPeriod = 30 * time.Minute // how long a server that asked for it is left alone
	patience   = 5                // rounds after which an answer is believed alone
	drift      = 2000             // a local clock is not wrong by more than 1 part in so many
)

// An answer is what became of asking one server.
type answer struct {
	server string
	sample Sample
	err    error
}

// ask asks all servers at once. It does not wait for those that could not
// change the outcome any more.
func (c *Clock) ask(ctx context.Context) []answer {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	answers := make(chan answer, len(c.o.Servers))
	for _, server := range c.o.Servers {
		if c.o.Now().Before(c.rounds.quiet[server]) {
			answers <- answer{server: server, err: errKiss}
			continue
		}
		asking.Go(func() {
			s, err := c.o.Query(ctx, server, func() time.Time { return c.local(c.o.Now()) })
			answers <- answer{server, s, err}
		})
	}
	var got []answer
	for range c.o.Servers {
		got = append(got, c.check(<-answers))
		good, _ := sift(got)
		if 2*len(vote(samples(good))) > len(c.o.Servers) {
			break
		}
	}
	return got
}

// check refuses a time before the floor, and notes who wants to be left alone.
func (c *Clock) check(a answer) answer {
	now := c.o.Now()
	if errors.Is(a.err, errKiss) && !now.Before(c.rounds.quiet[a.server]) {
		c.rounds.quiet[a.server] = now.Add(kissPeriod)
	}
	if a.err == nil {
		a.err = c.checkFloor(c.local(now).Add(a.sample.Offset))
	}
	return a
}

// sift parts the answers that count from the reasons why the others do not.
func sift(answers []answer) (good []answer, reasons []string) {
	for _, a := range answers {
		if a.err != nil {
			reasons = append(reasons, fmt.Sprintf("%s: %v", a.server, a.err))
			continue
		}
		good = append(good, a)
	}
	return good, reasons
}

func samples(answers []answer) []Sample {
	var s []Sample
	for _, a := range answers {
		s = append(s, a.sample)
	}
	return s
}

// count decides by the answers of one round.
func (c *Clock) count(answers []answer) (*proof, error) {
	good, reasons := sift(answers)
	group := vote(samples(good))
	if !enough(len(group), len(good), len(c.o.Servers)) && !c.believeAlone(good) {
		for _, a := range good {
			reasons = append(reasons, fmt.Sprintf("%s: %v off the local clock, and no other agrees", a.server, a.sample.Offset.Round(time.Millisecond)))
		}
		return nil, errors.New(strings.Join(reasons, "; "))
	}
	best := good[group[0]]
	c.warnOutvoted(good, best)
	var names []string
	for _, i := range group {
		names = append(names, good[i].server)
	}
	return &proof{by: byServers, source: strings.Join(names, " "), offset: best.sample.Offset, at: c.o.Now()}, nil
}

// believeAlone reports whether the only answer of several servers counts: if it
// confirms what servers proved before, or if it alone has been there, the same,
// for long enough.
func (c *Clock) believeAlone(good []answer) bool {
	if len(good) != 1 {
		c.rounds.alone = 0
		return false
	}
	s := good[0].sample
	if p := c.proof.Load(); p != nil && p.by == byServers {
		return agree(s, Sample{Offset: p.offset, Error: c.o.Now().Sub(p.at) / drift})
	}
	if c.rounds.alone == 0 || !agree(s, c.rounds.lone) {
		c.rounds.lone, c.rounds.alone = s, 0
	}
	c.rounds.alone++
	return c.rounds.alone >= patience
}

// warnOutvoted logs the servers that say something else than the believed one,
// when they are others than last time.
func (c *Clock) warnOutvoted(good []answer, best answer) {
	var who []string
	for _, a := range good {
		if !agree(a.sample, best.sample) {
			who = append(who, fmt.Sprintf("%s by %v", a.server, (a.sample.Offset-best.sample.Offset).Round(time.Second)))
		}
	}
	outvoted := strings.Join(who, ", ")
	if outvoted != "" && outvoted != c.rounds.outvoted {
		c.o.Log.Warn("time servers are off and outvoted", "servers", outvoted)
	}
	c.rounds.outvoted = outvoted
}
