package hubsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Limits of direct methods (contract, sections 1.9 and 5). How many calls one
// device may have in flight is not documented.
const (
	maxMethod   = 128 << 10 // bytes of a request or an answer
	maxInFlight = 100
)

// What the caller of a direct method can be told instead of an answer.
var (
	ErrNotOnline    = errors.New("404103: the device is not online, or has not subscribed to methods")
	ErrTooManyCalls = errors.New("403800: too many calls of this device are in flight")
	ErrBadAnswer    = errors.New("502: the device answered what is not JSON")
	ErrNoAnswer     = errors.New("504101: timed out waiting for the response from the device")
)

// A Call is a direct method as its caller gives it.
type Call struct {
	Method          string        // such as "Power1", or "relay1*toggle" for a command of a component
	Payload         []byte        // any JSON value; empty sends an empty body
	ResponseTimeout time.Duration // how long to wait for the answer: 5 s to 300 s, default 30 s
	ConnectTimeout  time.Duration // how long to wait for a device that is away: up to 300 s, default not at all
}

// An Answer is what a device made of a call.
type Answer struct {
	Status int    // the device's own, whatever it is
	Body   []byte // JSON, or empty
}

// call is a call in flight.
type call struct {
	rid    string
	answer chan Answer   // one element
	ended  chan struct{} // closed when the session ends
}

// Invoke calls a direct method of a device and returns its answer (H40). It is
// never queued (H42). Without an answer it fails with ErrInvalid, ErrTooLarge,
// ErrUnknownDevice, ErrNotOnline, ErrTooManyCalls, ErrNoAnswer, ErrBadAnswer,
// or the cause of ctx.
func (s *Sim) Invoke(ctx context.Context, deviceID string, c Call) (Answer, error) {
	setDefault(&c.ResponseTimeout, 30*time.Second)
	if err := c.check(); err != nil {
		return Answer{}, err
	}
	ss, p, err := s.whenOnline(ctx, deviceID, c)
	if err != nil {
		return Answer{}, err
	}
	defer ss.forget(p)
	select {
	case a := <-p.answer:
		if len(a.Body) > 0 && !json.Valid(a.Body) {
			return Answer{}, ErrBadAnswer
		}
		return a, nil
	case <-p.ended:
		return Answer{}, fmt.Errorf("%w: its connection ended before the answer", ErrNotOnline)
	case <-time.After(c.ResponseTimeout):
		return Answer{}, ErrNoAnswer
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

func (c Call) check() error {
	switch {
	case c.Method == "" || !methodName(c.Method):
		return fmt.Errorf("%w: method name %.140q: printable ASCII without $ ( ) < > @ , ; : \\ \" / [ ] ? = { } and space", ErrInvalid, c.Method)
	case len(c.Payload) > maxMethod || len(c.Method) > maxName:
		return ErrTooLarge
	case len(c.Payload) > 0 && !json.Valid(c.Payload):
		return fmt.Errorf("%w: the payload of a method is JSON", ErrInvalid)
	case c.ResponseTimeout < 5*time.Second || c.ResponseTimeout > 300*time.Second:
		return fmt.Errorf("%w: the response timeout is between 5s and 300s", ErrInvalid)
	case c.ConnectTimeout < 0 || c.ConnectTimeout > 300*time.Second:
		return fmt.Errorf("%w: the connect timeout is between 0s and 300s", ErrInvalid)
	}
	return nil
}

// maxName keeps the topic of a call below the limit of MQTT, however its name
// is encoded.
const maxName = 16 << 10

func methodName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("$()<>@,;:\\\"/[]?={}", r)
	})
}

// methodTopic is where a call is published. The name stands there as it is,
// but for what has a meaning of its own in a topic or in an encoded text.
func methodTopic(name, rid string) string {
	name = strings.NewReplacer("%", "%25", "+", "%2B", "#", "%23").Replace(name)
	return methodPrefix + name + "/?$rid=" + rid
}

// whenOnline puts a call to the device, which it waits for if it may.
func (s *Sim) whenOnline(ctx context.Context, deviceID string, c Call) (*session, *call, error) {
	var patience <-chan time.Time
	if c.ConnectTimeout > 0 {
		patience = time.After(c.ConnectTimeout)
	}
	for {
		s.mu.Lock()
		ss, p, err := s.place(deviceID, c)
		changed := s.changed
		s.mu.Unlock()
		if !errors.Is(err, ErrNotOnline) || patience == nil {
			return ss, p, err
		}
		select {
		case <-changed:
		case <-patience:
			return nil, nil, err
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-s.ended:
			return nil, nil, errClosing
		}
	}
}

// place sends a call to a device that has subscribed to methods. The caller
// holds s.mu.
func (s *Sim) place(deviceID string, c Call) (*session, *call, error) {
	d := s.devices[deviceID]
	switch {
	case d == nil:
		return nil, nil, ErrUnknownDevice
	case d.session == nil || !d.session.filters[filterMethods]:
		return nil, nil, ErrNotOnline
	case len(d.session.calls) >= maxInFlight:
		return nil, nil, ErrTooManyCalls
	case !s.charge(d.hub, len(c.Payload)):
		return nil, nil, ErrOverQuota
	}
	s.lastCall++
	ss, p := d.session, &call{rid: strconv.FormatUint(s.lastCall, 16), answer: make(chan Answer, 1), ended: make(chan struct{})}
	ss.calls[p.rid] = p
	out := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	out.TopicName, out.Payload = methodTopic(c.Method, p.rid), c.Payload
	ss.send(out)
	return ss, p, nil
}

// answer takes the device's answer to a call. One that fits none, because it
// is late, the second one or made up, goes nowhere.
func (ss *session) answer(topic string, body []byte) error {
	status, query, _ := strings.Cut(strings.TrimPrefix(topic, answerPrefix), "/?")
	code, err := strconv.ParseInt(status, 10, 32)
	rid, ok := requestID(query)
	if err != nil || !ok {
		return fmt.Errorf("%.200q is no topic to answer a method on", topic)
	}
	if len(body) > maxMethod {
		return fmt.Errorf("%w: the answer of a method, %d bytes", ErrTooLarge, len(body))
	}
	ss.sim.mu.Lock()
	defer ss.sim.mu.Unlock()
	if p := ss.calls[rid]; p != nil && ss.sim.charge(ss.hub, len(body)) {
		delete(ss.calls, rid)
		p.answer <- Answer{int(code), body}
	}
	return nil
}

// forget ends the wait for an answer.
func (ss *session) forget(p *call) {
	ss.sim.mu.Lock()
	defer ss.sim.mu.Unlock()
	delete(ss.calls, p.rid)
}

// hangUp ends the calls of a session that has ended. The caller holds sim.mu.
func (ss *session) hangUp() {
	for rid, p := range ss.calls {
		delete(ss.calls, rid)
		close(p.ended)
	}
}
