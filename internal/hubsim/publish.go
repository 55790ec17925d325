package hubsim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// maxD2C is the size of a message as readD2C counts it (contract, section 3.5).
const maxD2C = 262144

// publish takes what the device publishes and acknowledges it. An error ends
// the connection: MQTT 3.1.1 has no other way to say no.
func (ss *session) publish(p *packets.PublishPacket) error {
	if p.Qos > 1 {
		return fmt.Errorf("PUBLISH with QoS %d", p.Qos) // H21
	}
	if p.Qos == 1 && p.MessageID == 0 {
		return errors.New("PUBLISH with packet id 0")
	}
	late, err := ss.take(p)
	switch {
	case errors.Is(err, ErrOverQuota) && ss.sim.Quota().Publish == OverDrop:
		return nil
	case err != nil:
		return err
	case p.Qos == 1:
		ss.acknowledge(p.MessageID, late)
	}
	return nil
}

// take does what a publish is for, by its topic, and says how late it is to be
// acknowledged.
func (ss *session) take(p *packets.PublishPacket) (time.Duration, error) {
	switch {
	case strings.HasPrefix(p.TopicName, answerPrefix):
		return 0, ss.answer(p.TopicName, p.Payload)
	case strings.HasPrefix(p.TopicName, twinGetPrefix):
		return 0, ss.twinRead(p.TopicName)
	case strings.HasPrefix(p.TopicName, reportPrefix):
		return 0, ss.twinReport(p.TopicName, p.Payload)
	}
	return ss.event(p)
}

// event stores a D2C message.
func (ss *session) event(p *packets.PublishPacket) (time.Duration, error) {
	r, err := readD2C(ss.dev.id, p.TopicName, p.Payload, p.Retain)
	if err != nil {
		return 0, err
	}
	late, err := ss.afford(r)
	if err != nil {
		return 0, err
	}
	if err := ss.store(r); err != nil {
		return 0, fmt.Errorf("event not kept: %w", err)
	}
	ss.sim.mu.Lock()
	defer ss.sim.mu.Unlock()
	ss.sim.notify()
	return late, nil
}

// afford applies the throttle and the quota (H50, H51).
func (ss *session) afford(r Record) (time.Duration, error) {
	ss.sim.mu.Lock()
	defer ss.sim.mu.Unlock()
	late, err := ss.sim.shape(ss.hub)
	if err == nil && !ss.sim.charge(ss.hub, r.size()) {
		err = ErrOverQuota
	}
	return late, err
}

// acknowledge sends a PUBACK, or with a fault later still or not at all (H26).
func (ss *session) acknowledge(id uint16, late time.Duration) {
	if _, ok := ss.sim.faults.take(DropPuback, ss.dev.id); ok {
		return
	}
	f, _ := ss.sim.faults.take(DelayPuback, ss.dev.id)
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = id
	ss.put(laneAcks, ack, late+f.Delay)
}

func (ss *session) store(r Record) error {
	ss.stamp(&r)
	_, err := ss.sim.events.add(r)
	return err
}

// readD2C reads a device-to-cloud message: topic (H22), property bag (H30,
// H31), retain flag (H24) and size (H27). The bodies of two messages never
// share memory.
func readD2C(deviceID, topic string, body []byte, retain bool) (Record, error) {
	bag, ok := d2cBag(deviceID, topic)
	if !ok {
		return Record{}, fmt.Errorf("%.200q is no topic to publish on", topic)
	}
	ps, err := decodeBag(bag)
	if err != nil {
		return Record{}, err
	}
	r := Record{Body: body}
	r.Properties, r.System = sortProperties(ps)
	if size := r.size(); size > maxD2C {
		return Record{}, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, size, maxD2C)
	}
	if retain {
		r.Properties["mqtt-retain"] = "true"
	}
	return r, nil
}

// size counts the body, the values of system properties, and the names and
// values of application properties.
func (r Record) size() int {
	n := len(r.Body)
	for _, v := range r.System {
		n += len(v)
	}
	for k, v := range r.Properties {
		n += len(k) + len(v)
	}
	return n
}

// puback completes a C2D message (H34). One that does not fit anything is
// taken for a late one, whose lock is lost.
func (ss *session) puback(id uint16) error {
	return ss.sim.change(func() error {
		if m := ss.lent[id]; m != nil {
			delete(ss.lent, id)
			ss.sim.complete(ss.dev, m)
		}
		return nil
	})
}
