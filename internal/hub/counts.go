package hub

import (
	"errors"
	"sync"
	"time"

	"tasmota-azd/internal/metrics"
)

// Counts are what has happened since New, for metrics.
type Counts struct {
	Sessions uint64             // that began after there was none
	Gaps     *metrics.Histogram // one for each renewal: the time between the two sessions
	Failures metrics.Tally      // attempts to begin a session, and sessions, that failed, by cause
	Waiting  int                // messages that the hub has not acknowledged
	Dropped  int                // messages that the queue had no room for
}

// counting is what Client counts with.
type counting struct {
	mu sync.Mutex
	Counts
}

func newCounting() *counting {
	return &counting{Counts: Counts{
		Gaps: metrics.NewHistogram(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30), Failures: make(metrics.Tally),
	}}
}

// Counts returns what has happened since New. It may be called from any goroutine.
func (c *Client) Counts() Counts {
	n := c.counts
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.Counts
	all.Gaps, all.Failures = all.Gaps.Clone(), all.Failures.Clone()
	all.Waiting, all.Dropped = c.out.depth()
	return all
}

// began counts a session, which renews the one that ended at parted if that is not zero.
func (n *counting) began(parted time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if parted.IsZero() {
		n.Sessions++
	} else {
		n.Gaps.Observe(time.Since(parted))
	}
}

func (n *counting) failed(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Failures[reason(err)]++
}

// reason is one of a few words for why there is no session.
func reason(err error) string {
	switch {
	case errors.Is(err, errNoPing):
		return "no_ping"
	case errors.Is(err, errNoPuback):
		return "no_puback"
	case errors.Is(err, errTimeout):
		return "timeout"
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return "no_identity" // as DPS gives no hub
	}
	switch e.Kind {
	case Unreachable:
		return "unreachable"
	case NoName:
		return "no_name"
	case Untrusted:
		return "untrusted"
	case Refused:
		return "refused"
	}
	if isClosed(err) {
		return "closed"
	}
	return "lost"
}
