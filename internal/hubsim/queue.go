package hubsim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Limits of a device's queue (contract, sections 1.9 and 4.2).
const (
	maxQueue = 50
	maxC2D   = 64 << 10
	maxTTL   = 48 * time.Hour
)

// C2D is a cloud-to-device message as its sender gives it. What is empty is
// left out of the property bag.
type C2D struct {
	MessageID, CorrelationID, UserID string
	ContentType, ContentEncoding     string
	To                               string        // default "/devices/{id}/messages/devicebound"; some senders write "deviceBound"
	Ack                              string        // feedback asked for: "none", "positive", "negative", "full"
	TTL                              time.Duration // default Options.TTL; a given one is announced as $.exp
	Properties                       Properties    // application properties
	Body                             []byte
}

// message is a C2D message in the queue of its device. Sim.mu guards it.
type message struct {
	C2D
	seq        uint64
	enqueued   time.Time
	expires    time.Time
	deliveries int
	lock       *time.Timer // not nil: delivered and neither acknowledged nor given up
	expiry     *time.Timer // not nil: somebody wants to hear that it expired
}

// Queued is what can be seen of a C2D message that is not completed.
type Queued struct {
	Seq        uint64
	MessageID  string
	Properties Properties
	Body       []byte
	Enqueued   time.Time
	Expires    time.Time
	Deliveries int  // how often it was sent to the device
	Locked     bool // sent, and the hub waits for the PUBACK
}

// Send puts a message into the queue of a device and returns its number there.
// It fails with ErrUnknownDevice, ErrQueueFull (403004), ErrTooLarge or
// ErrInvalid.
func (s *Sim) Send(deviceID string, m C2D) (uint64, error) {
	if err := m.check(deviceID); err != nil {
		return 0, err
	}
	var seq uint64
	err := s.change(func() error {
		d := s.devices[deviceID]
		if d == nil {
			return ErrUnknownDevice
		}
		now := time.Now()
		s.expire(d, now)
		if len(d.queue) >= maxQueue {
			return ErrQueueFull
		}
		if !s.charge(d.hub, m.size()) {
			return ErrOverQuota
		}
		d.lastSeq++
		seq = d.lastSeq
		fresh := &message{C2D: m, seq: seq, enqueued: now, expires: now.Add(s.ttl(m))}
		d.queue = append(d.queue, fresh)
		s.watch(d, fresh)
		s.deliver(d)
		return nil
	})
	return seq, err
}

func (s *Sim) ttl(m C2D) time.Duration {
	if m.TTL > 0 {
		return m.TTL
	}
	return s.opts.TTL
}

// size counts as Record.size does.
func (m C2D) size() int {
	n := len(m.Body) + len(m.MessageID) + len(m.CorrelationID) + len(m.UserID) + len(m.ContentType) + len(m.ContentEncoding)
	for _, p := range m.Properties {
		n += len(p.Name) + len(p.Value)
	}
	return n
}

func (m C2D) check(deviceID string) error {
	for _, p := range m.Properties {
		if p.Name == "" || strings.HasPrefix(p.Name, "$.") || p.Null && p.Value != "" {
			return fmt.Errorf("%w: property %q", ErrInvalid, p.Name)
		}
	}
	switch {
	case m.size() > maxC2D || len(m.topic(deviceID))+len("&%24.exp=")+3*len(expiryFormat) > 65535:
		return ErrTooLarge
	case m.TTL < 0 || m.TTL > maxTTL:
		return fmt.Errorf("%w: a message lives at most %v", ErrInvalid, maxTTL)
	case m.To != "" && !strings.EqualFold(m.To, defaultTo(deviceID)):
		return fmt.Errorf("%w: to %q: it is %s", ErrInvalid, m.To, defaultTo(deviceID))
	case !slices.Contains([]string{"", "none", "positive", "negative", "full"}, m.Ack):
		return fmt.Errorf("%w: ack %q: none, positive, negative or full", ErrInvalid, m.Ack)
	}
	return nil
}

func defaultTo(deviceID string) string { return "/devices/" + deviceID + "/messages/devicebound" }

// expiryFormat is how a service writes $.exp.
const expiryFormat = "2006-01-02T15:04:05.0000000Z"

// topic is where the message is published, with everything but its expiry.
func (m C2D) topic(deviceID string) string {
	to := m.To
	if to == "" {
		to = defaultTo(deviceID)
	}
	var bag []Property
	for _, p := range []Property{
		{Name: "$.mid", Value: m.MessageID},
		{Name: "$.cid", Value: m.CorrelationID},
		{Name: "$.uid", Value: m.UserID},
		{Name: "$.to", Value: to},
		{Name: "$.ct", Value: m.ContentType},
		{Name: "$.ce", Value: m.ContentEncoding},
		{Name: "iothub-ack", Value: m.Ack},
	} {
		if p.Value != "" {
			bag = append(bag, p)
		}
	}
	return c2dPrefix(deviceID) + encodeBag(append(bag, m.Properties...))
}

// Queue returns the messages of a device that are not completed, oldest first.
func (s *Sim) Queue(deviceID string) []Queued {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[deviceID]
	if d == nil {
		return nil
	}
	s.expire(d, time.Now())
	var all []Queued
	for _, m := range d.queue {
		all = append(all, Queued{
			Seq: m.seq, MessageID: m.MessageID, Properties: m.Properties, Body: m.Body,
			Enqueued: m.enqueued, Expires: m.expires, Deliveries: m.deliveries, Locked: m.lock != nil,
		})
	}
	return all
}

// expire drops what has outlived its time (H37). The caller holds s.mu.
func (s *Sim) expire(d *device, now time.Time) {
	d.queue = slices.DeleteFunc(d.queue, func(m *message) bool {
		over := !now.Before(m.expires)
		if over {
			s.tell(d, m, FeedbackExpired)
		}
		return over
	})
}

// complete removes a message. The caller holds s.mu.
func (s *Sim) complete(d *device, m *message) {
	s.tell(d, m, FeedbackSuccess)
	d.queue = slices.DeleteFunc(d.queue, func(o *message) bool { return o == m })
}

func (m *message) unlock() {
	if m.lock != nil {
		m.lock.Stop()
		m.lock = nil
	}
}

// deliver sends the device whatever waits for it, in the order of the queue.
// The caller holds s.mu.
func (s *Sim) deliver(d *device) {
	ss := d.session
	if ss == nil || !d.sub.On {
		return
	}
	s.expire(d, time.Now())
	for _, m := range slices.Clone(d.queue) {
		if m.lock == nil && m.seq > d.sub.After {
			s.deliverOne(ss, m)
		}
	}
}

// deliverOne publishes m and locks it until its PUBACK comes. Over a
// subscription with QoS 0 it is completed by being sent (contract, section
// 4.2, not verified).
func (s *Sim) deliverOne(ss *session, m *message) {
	m.deliveries++
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.Qos = m.topic(ss.dev.id), m.Body, ss.dev.sub.QoS
	if m.TTL > 0 {
		p.TopicName += "&" + encodeBag([]Property{{Name: "$.exp", Value: m.expires.UTC().Format(expiryFormat)}})
	}
	if p.Qos == 0 {
		s.complete(ss.dev, m)
	} else {
		p.Dup = m.deliveries > 1
		p.MessageID = ss.lend(m)
		m.lock = time.AfterFunc(s.opts.Lock, func() { s.lockEnded(ss, p.MessageID, m) })
	}
	ss.send(p)
}

// lockEnded returns a message to the queue whose PUBACK did not come, and
// sends it again under a new packet id. A PUBACK that still comes for the old
// one completes nothing (412002, lock lost).
func (s *Sim) lockEnded(ss *session, id uint16, m *message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ss.lent[id] != m {
		return
	}
	delete(ss.lent, id)
	m.lock = nil
	s.notify()
	s.deliver(ss.dev)
}

// giveBack returns all that a session did not acknowledge to the queue.
func (ss *session) giveBack() {
	for id, m := range ss.lent {
		m.unlock()
		delete(ss.lent, id)
	}
}

// lend finds a packet id for m.
func (ss *session) lend(m *message) uint16 {
	for {
		ss.lastID++
		if ss.lastID != 0 && ss.lent[ss.lastID] == nil {
			ss.lent[ss.lastID] = m
			return ss.lastID
		}
	}
}
