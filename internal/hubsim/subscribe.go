package hubsim

import (
	"errors"
	"fmt"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// subackFailure is the return code for a filter that is not granted.
const subackFailure = 0x80

// subscribe grants listed filters. Any other one ends the connection (H22).
func (ss *session) subscribe(p *packets.SubscribePacket) error {
	if len(p.Topics) == 0 || p.MessageID == 0 {
		return errors.New("SUBSCRIBE without a topic or packet id")
	}
	ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	ack.MessageID = p.MessageID
	for i, f := range p.Topics {
		if !listedFilter(ss.dev.id, f) {
			return ss.unlisted(p, f)
		}
		if p.Qoss[i] > 2 {
			return fmt.Errorf("SUBSCRIBE with QoS %d", p.Qoss[i])
		}
	}
	err := ss.sim.change(func() error {
		for i, f := range p.Topics {
			ack.ReturnCodes = append(ack.ReturnCodes, ss.grant(f, min(p.Qoss[i], 1)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	ss.sim.mu.Lock() // what is acknowledged is kept by now
	defer ss.sim.mu.Unlock()
	ss.send(ack)
	ss.sim.deliver(ss.dev)
	return nil
}

// grant notes a subscription and returns its code: QoS 2 is granted as 1
// (H21), one too many not at all (H23). The caller holds sim.mu.
func (ss *session) grant(filter string, qos byte) byte {
	if !ss.filters[filter] && len(ss.filters) >= ss.sim.opts.MaxSubscriptions {
		return subackFailure
	}
	ss.filters[filter] = true
	if d := ss.dev; filter == c2dFilter(d.id) && !ss.ended {
		if !d.sub.On && (d.sub.Ever || !ss.sim.opts.DeliverUnsubscribed) {
			d.sub.After = d.lastSeq // H20a, H20b
		}
		d.sub.On, d.sub.Ever, d.sub.QoS = true, true, qos
	}
	return qos
}

// unlisted is the end of a connection that asked for a topic there is not;
// with a fault it gets a SUBACK first.
func (ss *session) unlisted(p *packets.SubscribePacket, filter string) error {
	if _, ok := ss.sim.faults.take(SubackFailure, ss.dev.id); ok {
		ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
		ack.MessageID = p.MessageID
		for range p.Topics {
			ack.ReturnCodes = append(ack.ReturnCodes, subackFailure)
		}
		ss.link.write(ack) // and not by the outbox, which the end would overtake
	}
	return fmt.Errorf("%.200q is no topic to subscribe to", filter)
}

// unsubscribe ends subscriptions, the kept one included.
func (ss *session) unsubscribe(p *packets.UnsubscribePacket) error {
	if len(p.Topics) == 0 || p.MessageID == 0 {
		return errors.New("UNSUBSCRIBE without a topic or packet id")
	}
	return ss.sim.change(func() error {
		for _, f := range p.Topics {
			delete(ss.filters, f)
			if f == c2dFilter(ss.dev.id) && !ss.ended {
				ss.dev.sub.On = false
			}
		}
		ack := packets.NewControlPacket(packets.Unsuback).(*packets.UnsubackPacket)
		ack.MessageID = p.MessageID
		ss.send(ack)
		return nil
	})
}
