package hub

import (
	"context"
	"errors"
	"sync"
	"time"
)

// freshFor is how long a connection may wait for its CONNECT. The hub closes one
// that waits for a minute (contract, section 10).
const freshFor = 30 * time.Second

// A successor makes the connection for the next session while this one serves: when
// its token is nearly used up, or when there is another certificate. What can take
// long, such as the name, TCP and TLS, is over before the old session ends. If there
// is no way to the hub, the old session goes on for as long as the hub lets it.
type successor struct {
	*Client
	old     *link
	ready   chan *reached
	stop    context.CancelFunc
	running sync.WaitGroup
}

// A reached is a connection to the hub on which nobody has logged in yet.
type reached struct {
	id   Identity // with the way that was taken
	conn *conn
	from time.Time // when dialing began
}

// succeed begins to look for the successor of l. The caller closes it.
func (c *Client) succeed(ctx context.Context, l *link) *successor {
	s := &successor{Client: c, old: l, ready: make(chan *reached)}
	ctx, s.stop = context.WithCancel(ctx)
	s.running.Go(func() { s.run(ctx) })
	return s
}

// close returns when nothing of s runs any more.
func (s *successor) close() {
	s.stop()
	s.running.Wait()
}

// run ends when a connection has been taken, or with ctx.
func (s *successor) run(ctx context.Context) {
	var again retry
	wait, renew := time.Until(s.old.due), false
	for {
		looked, ok := s.sleep(ctx, wait)
		if !ok {
			return
		}
		id, err := s.identify(ctx, again.trouble)
		renew = renew || !looked && s.old.id.Certificate.IsZero()
		if err == nil && !renew && s.uptodate(id) {
			wait = lookEvery
			if s.old.id.Certificate.IsZero() {
				wait = time.Until(s.old.due)
			}
			continue
		}
		var next *reached
		if err == nil {
			next, err = s.reach(ctx, id)
		}
		switch {
		case ctx.Err() != nil:
		case err == nil:
			if s.offer(ctx, next) {
				return
			}
			again, wait = retry{}, minWait
		default:
			wait = again.after(time.Now(), err, 0, s.chance())
			if text, attrs, say := again.report(time.Now(), err); say {
				attrs = append([]any{"err", text}, attrs...)
				s.opts.Log.Warn("the session cannot be renewed yet", append(attrs, "retry_in", wait.Round(100*time.Millisecond))...)
			}
		}
	}
}

// sleep waits, and reports whether ctx goes on, and whether Renew ended it early.
func (s *successor) sleep(ctx context.Context, d time.Duration) (looked, ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, true
	case <-s.look:
		return true, true
	case <-ctx.Done():
		return false, false
	}
}

// uptodate reports whether the session would be begun as it was: id comes with the same
// key or certificate, and the will is the same.
func (s *successor) uptodate(id Identity) bool {
	old := s.old
	return id.Certificate.Equal(old.id.Certificate) && id.Key.Equal(old.id.Key) &&
		(s.opts.Will == nil || s.opts.Will(old.id.DeviceID).Topic == old.will)
}

// offer waits until next is taken, and discards it if it dies or becomes stale.
func (s *successor) offer(ctx context.Context, next *reached) (taken bool) {
	stale := time.NewTimer(freshFor)
	defer stale.Stop()
	select {
	case s.ready <- next:
		return true
	case <-next.conn.heard: // the hub does not speak first: this is the end
	case <-stale.C:
	case <-ctx.Done():
	}
	next.conn.Close()
	return false
}

// identify asks as whom to connect where.
func (c *Client) identify(ctx context.Context, t Trouble) (Identity, error) {
	id, err := c.opts.Identify(ctx, t)
	if err == nil && (id.Host == "" || id.DeviceID == "") {
		err = errors.New("neither hub nor device is known")
	}
	if err == nil {
		c.turns.Of(id.DeviceID)
	}
	return id, err
}

// reach opens a connection for id, up to the point where MQTT begins.
func (c *Client) reach(ctx context.Context, id Identity) (*reached, error) {
	within, cancel := context.WithTimeoutCause(ctx, connectWithin, errTimeout)
	defer cancel()
	from := time.Now()
	raw, way, err := c.dial(within, id)
	if err != nil {
		return nil, c.dialError(id, way, err)
	}
	id.Way = way
	return &reached{id, newConn(raw, c.opts.KeepAlive), from}, nil
}
