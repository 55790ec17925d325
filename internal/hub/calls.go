package hub

import (
	"errors"
	"strconv"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// calls are the direct methods of one link that are not answered, and the answers
// that wait for the pump.
type calls struct {
	answered chan struct{} // holds one token when there may be an answer to send
	free     chan struct{} // holds one token when no caller waits any more

	mu       sync.Mutex
	open     int
	since    time.Time // when the first of them began
	answers  []answer
	stopping bool // the device takes no more
}

// A call is one direct method on its way from PUBLISH to its answer.
type call struct {
	in     *calls
	rid    string
	isDone bool
}

type answer struct {
	topic string
	body  []byte
}

func newCalls() *calls { return &calls{answered: make(chan struct{}, 1), free: make(chan struct{}, 1)} }

// begin notes a call. If nobody can deal with it, refused says why.
func (cs *calls) begin(rid string) (c *call, refused error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open++; cs.open == 1 {
		cs.since = time.Now()
	}
	switch {
	case cs.stopping:
		refused = errStopped
	case cs.open > maxCalls:
		refused = errTooManyCalls
	}
	return &call{in: cs, rid: rid}, refused
}

// turnAway answers the calls that the device has not taken, and all that come:
// it takes no more.
func (l *link) turnAway() {
	l.calls.mu.Lock()
	l.calls.stopping = true
	l.calls.mu.Unlock()
	for e := l.express.first(); e != nil; e = l.express.first() {
		if m, ok := e.(Method); ok {
			m.call.answer(503, nil)
		}
		l.express.told()
	}
}

func (c *call) answer(status int, body []byte) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.isDone {
		return
	}
	c.isDone = true
	c.in.open--
	c.in.answers = append(c.in.answers, answer{answerTopic(status, c.rid), body})
	nudge(c.in.answered)
	if c.in.open == 0 {
		nudge(c.in.free)
	}
}

func answerTopic(status int, rid string) string {
	return answerPrefix + strconv.Itoa(status) + "/?$rid=" + rid
}

// patience is how long a renewal has to wait at most because callers wait for the
// device, which answers within seconds. It is 0 if there are none.
func (cs *calls) patience() time.Duration {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == 0 {
		return 0
	}
	return renewLate - time.Since(cs.since)
}

// settled reports whether every call is answered, and every answer sent.
func (cs *calls) settled() bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.open == 0 && len(cs.answers) == 0
}

// next removes the oldest answer and returns it, if there is one.
func (cs *calls) next() (answer, bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.answers) == 0 {
		return answer{}, false
	}
	a := cs.answers[0]
	cs.answers[0] = answer{}
	cs.answers = cs.answers[1:]
	return a, true
}

// putBack undoes next.
func (cs *calls) putBack(a answer) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.answers = append([]answer{a}, cs.answers...)
	nudge(cs.answered)
}

// reply sends the answers of methods, with QoS 0 as the contract has it: the
// caller is there now or not at all.
func (p *pump) reply() {
	for a, ok := p.link.calls.next(); ok; a, ok = p.link.calls.next() {
		err := p.link.client.Publish(a.topic, 0, false, a.body).Error()
		if err != nil {
			if !errors.Is(err, mqtt.ErrNotConnected) { // paho was too busy to take it
				p.link.calls.putBack(a)
			}
			return
		}
		p.handed++
	}
}
