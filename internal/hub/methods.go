package hub

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// The topics of direct methods (contract, section 5).
const (
	methodPrefix = "$iothub/methods/POST/"
	answerPrefix = "$iothub/methods/res/"
)

const (
	// MaxMethod is the largest request and the largest answer (contract, section 1.9).
	MaxMethod = 128 * 1024
	// maxCalls bounds the calls of one link that are not answered. A device answers
	// at once or within seconds.
	maxCalls = 64
	// maxRequestID is far beyond any that was seen: a hexadecimal number, or a GUID.
	maxRequestID = 256
)

var (
	errNoRequestID  = errors.New("the topic has no request id that an answer could name")
	errTooManyCalls = fmt.Errorf("%d calls are not answered yet", maxCalls)
)

// A Method is a call of a direct method. Its caller waits for Client.Answer.
type Method struct {
	Name     string // percent-decoded, such as "Power1" or "relay1*toggle"
	Body     []byte // any JSON value, or empty; it may be malformed
	ID       string // what the hub calls this request, $rid; unique within one session
	Received time.Time

	call *call // what Answer answers
}

func (Method) event() {}

// Answer tells the caller of m the outcome: a status, like those of HTTP, and a
// JSON value or nothing. It never blocks, and only the first answer counts. If
// the session in which m came is over, nothing happens: its caller has been told
// that there is no answer.
func (c *Client) Answer(m Method, status int, body []byte) {
	if len(body) > MaxMethod {
		c.opts.Log.Error("answer of a method is too large for the hub", "method", clip(m.Name, 120), "bytes", len(body), "limit", MaxMethod)
		status, body = 500, nil
	}
	if m.call != nil {
		m.call.answer(status, body)
	}
}

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

// method takes a call from the hub. What cannot be read, or is too much, is
// answered here; the device answers all else.
func (c *Client) method(l *link, topic string, body []byte) {
	m, err := decodeMethod(topic, body)
	if m.ID == "" {
		c.opts.Log.Warn("direct method ignored", "topic", clip(topic, 120), "err", err)
		return
	}
	one, refused := l.calls.begin(m.ID)
	m.call, m.Received = one, time.Now()
	if err = cmp.Or(err, refused); err == nil {
		l.express.put(m)
		return
	}
	c.opts.Log.Warn("direct method refused", "method", clip(m.Name, 120), "err", err)
	switch err {
	case errStopped:
		one.answer(503, nil)
	case errTooManyCalls:
		one.answer(429, nil)
	default:
		one.answer(400, nil)
	}
}

// decodeMethod reads the topic $iothub/methods/POST/{name}/?$rid={rid}. With an
// error, m.ID is empty if the call cannot be answered.
func decodeMethod(topic string, body []byte) (m Method, err error) {
	rest, ok := strings.CutPrefix(topic, methodPrefix)
	name, query, ok2 := strings.Cut(rest, "/?")
	if !ok || !ok2 {
		return Method{}, errForeignTopic
	}
	rid, _ := parameter(query, "$rid")
	if !sendable(rid) {
		return Method{}, errNoRequestID
	}
	m = Method{Name: unescape(name), Body: body, ID: rid}
	if len(body) > MaxMethod {
		m.Body = nil
		return m, fmt.Errorf("the body has %d bytes: the hub allows %d", len(body), MaxMethod)
	}
	return m, nil
}

// parameter returns the value of a parameter as it is written.
func parameter(query, name string) (string, bool) {
	for part := range strings.SplitSeq(query, "&") {
		if n, v, ok := strings.Cut(part, "="); ok && n == name {
			return v, true
		}
	}
	return "", false
}

// sendable reports whether a request id can be put into a topic unchanged. One
// with a wildcard would cost the connection.
func sendable(rid string) bool {
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '+' || r == '#' }
	return rid != "" && len(rid) <= maxRequestID && !strings.ContainsFunc(rid, bad)
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
	}
}
