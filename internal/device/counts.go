package device

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/metrics"
)

// Counts are the commands of this run, for metrics.
type Counts struct {
	Took     map[string]*metrics.Histogram // by door: from the arrival until the command is done and noted
	Outcomes map[Outcome]uint64
}

// An Outcome is what can become of a command, by the door it came in.
type Outcome struct {
	Door string
	What string // "done", "refused" as the sender made a mistake or a limit forbids it, or "failed"
}

func newCounts() Counts {
	return Counts{Took: make(map[string]*metrics.Histogram), Outcomes: make(map[Outcome]uint64)}
}

// Counts returns them. It may be called from any goroutine while Run runs.
func (d *Device) Counts(ctx context.Context) (all Counts, err error) {
	err = d.do(ctx, func(time.Time) {
		all = Counts{Took: make(map[string]*metrics.Histogram), Outcomes: maps.Clone(d.counts.Outcomes)}
		for door, h := range d.counts.Took {
			all.Took[door] = h.Clone()
		}
	})
	return all, err
}

// done counts a command. level is how loud the log is about its outcome.
func (c *Counts) done(by cause.Door, took time.Duration, level slog.Level) {
	door := string(by)
	h := c.Took[door]
	if h == nil {
		h = metrics.NewHistogram(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 25)
		c.Took[door] = h
	}
	h.Observe(took)
	what := "done"
	switch {
	case level >= slog.LevelError:
		what = "failed"
	case level >= slog.LevelWarn:
		what = "refused"
	}
	c.Outcomes[Outcome{door, what}]++
}

// since is how long ago the command came that is run at now.
func (o origin) since(now time.Time) time.Duration {
	if o.came.IsZero() {
		return time.Since(now)
	}
	return time.Since(o.came)
}
