package device

import (
	"math"
	"time"

	"tasmota-azd/internal/hub"
)

const (
	// drainedAfter is how long after a connect no message must have come until the
	// hub's queue for this device counts as empty. The hub sends what is in it right
	// after CONNACK (contract, section 1.6).
	drainedAfter = 10 * time.Second
	// sayEmptyEvery is how often the moment is saved at which that queue was empty.
	sayEmptyEvery = time.Hour

	// forEver is the age of a message of which nothing is known.
	forEver = time.Duration(math.MaxInt64)
)

// creationTime is the application property in which a sender says when it made a
// message (contract, section 3.3).
const creationTime = "iothub-creation-time-utc"

// A cloudQueue is what is known of the hub's queue for this device. MQTT does not tell
// when a message was put into it.
type cloudQueue struct {
	standing  bool
	drained   bool      // it was empty once in this session: what comes now, comes at once
	last      time.Time // when this session began, or its last message came
	empty     time.Time // proven time at which it was last certainly empty, or zero
	said      time.Time // of that, what is saved
	keepAlive time.Duration
}

// connected begins a session. One that renews the last follows so closely that it
// finds what came in between.
func (q *cloudQueue) connected(now time.Time, ev hub.Connected) {
	q.drained = q.drained && ev.Renewal
	q.standing, q.last, q.keepAlive = true, now, ev.KeepAlive
}

// disconnected ends a session. The link may have been dead for one and a half times
// the keep-alive before that showed.
func (q *cloudQueue) disconnected(wall time.Time, ev hub.Disconnected) {
	if q.standing && q.drained {
		q.empty = wall.Add(-q.keepAlive - q.keepAlive/2)
	}
	q.standing = false
	q.drained = q.drained && ev.Renewal
}

// age is the longest that m may have waited when it came at now, which is wall by
// the proven clock.
func (q *cloudQueue) age(now, wall time.Time, m hub.Message) time.Duration {
	q.look(now, wall)
	q.last = now
	if text, ok := m.Property(creationTime); ok {
		if made, err := time.Parse(time.RFC3339, text); err == nil {
			return max(wall.Sub(made), 0)
		}
	}
	if m.Expiry != "" {
		if until, err := time.Parse(time.RFC3339, m.Expiry); err == nil && wall.After(until) {
			return forEver
		} else if err == nil {
			return 0 // the sender has said how long it is good for
		}
	}
	switch {
	case q.drained:
		return 0
	case q.empty.IsZero():
		return forEver
	}
	return max(wall.Sub(q.empty), 0)
}

// look finds out whether the queue is empty at now.
func (q *cloudQueue) look(now, wall time.Time) {
	q.drained = q.drained || q.standing && now.Sub(q.last) >= drainedAfter
	if q.standing && q.drained {
		q.empty = wall
	}
}

// saying is the moment to save, so that a restart knows it. Once in a while is
// enough as long as a session stands, and spares the disk.
func (q *cloudQueue) saying(now, wall time.Time, ending bool) time.Time {
	q.look(now, wall)
	if !q.standing || ending || q.empty.Sub(q.said) >= sayEmptyEvery {
		q.said = q.empty.UTC().Truncate(time.Second)
	}
	return q.said
}
