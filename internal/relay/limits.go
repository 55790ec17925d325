package relay

import (
	"fmt"
	"slices"
	"time"

	"tasmota-azd/internal/cause"
)

// limits hold back a sender gone mad before it wears out a relay.
type limits struct {
	every   []time.Duration // of each relay: its MinInterval
	last    []time.Time     // of each relay: when it last closed
	most    int             // closings within a minute, 0 for no limit
	closes  []time.Time     // the latest closings, most at most, as a ring
	oldest  int             // in closes, once it is full
	refused int
}

func newLimits(wires []Wire, most int) limits {
	l := limits{every: make([]time.Duration, len(wires)), last: make([]time.Time, len(wires)), most: most}
	for i, w := range wires {
		l.every[i] = w.MinInterval
	}
	return l
}

// follow goes on where old left off: was has the number there of each relay, or -1.
func (l *limits) follow(old *limits, was []int) {
	for i, o := range was {
		if o >= 0 {
			l.last[i] = old.last[o]
		}
	}
	l.refused = old.refused
	closes := append(slices.Clone(old.closes[old.oldest:]), old.closes[:old.oldest]...)
	l.closes = closes[max(len(closes)-l.most, 0):]
}

// allow tells whether relay i may close now.
func (l *limits) allow(i int, now time.Time) error {
	if since := now.Sub(l.last[i]); !l.last[i].IsZero() && since < l.every[i] {
		l.refused++
		return fmt.Errorf("%w: min_interval is %v, and it closed %v ago", ErrHeldBack, l.every[i], since.Round(time.Millisecond))
	}
	if l.most > 0 && len(l.closes) == l.most && now.Sub(l.closes[l.oldest]) < time.Minute {
		l.refused++
		return fmt.Errorf("%w: max_per_minute is %d, and so often relays have closed in the last minute", ErrHeldBack, l.most)
	}
	return nil
}

// closed notes that relay i has closed.
func (l *limits) closed(i int, now time.Time) {
	l.last[i] = now
	switch {
	case l.most == 0:
	case len(l.closes) < l.most:
		l.closes = append(l.closes, now)
	default:
		l.closes[l.oldest] = now
		l.oldest = (l.oldest + 1) % l.most
	}
}

// A pause keeps relays apart that one command switches, for the sake of a weak
// supply: coils that pull in together may pull its voltage down.
type pause struct {
	length time.Duration
	last   Edge
}

// pauseMost bounds the pauses of one command for all relays. It stays well below
// WatchdogSec= in the unit.
const pauseMost = 10 * time.Second

func newPause(s Setup, relays int) pause {
	p := pause{length: s.Stagger}
	if most := pauseMost / time.Duration(max(relays, 1)); p.length > most {
		p.length = most
		s.Log.Warn("gpio.stagger is cut: all pauses of one command take 10 s at the most", "stagger", most)
	}
	return p
}

// wait waits if the last edge was made by the same command, and too lately.
func (p *pause) wait(why cause.Cause) {
	if p.length > 0 && why.Seq != 0 && p.last.Cause == why {
		time.Sleep(time.Until(p.last.Time.Add(p.length)))
	}
}

func (p *pause) moved(e Edge) { p.last = e }
