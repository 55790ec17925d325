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
	// A renewal waits until no caller of a method waits for the device, which
	// answers within seconds: it looks again after renewAgain, until renewLate.
	renewAgain = 50 * time.Millisecond
	renewLate  = 25 * time.Second
)

// session connects once and serves until ctx ends, the token is due, or the link
// is lost. It returns the reason.
func (r *run) session(ctx context.Context) error {
	id, err := r.opts.Identify(ctx, r.trouble)
	if err != nil {
		return err
	}
	if id.Host == "" || id.DeviceID == "" {
		return errors.New("neither hub nor device is known")
	}
	l, err := r.connect(ctx, id)
	if err != nil {
		return err
	}
	r.begin(l)
	r.current.Store(l)
	defer r.current.Store(nil)
	err = r.serve(ctx, l)
	if errors.Is(err, errTokenDue) {
		r.out.hold()
		r.drain(ctx, l, min(partWithin, r.opts.TokenTTL/10))
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
		r.parted = time.Now()
		l.close(true)
	}
	return err
}

// serve hands events to the device, one after the other, while the pump sends
// what the device has to say.
func (r *run) serve(ctx context.Context, l *link) error {
	renew := time.NewTimer(time.Until(l.due))
	defer renew.Stop()
	var next Event           // a Message, taken from the inbox and not yet by the device
	var waited time.Duration // with a renewal, for methods to be answered
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
		var err error
		select {
		case to <- ev:
			told()
			continue
		case <-l.in.came:
			continue
		case <-l.express.came:
			continue
		case <-renew.C:
			if l.calls.busy() && waited < renewLate {
				waited += renewAgain
				renew.Reset(renewAgain)
				continue
			}
			waited = 0
			if !r.outdated(ctx, l) {
				renew.Reset(lookEvery)
				continue
			}
			err = errTokenDue
		case <-l.ctx.Done():
			err = context.Cause(l.ctx)
		case <-ctx.Done():
			err = ctx.Err()
		}
		if next != nil {
			l.in.untake()
		}
		return err
	}
}

// outdated reports whether a session is to be renewed whose time has come. With a
// token it always is, with a certificate only if there is another one now.
func (r *run) outdated(ctx context.Context, l *link) bool {
	if l.id.Certificate.IsZero() {
		return true
	}
	id, err := r.opts.Identify(ctx, Trouble{})
	return err == nil && !id.Certificate.Equal(l.id.Certificate)
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
