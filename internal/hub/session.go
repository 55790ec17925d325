package hub

import (
	"context"
	"errors"
	"time"
)

const (
	// partWithin bounds how long a session whose token is used up waits for
	// acknowledgements in both directions; stopWithin when the daemon stops.
	partWithin = 5 * time.Second
	stopWithin = 2 * time.Second
	// renewLate bounds how long a renewal waits for the device to answer the callers
	// of methods.
	renewLate = 25 * time.Second
	// leaveWithin is how long the hub may take to close the connection of a session
	// that has said goodbye: a round trip, and twice the time to send again what was
	// lost.
	leaveWithin = 3 * time.Second
)

// session connects once and serves until ctx ends, the token is due, or the link
// is lost. It returns the reason.
func (r *run) session(ctx context.Context) error {
	l, err := r.connect(ctx)
	if err != nil {
		return err
	}
	r.begin(l)
	r.current.Store(l)
	defer r.current.Store(nil)
	next, err := r.serve(ctx, l)
	if err == nil {
		r.out.hold()
		r.drain(ctx, l, max(min(partWithin, r.opts.TokenTTL/10), l.calls.patience()))
	}
	switch {
	case ctx.Err() != nil:
		r.out.open()
		l.turnAway()
		r.drain(context.WithoutCancel(ctx), l, stopWithin)
		l.close(true)
	case l.ctx.Err() != nil:
		err = context.Cause(l.ctx)
		l.close(false)
	default:
		r.next = r.newLink(ctx, next)
		r.parted = time.Now()
		if !l.leave() {
			r.opts.Log.Warn("the hub did not end the old session, and may report this device as gone", "waited", leaveWithin)
		}
		return errTokenDue
	}
	if next != nil {
		next.conn.Close()
	}
	return err
}

// connect logs in on the connection that was made while the last session stood. If
// there is none, or it has died since, it makes a new one.
func (r *run) connect(ctx context.Context) (*link, error) {
	if l := r.next; l != nil {
		r.next = nil
		err := r.login(ctx, l, time.Now().Add(connectWithin))
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != 0 || ctx.Err() != nil {
			return l, err
		}
	}
	id, err := r.identify(ctx, r.trouble)
	if err != nil {
		return nil, err
	}
	on, err := r.reach(ctx, id)
	if err != nil {
		return nil, err
	}
	l := r.newLink(ctx, on)
	return l, r.login(ctx, l, on.from.Add(connectWithin))
}

// serve hands events to the device, one after the other, while the pump sends
// what the device has to say. It returns with an error, or with the connection for
// the next session when there is one and no caller of a method waits.
func (r *run) serve(ctx context.Context, l *link) (*reached, error) {
	heir := r.succeed(ctx, l)
	defer heir.close()
	var next Event // a Message, taken from the inbox and not yet by the device
	defer func() {
		if next != nil {
			l.in.untake()
		}
	}()
	for {
		ev, told := r.untold.first(), r.untold.told
		if ev == nil {
			ev, told = l.express.first(), l.express.told
		}
		if ev == nil {
			if next == nil {
				next = r.take(l)
			}
			ev, told = next, func() { next = nil }
		}
		to := r.events
		if ev == nil {
			to = nil
		}
		ready, patient := heir.ready, (<-chan time.Time)(nil)
		if d := l.calls.patience(); d > 0 {
			ready, patient = nil, time.After(d)
		}
		select {
		case to <- ev:
			told()
		case <-l.in.came:
		case <-l.express.came:
		case <-l.calls.free:
		case <-patient:
		case successor := <-ready:
			return successor, nil
		case <-l.ctx.Done():
			return nil, context.Cause(l.ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take returns the next message that can be read, or nil. One that cannot be
// read is acknowledged, or else the hub would deliver it for two days.
func (r *run) take(l *link) Event {
	for a := l.in.take(); a != nil; a = l.in.take() {
		m, err := decode(l.prefix, a.message.Topic(), a.message.Payload())
		if err == nil {
			m.Received, m.arrival = a.at, a
			return m
		}
		r.opts.Log.Warn("message ignored", "topic", clip(a.message.Topic(), 120), "err", err)
		a.done()
	}
	return nil
}

// drain waits until what was sent is acknowledged, and what the device has been
// given as well, but no longer than most or ctx. New messages stay in the inbox
// unacknowledged: the hub delivers them in the next session. A method would be lost
// with its session, so those that come meanwhile are still handed over.
func (r *run) drain(ctx context.Context, l *link, most time.Duration) {
	l.part()
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		ev, to := l.express.first(), r.events
		if ev == nil {
			to = nil
		}
		select {
		case to <- ev:
			l.express.told()
			continue
		case <-l.express.came:
			continue
		case <-l.drained:
		case <-l.ctx.Done():
		case <-ctx.Done():
		case <-timer.C:
		}
		return
	}
}
