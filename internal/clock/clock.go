// Package clock knows what time it really is on a board without a battery
// clock.
//
// A Clock is unproven until time servers, or failing them the operating system,
// vouch for a time. From then on it counts on the monotonic clock from the
// moment of the proof, so that a later step of the system clock shifts nothing.
// The proof is renewed every hour. It never sets the system clock.
//
// Who is believed:
//
//   - Of three or more servers, those whose answers agree, if they are more than
//     half of all that answered and at least two. Dead and lying ones are left
//     out. One answer alone counts if it confirms the proven time; while there
//     is none, if it was alone five times in a row.
//   - Of two servers, both if they agree, or the only one that answers; of one,
//     that one.
//   - If that proves nothing, the system clock, if the system says that it is
//     synchronised; it stays proven when the servers fall silent later.
//   - With no servers at all, the system clock, whatever it says.
//   - Nothing and nobody before the floor date.
//
// While the machine is suspended the monotonic clock stands still, and the
// proven time is late after it by as long; the next hourly check mends that.
package clock

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// floor is a date before which this source did not exist: no clock that shows
// an earlier time is right. It is raised at each release.
var floor = time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)

// Options say whom to ask. What is a function is replaced by tests.
type Options struct {
	Servers []string  // time servers, host or host:port; none trusts the system clock
	Floor   time.Time // default: a date near this release's; nothing before it is believed

	// Query asks one server. Default: NTP.
	Query func(ctx context.Context, server string, local func() time.Time) (Sample, error)
	// Synchronised asks the system whether its clock is set from a source of
	// time. Default: SystemSynchronised.
	Synchronised func(context.Context) (bool, error)
	// Now reads the system and the monotonic clock. Default: time.Now.
	Now func() time.Time

	Log *slog.Logger // nil discards
}

// A Sample is what one server says.
type Sample struct {
	Offset time.Duration // add it to the local time asked with
	Error  time.Duration // the offset may be wrong by as much, if the server is honest
}

// A Clock tells the time. Its methods may be called by several goroutines.
type Clock struct {
	o      Options
	epoch  time.Time // a moment on both clocks; local time counts from it
	proof  atomic.Pointer[proof]
	proven chan struct{} // closed at the first proof
	others chan []string // servers to ask from now on

	rounds rounds // of Run alone
}

// A proof says how to get from local to real time.
type proof struct {
	by     witness
	source string        // the same in words
	offset time.Duration // real minus local time
	at     time.Time     // when that was so
}

// A witness is the kind of source that vouched for a time.
type witness int

const (
	bySystemClock witness = iota // trusted without being asked
	bySystemWord                 // the system says that its clock is synchronised
	byServers
)

// New returns a clock that is not proven yet. Run proves it.
func New(o Options) *Clock {
	if o.Floor.IsZero() {
		o.Floor = floor
	}
	o.Floor = o.Floor.Round(0) // compared with what clocks show, not by the monotonic clock
	if o.Query == nil {
		o.Query = NTP
	}
	if o.Synchronised == nil {
		o.Synchronised = SystemSynchronised
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Clock{o: o, epoch: o.Now(), proven: make(chan struct{}), others: make(chan []string, 1)}
}

// Ask makes Run ask other servers from now on, and at once. What is proven stays.
func (c *Clock) Ask(servers []string) {
	select {
	case <-c.others: // which nobody has come to ask
	default:
	}
	c.others <- servers
}

// Wait returns nil when the time is proven, or the cause of ctx's end.
func (c *Clock) Wait(ctx context.Context) error {
	if c.proof.Load() != nil {
		return nil
	}
	select {
	case <-c.proven:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Now returns the proven time, or the system's as long as there is none.
func (c *Clock) Now() time.Time { return c.Wall(c.o.Now()) }

// Wall returns t, which carries a monotonic reading as from time.Now, as proven
// time, or as it stands as long as there is none. The result carries no
// monotonic reading.
func (c *Clock) Wall(t time.Time) time.Time {
	p := c.proof.Load()
	if p == nil || p.by == bySystemClock && !t.Before(c.o.Floor) {
		return t.Round(0)
	}
	return c.local(t).Add(p.offset)
}

// local returns the local time at t: what the system clock showed at the epoch,
// and counted on the monotonic clock from there.
func (c *Clock) local(t time.Time) time.Time {
	return c.epoch.Round(0).Add(t.Sub(c.epoch))
}

// Proven returns who vouched for the time and how much the system clock is slow
// at present; ok is false as long as nobody did.
func (c *Clock) Proven() (source string, offset time.Duration, ok bool) {
	p := c.proof.Load()
	if p == nil {
		return "", 0, false
	}
	now := c.o.Now()
	return p.source, c.Wall(now).Sub(now.Round(0)), true
}
