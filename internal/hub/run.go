package hub

import (
	"context"
	"errors"
	"time"
)

// Run keeps the device connected until ctx ends, and tells events about it. It
// then waits up to two seconds for what is under way, says goodbye to the hub,
// and returns nil; nothing it started runs any more. A Client is run once.
//
// Events are handed over one at a time, in order. If nobody takes them, messages
// wait, and in the end stay with the hub; connections go on.
func (c *Client) Run(ctx context.Context, events chan<- Event) error {
	r := &run{Client: c, events: events}
	defer r.out.close()
	defer r.discard()
	for {
		err := r.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errTokenDue) {
			r.renewing()
			continue
		}
		if !r.pause(ctx, r.failed(err)) {
			return nil
		}
	}
}

// A run is what Run knows between sessions.
type run struct {
	*Client
	events chan<- Event
	untold untold
	retry
	famine famine
	next   *link     // for the next session, connected but not logged in; nil if there is none
	began  time.Time // when the last session began, zero if the last attempt failed
	parted time.Time // when the last session ended in order to renew the token, else zero
}

// discard closes the connection that no session has come to use.
func (r *run) discard() {
	if r.next != nil {
		r.next.close(false)
	}
}

// begin takes note of a session that stands.
func (r *run) begin(l *link) {
	r.began = time.Now()
	renewal := !r.parted.IsZero()
	r.counts.began(r.parted)
	switch {
	case renewal:
		r.opts.Log.Info(l.renewed(), "gap_ms", time.Since(r.parted).Milliseconds())
	case r.short < pushedOut || powerOfTwo(r.trouble.Failures): // else it will not last
		r.opts.Log.Info("connected", r.account(l)...)
	}
	r.parted = time.Time{}
	r.opts.Accepted(l.id)
	r.out.open()
	r.untold.add(Connected{
		Host: l.id.Host, Port: r.port(l.id.Way), DeviceID: l.id.DeviceID,
		User: l.user, KeepAlive: r.opts.KeepAlive, Renewal: renewal,
	})
}

// renewed says what a renewal was good for.
func (l *link) renewed() string {
	if l.id.Certificate.IsZero() {
		return "token renewed"
	}
	return "connected anew with the new certificate"
}

// account says to whom the device is connected, and what it took.
func (r *run) account(l *link) []any {
	attrs := []any{"host", l.id.Host, "device", l.id.DeviceID}
	if l.id.Gateway != "" {
		attrs = append(attrs, "gateway", l.id.Gateway)
	}
	if l.id.Way == WebSocket {
		attrs = append(attrs, "transport", "websocket")
	}
	if n := r.trouble.Failures; n > 0 {
		attrs = append(attrs, "failures", n, "down", time.Since(r.trouble.Since).Round(time.Second))
	}
	return attrs
}

// renewing takes note of a session that ended in good order.
func (r *run) renewing() {
	r.retry = retry{stood: true}
	r.famine = famine{}
	r.untold.only(Disconnected{Renewal: true})
	select {
	case r.events <- r.untold.first():
		r.untold.told()
	default: // no time to wait
	}
}

// failed takes note of an attempt or a session that ended with err, and returns
// how long to wait before the next.
func (r *run) failed(err error) time.Duration {
	var stood time.Duration
	what := "not connected"
	if !r.began.IsZero() {
		stood, what = time.Since(r.began), "session ended"
	}
	starved := !r.began.IsZero() && r.out.starved()
	r.began, r.parted = time.Time{}, time.Time{}
	r.out.close()
	r.counts.failed(err)
	r.famine.note(err, starved)
	wait := r.retry.after(time.Now(), err, stood, r.chance())
	wait = r.famine.wait(r.opts.Now(), wait, r.chance())
	r.retry.starving = r.famine.likely()
	if text, attrs, say := r.retry.report(time.Now(), err); say {
		attrs = append([]any{"err", text}, attrs...)
		r.opts.Log.Warn(what, append(attrs, "retry_in", wait.Round(100*time.Millisecond))...)
	}
	r.untold.only(Disconnected{Err: err, Retry: wait, Rival: r.short >= pushedOut})
	return wait
}

// pause waits, and tells meanwhile what is untold. It reports whether ctx goes on.
func (r *run) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		ev, to := r.untold.first(), r.events
		if ev == nil {
			to = nil
		}
		select {
		case to <- ev:
			r.untold.told()
		case <-timer.C:
			return true
		case <-r.look:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// untold are events about the connection that nobody has taken yet: at most that
// there was none, and that there is one.
type untold []Event

func (u *untold) add(e Event)  { *u = append(*u, e) }
func (u *untold) only(e Event) { *u = append((*u)[:0], e) }

// first returns the next event to tell, or nil.
func (u untold) first() Event {
	if len(u) == 0 {
		return nil
	}
	return u[0]
}

// told forgets the first event.
func (u *untold) told() { *u = append((*u)[:0], (*u)[1:]...) }
