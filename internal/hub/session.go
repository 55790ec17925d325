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
	err = r.serve(ctx, l)
	if errors.Is(err, errTokenDue) {
		r.out.hold()
		l.drain(ctx, min(partWithin, r.opts.TokenTTL/10))
	}
	switch {
	case ctx.Err() != nil:
		r.out.open()
		l.drain(context.WithoutCancel(ctx), stopWithin)
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
	var next Event // a Message, taken from the inbox and not yet by the device
	for {
		ev, to := r.untold.first(), r.events
		if ev == nil && next == nil {
			next = r.take(l)
		}
		if ev == nil {
			ev = next
		}
		if ev == nil {
			to = nil
		}
		var err error
		select {
		case to <- ev:
			if !r.untold.told() {
				next = nil
			}
			continue
		case <-l.in.came:
			continue
		case <-renew.C:
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
// unacknowledged: the hub delivers them in the next session.
func (l *link) drain(ctx context.Context, most time.Duration) {
	l.part()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-l.drained:
	case <-l.ctx.Done():
	case <-ctx.Done():
	case <-timer.C:
	}
}
