package hub

import (
	"slices"
	"sync"
	"time"
)

const (
	maxQueued      = 1000           // messages
	maxQueuedBytes = 1 << 20        // their bodies and names together
	maxQueuedFor   = 48 * time.Hour // as long as a hub keeps a command (contract, section 4.2)
	// maxInFlight is how many messages may wait for their PUBACK. A hub that
	// throttles is slow to acknowledge, and more would only wait there.
	maxInFlight = 64
)

// An outbox keeps telemetry in the order of Send until the hub has acknowledged
// it. The Client has one for its whole life; the link of the moment works it
// off. That is why paho's store is not used: it forgets the order.
type outbox struct {
	wake chan struct{} // holds one token when there may be something to send
	gone chan struct{} // holds one token when a numbered message may have left

	mu       sync.Mutex
	queue    []Telemetry
	sent     int // the first so many of queue are on the wire
	bytes    int
	standing bool // a session stands, or is about to follow on the last one
	held     bool // nothing new is to be sent on this link
	dropped  int

	handed, confirmed int // so many were sent in this session, and acknowledged
}

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1), gone: make(chan struct{}, 1)}
}

// poke says that there may be something to send.
func (q *outbox) poke() { nudge(q.wake) }

// nudge leaves a token in a channel that holds one.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// add queues t at now. If messages had to be dropped for it, it returns how many
// were dropped so far.
func (q *outbox) add(now time.Time, t Telemetry) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.Perishable && !q.standing {
		return 0
	}
	t.Late = t.Late || !q.standing
	q.queue = append(q.queue, t)
	q.bytes += t.size()
	before := q.dropped
	for len(q.queue) > q.sent && (len(q.queue) > maxQueued || q.bytes > maxQueuedBytes || q.queue[q.sent].old(now)) {
		q.remove(q.sent) // the oldest that is not on the wire
		q.dropped++
		nudge(q.gone)
	}
	q.poke()
	if q.dropped > before {
		return q.dropped
	}
	return 0
}

// old tells whether t has waited for so long that it is of no use.
func (t Telemetry) old(now time.Time) bool {
	return !t.Created.IsZero() && now.Sub(t.Created) > maxQueuedFor
}

// progress tells the number of the oldest numbered message that has not arrived,
// zero if all have, and how many were dropped so far.
func (q *outbox) progress() (oldest uint64, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.queue {
		if t.Number != 0 {
			return t.Number, q.dropped
		}
	}
	return 0, q.dropped
}

// depth tells how many messages have not arrived, and how many were dropped so far.
func (q *outbox) depth() (waiting, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue), q.dropped
}

func (q *outbox) remove(i int) {
	q.bytes -= q.queue[i].size()
	if i == 0 && len(q.queue) > 1 { // without moving all others
		q.queue[0] = Telemetry{}
		q.queue = q.queue[1:]
		return
	}
	q.queue = slices.Delete(q.queue, i, i+1)
}

// next returns the next message to send, and counts it as sent.
func (q *outbox) next() (Telemetry, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held || q.sent == len(q.queue) || q.sent == maxInFlight {
		return Telemetry{}, false
	}
	q.sent++
	q.handed++
	return q.queue[q.sent-1], true
}

// pending reports whether there is something to send on this link.
func (q *outbox) pending() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.held && q.sent < len(q.queue)
}

// unsend takes back that the last message from next was sent.
func (q *outbox) unsend() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent--
	q.handed--
}

// confirm forgets the oldest message on the wire: the hub has it.
func (q *outbox) confirm() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queue[0].Number != 0 {
		nudge(q.gone)
	}
	q.remove(0)
	q.sent--
	q.confirmed++
}

// starved tells whether the session sent messages and none of them was acknowledged.
func (q *outbox) starved() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.handed > 0 && q.confirmed == 0
}

// rewind ends a link: what is on the wire and not arrived is to be sent again.
func (q *outbox) rewind(arrived func(i int) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := q.sent - 1; i >= 0; i-- {
		q.queue[i].Late = true // sent again
		if arrived(i) {
			q.remove(i)
		}
	}
	q.sent = 0
	nudge(q.gone)
}

// open begins a session.
func (q *outbox) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.standing, q.held = true, false
	q.handed, q.confirmed = 0, 0
	q.poke()
}

// hold ends the sending of new messages, before a session ends in good order.
func (q *outbox) hold() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = true
}

// close says that no session stands and none is about to: what is perishable
// perishes.
func (q *outbox) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.standing = false
	q.queue = slices.DeleteFunc(q.queue, func(t Telemetry) bool {
		if t.Perishable {
			q.bytes -= t.size()
		}
		return t.Perishable
	})
}
