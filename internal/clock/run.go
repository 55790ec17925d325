package clock

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	firstRetry  = 2 * time.Second
	lastRetry   = time.Minute
	checkPeriod = time.Hour
	remindFirst = 15 * time.Minute // between log lines while the time is unproven
	remindLater = 24 * time.Hour   // while a proven time cannot be checked
)

// rounds is what Run remembers from one round of questions to the next.
type rounds struct {
	retry    time.Duration        // pause after the next round that proves nothing
	failing  time.Time            // since when no round has proved anything; zero if the last one did
	reported time.Time            // when that was last logged
	lone     Sample               // the only answer of the last round
	alone    int                  // how many rounds it has been alone
	quiet    map[string]time.Time // servers, and until when not to ask them
	outvoted string               // servers that were last warned of
}

// Run proves the time, and proves it again every hour, until ctx ends; then it
// returns nil. A time once proven stays when nobody vouches for it any more.
func (c *Clock) Run(ctx context.Context) error {
	c.rounds = rounds{retry: firstRetry, quiet: make(map[string]time.Time)}
	for {
		p, err := c.prove(ctx)
		if ctx.Err() != nil {
			return nil
		}
		pause := checkPeriod
		if err == nil {
			c.accept(p)
		} else {
			pause = c.pauseAfter(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case c.o.Servers = <-c.others:
			c.rounds.retry, c.rounds.reported = firstRetry, time.Time{}
		case <-time.After(pause):
		}
	}
}

// prove asks everybody once and returns who is to be believed.
func (c *Clock) prove(ctx context.Context) (*proof, error) {
	if len(c.o.Servers) == 0 {
		return c.systemClock(bySystemClock, "system clock")
	}
	p, err := c.count(c.ask(ctx))
	if err == nil {
		return p, nil
	}
	if old := c.proof.Load(); old != nil && old.by == byServers {
		return nil, err // what the servers proved is better than the system's word
	}
	p, sysErr := c.systemWord(ctx)
	if sysErr != nil {
		return nil, fmt.Errorf("%w; system clock: %w", err, sysErr)
	}
	return p, nil
}

// systemWord believes the system clock if the system does.
func (c *Clock) systemWord(ctx context.Context) (*proof, error) {
	ok, err := c.o.Synchronised(ctx)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("not synchronised")
	}
	return c.systemClock(bySystemWord, "synchronised system clock")
}

func (c *Clock) systemClock(by witness, source string) (*proof, error) {
	now := c.o.Now()
	if err := c.checkFloor(now); err != nil {
		return nil, err
	}
	return &proof{by: by, source: source, offset: now.Round(0).Sub(c.local(now)), at: now}, nil
}

func (c *Clock) checkFloor(t time.Time) error {
	if !t.Before(c.o.Floor) {
		return nil
	}
	return fmt.Errorf("it says %s, but this release is of %s or later",
		t.UTC().Format(time.DateTime), c.o.Floor.UTC().Format(time.DateOnly))
}

// accept makes p the proof, and says so if that is news.
func (c *Clock) accept(p *proof) {
	now := c.o.Now()
	before := c.Wall(now)
	old := c.proof.Swap(p)
	moved := c.Wall(now).Sub(before)
	_, slow, _ := c.Proven()
	log := c.o.Log.With("source", p.source, "system_clock_slow_by", slow.Round(time.Millisecond))
	switch {
	case old == nil:
		log.Info("time proven", "after", now.Sub(c.epoch).Round(time.Millisecond))
	case moved.Abs() > tolerance && p.by != bySystemClock:
		log.Warn("proven time corrected", "by", moved.Round(time.Millisecond), "lasted", c.rounds.lasted(now))
	case !c.rounds.failing.IsZero() || old.by != p.by:
		log.Info("time proven again", "lasted", c.rounds.lasted(now))
	default:
		log.Debug("time checked", "by", moved)
	}
	c.rounds.retry, c.rounds.failing, c.rounds.alone = firstRetry, time.Time{}, 0
	if old == nil {
		close(c.proven)
	}
}

// pauseAfter returns how long to wait after a round that proved nothing, and
// logs its reasons: at first, and then rarely.
func (c *Clock) pauseAfter(err error) time.Duration {
	msg, remind, last := "time not proven yet: no connection before it is, relays work on", remindFirst, lastRetry
	if c.proof.Load() != nil {
		msg, remind, last = "time not checked: what was proven stays", remindLater, checkPeriod
	}
	pause := c.rounds.retry
	c.rounds.retry = min(2*pause, last)
	now := c.o.Now()
	if c.rounds.failing.IsZero() {
		c.rounds.failing = now
	} else if now.Sub(c.rounds.reported) < remind {
		return pause
	}
	c.rounds.reported = now
	c.o.Log.Warn(msg, "err", err, "retry_in", pause, "lasts", c.rounds.lasted(now))
	return pause
}

// lasted is for how long, at now, no round has proved anything.
func (r *rounds) lasted(now time.Time) time.Duration {
	if r.failing.IsZero() {
		return 0
	}
	return now.Sub(r.failing).Round(time.Second)
}
