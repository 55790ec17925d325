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
	firstRetry  = 2 * time.Second
	lastRetry   = time.Minute
	checkPeriod = time.Hour
	kissPeriod  = 30 * time.Minute // how long a server that asked for it is left alone
	patience    = 5                // rounds with one and the same answer alone
	remindFirst = 15 * time.Minute // between log lines while the time is unproven
	remindLater = 24 * time.Hour   // while a proven time cannot be checked
)

// rounds is what Run remembers from one round of questions to the next.
type rounds struct {
	retry    time.Duration        // pause after the next round that proves nothing
	alone    int                  // rounds in a row with one answer
	quiet    map[string]time.Time // servers not to be asked before
	failing  time.Time            // since when rounds prove nothing, or zero
	reported time.Time            // when that was last logged
	outvoted string               // servers that were last warned of
}

// Run proves the time, and proves it again every hour, until ctx ends; then it
// returns nil. A time once proven stays when nobody vouches for it any more.
func (c *Clock) Run(ctx context.Context) error {
	c.rounds = rounds{retry: firstRetry, quiet: make(map[string]time.Time)}
	for ctx.Err() == nil {
		pause := checkPeriod
		p, err := c.prove(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			c.accept(p)
		default:
			pause = c.pauseAfter(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// prove asks everybody once, and returns who is to be believed.
func (c *Clock) prove(ctx context.Context) (*proof, error) {
	now := c.o.Now()
	if len(c.o.Servers) == 0 {
		if now.Before(c.o.Floor) {
			return nil, c.beforeFloor("system clock", now)
		}
		return &proof{source: "system clock", system: true}, nil
	}
	p, err := c.count(c.ask(ctx))
	if err == nil || ctx.Err() != nil {
		return p, err
	}
	if p := c.proof.Load(); p != nil && p.source != synchronised {
		return nil, err // what the servers proved is better than the system's word
	}
	p, sysErr := c.askSystem(ctx)
	if sysErr != nil {
		return nil, fmt.Errorf("%w; %w", err, sysErr)
	}
	return p, nil
}

const synchronised = "system clock, said to be synchronised"

// askSystem believes the system clock if the system does.
func (c *Clock) askSystem(ctx context.Context) (*proof, error) {
	ok, err := c.o.Synchronised(ctx)
	now := c.o.Now()
	switch {
	case err != nil:
		return nil, fmt.Errorf("system clock: %w", err)
	case !ok:
		return nil, errors.New("system clock: not synchronised")
	case now.Before(c.o.Floor):
		return nil, c.beforeFloor("system clock", now)
	}
	return &proof{source: synchronised, offset: now.Round(0).Sub(c.local(now))}, nil
}

func (c *Clock) beforeFloor(who string, t time.Time) error {
	return fmt.Errorf("%s: %s is before %s, when this release was made",
		who, t.UTC().Format(time.RFC3339), c.o.Floor.UTC().Format(time.DateOnly))
}

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
		if until, ok := c.rounds.quiet[server]; ok && c.o.Now().Before(until) {
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
		if agreed := len(vote(samples(got))); 2*agreed > len(c.o.Servers) {
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
	if t := c.local(now).Add(a.sample.Offset); a.err == nil && t.Before(c.o.Floor) {
		a.err = c.beforeFloor("time", t)
	}
	return a
}

// samples returns the samples of the answers that count.
func samples(answers []answer) []Sample {
	var s []Sample
	for _, a := range answers {
		if a.err == nil {
			s = append(s, a.sample)
		}
	}
	return s
}

// count decides by the answers of one round.
func (c *Clock) count(answers []answer) (*proof, error) {
	var good []answer
	var errs []error
	for _, a := range answers {
		if a.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.server, a.err))
			continue
		}
		good = append(good, a)
	}
	if len(good) == 1 {
		c.rounds.alone++
	} else {
		c.rounds.alone = 0
	}
	group := vote(samples(good))
	if !enough(len(group), len(good), len(c.o.Servers)) && c.rounds.alone < patience {
		for _, a := range good {
			errs = append(errs, fmt.Errorf("%s: off by %v, and nobody agrees", a.server, a.sample.Offset.Round(time.Millisecond)))
		}
		return nil, joinLine(errs)
	}
	best := good[group[0]]
	c.warnOutvoted(good, best)
	return &proof{source: names(good, group), offset: best.sample.Offset}, nil
}

// warnOutvoted logs the servers that say something else than the believed one,
// when they are others than last time.
func (c *Clock) warnOutvoted(good []answer, best answer) {
	var who []string
	for _, a := range good {
		if !agree(a.sample, best.sample) {
			who = append(who, a.server)
		}
	}
	outvoted := strings.Join(who, " ")
	if outvoted != "" && outvoted != c.rounds.outvoted {
		c.o.Log.Warn("time servers outvoted", "servers", outvoted)
	}
	c.rounds.outvoted = outvoted
}

// names lists the servers of a group.
func names(good []answer, group []int) string {
	var s []string
	for _, i := range group {
		s = append(s, good[i].server)
	}
	return strings.Join(s, " ")
}

// joinLine joins errors in one line.
func joinLine(errs []error) error {
	var s []string
	for _, err := range errs {
		s = append(s, err.Error())
	}
	return errors.New(strings.Join(s, "; "))
}

// accept makes p the proof, and says so if that changes something.
func (c *Clock) accept(p *proof) {
	now := c.o.Now()
	before := c.Wall(now)
	old := c.proof.Swap(p)
	c.logAccepted(old, p, c.Wall(now).Sub(before))
	c.rounds.retry = firstRetry
	c.rounds.failing = time.Time{}
	c.rounds.alone = 0
	if old == nil {
		close(c.proven)
	}
}

func (c *Clock) logAccepted(old, p *proof, moved time.Duration) {
	_, offset, _ := c.Proven()
	log := c.o.Log.With("source", p.source, "system_clock_slow_by", offset.Round(time.Millisecond))
	switch {
	case old == nil:
		log.Info("time proven")
	case moved.Abs() > tolerance && !p.system:
		log.Warn("proven time corrected", "by", moved.Round(time.Millisecond))
	case !c.rounds.failing.IsZero():
		log.Info("time proven again")
	default:
		log.Debug("time checked", "by", moved)
	}
}

// pauseAfter returns how long to wait after a round that proved nothing, and
// logs its reasons: at first, and then rarely.
func (c *Clock) pauseAfter(err error) time.Duration {
	pause := c.rounds.retry
	c.rounds.retry = min(2*pause, lastRetry)
	msg, remind := "time not proven yet: not connecting, relays work on", remindFirst
	if c.proof.Load() != nil {
		msg, remind = "time not checked: what was proven stays", remindLater
	}
	now := c.o.Now()
	if c.rounds.failing.IsZero() {
		c.rounds.failing, c.rounds.reported = now, time.Time{}
	}
	if now.Sub(c.rounds.reported) >= remind {
		c.rounds.reported = now
		c.o.Log.Warn(msg, "err", err, "retry_in", pause)
	}
	return pause
}
