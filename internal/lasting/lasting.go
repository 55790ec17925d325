// Package lasting knows how often to speak of a fault that lasts: when it begins, rarely
// while it goes on, and when it is over.
package lasting

import "time"

// The pauses between reminders: the first, and the longest of those that follow, each
// twice as long as the one before.
const (
	first = time.Minute
	most  = time.Hour
)

// A Fault is one thing that can be wrong. The zero Fault is not there.
type Fault struct {
	since, said time.Time
	pause       time.Duration
	text        string
}

// Say notes that the fault is there at now, and reports whether it is time to say so. A
// text that differs from the last one is news.
func (f *Fault) Say(now time.Time, text string) bool {
	switch {
	case f.since.IsZero():
		f.since, f.pause = now, first
	case text != f.text:
	case now.Sub(f.said) < f.pause:
		return false
	default:
		f.pause = min(2*f.pause, most)
	}
	f.said, f.text = now, text
	return true
}

// Lasts reports whether the fault is there.
func (f *Fault) Lasts() bool { return !f.since.IsZero() }

// For is how long the fault has been there at now.
func (f *Fault) For(now time.Time) time.Duration {
	if f.since.IsZero() {
		return 0
	}
	return now.Sub(f.since)
}

// Over notes that the fault is gone at now, and returns how long it was there; was is
// false if it was not.
func (f *Fault) Over(now time.Time) (lasted time.Duration, was bool) {
	lasted, was = f.For(now), f.Lasts()
	*f = Fault{}
	return lasted, was
}
