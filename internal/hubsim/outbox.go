package hubsim

import (
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// maxOutbox is how many packets may wait for a device that does not read.
const maxOutbox = 1000

// The lanes of an outbox. A packet that is held up delays only its own lane.
const (
	laneAcks = iota // PUBACKs
	laneRest
	lanes
)

// An outbox is what waits to be written to one device, in order.
type outbox struct {
	wake chan struct{} // one element: something was put

	mu    sync.Mutex
	lanes [lanes][]held
	over  bool // something had no room
}

// held is a packet that must not be sent before its time.
type held struct {
	packet packets.ControlPacket
	due    time.Time // zero: at once
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// put appends p to a lane. It reports false if the device is too far behind.
func (o *outbox) put(lane int, p packets.ControlPacket, delay time.Duration) bool {
	h := held{packet: p}
	if delay > 0 {
		h.due = time.Now().Add(delay)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.lanes[lane]) >= maxOutbox {
		o.over = true
		return false
	}
	o.lanes[lane] = append(o.lanes[lane], h)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return true
}

// overflowed reports whether a packet was lost for want of room.
func (o *outbox) overflowed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over
}

// pop takes the next packet that is due. Without one it says how long until
// the earliest is, or 0 if nothing waits.
func (o *outbox) pop(now time.Time) (packets.ControlPacket, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var wait time.Duration
	for i, q := range o.lanes {
		if len(q) == 0 {
			continue
		}
		left := q[0].due.Sub(now)
		if q[0].due.IsZero() || left <= 0 {
			o.lanes[i] = q[1:]
			return q[0].packet, 0
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return nil, wait
}

// next waits for a packet. It returns nil when done is closed.
func (o *outbox) next(done <-chan struct{}) packets.ControlPacket {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		p, wait := o.pop(time.Now())
		if p != nil {
			return p
		}
		var due <-chan time.Time
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-o.wake:
		case <-due:
		case <-done:
			return nil
		}
	}
}
