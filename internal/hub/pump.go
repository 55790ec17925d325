package hub

import (
	"errors"
	"slices"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// pubackWithin is how long the hub may take to acknowledge a message. A hub that
// throttles is slow (contract, section 3.6), one that is gone says nothing.
const pubackWithin = 30 * time.Second

// A pump works off what leaves on one link: telemetry in order, the
// acknowledgements of messages in order of arrival, and the answers of methods. It
// also feels the pulse of the link. It has a goroutine of its own, as paho may block
// it, and then messages must still come in.
type pump struct {
	link   *link
	out    *outbox
	pulse  pulse
	flight []flying // the messages on the wire, in the order of the outbox
	handed int      // packets given to paho since the last batch
	topic  []byte   // used again for each
}

// A flying message waits for its PUBACK.
type flying struct {
	token mqtt.Token
	sent  time.Time
}

// run returns when the link is lost or closed. What has not arrived by then is
// to be sent again.
func (p *pump) run() {
	prefix := outboundPrefix(p.link.id.DeviceID)
	late := time.NewTimer(0)
	defer late.Stop()
	parting := p.link.parting
	for p.link.ctx.Err() == nil {
		p.confirm() // first, as it makes room to publish
		p.handOver(prefix)
		if parting == nil && p.idle() {
			close(p.link.drained)
			break
		}
		var confirmed <-chan struct{}
		wake := p.pulse.due()
		if len(p.flight) > 0 {
			confirmed = p.flight[0].token.Done()
			wake = earlier(wake, p.flight[0].sent.Add(pubackWithin))
		}
		late.Reset(time.Until(wake))
		select {
		case <-p.link.ctx.Done():
		case <-p.link.in.finish:
		case <-p.link.calls.answered:
		case <-p.out.wake:
		case <-confirmed:
		case <-p.link.conn.pong:
			p.pulse.answered()
		case now := <-late.C:
			p.late(now)
		case <-parting:
			parting = nil
		}
	}
	p.out.rewind(p.arrived)
}

// handOver gives paho what there is to send. It leaves together.
func (p *pump) handOver(prefix string) {
	p.link.conn.hold()
	p.handed = 0
	p.reply()
	p.publish(prefix)
	p.acknowledge()
	p.link.conn.release(p.handed)
}

// late does what is due at now: it pings, or gives the link up.
func (p *pump) late(now time.Time) {
	switch {
	case len(p.flight) > 0 && !now.Before(p.flight[0].sent.Add(pubackWithin)):
		p.link.lose(lostError(errNoPuback))
	case now.Before(p.pulse.due()):
	case p.pulse.ask(now):
		p.link.conn.ping()
	default:
		p.link.lose(lostError(errNoPing))
	}
}

// acknowledge sends PUBACKs for the oldest messages, as far as they are done.
func (p *pump) acknowledge() {
	for a := p.link.in.finished(); a != nil; a = p.link.in.finished() {
		a.message.Ack()
		p.handed++
	}
}

// publish sends what may be sent, and between it the acknowledgements and answers
// that are due: a long queue must not hold them up. If paho is too
// busy to take a message, the loop comes back for it.
func (p *pump) publish(prefix string) {
	for t, ok := p.out.next(); ok; t, ok = p.out.next() {
		p.topic = appendTopic(p.topic[:0], prefix, t)
		token := p.link.client.Publish(string(p.topic), 1, false, t.Body)
		if err := token.Error(); err != nil {
			p.out.unsend()
			if !errors.Is(err, mqtt.ErrNotConnected) { // else the link ends, and there is nothing to come back to
				p.out.poke()
			}
			return
		}
		p.handed++
		p.flight = append(p.flight, flying{token, time.Now()})
		p.acknowledge()
		p.reply()
	}
}

// confirm forgets the oldest messages, as far as the hub has acknowledged them.
func (p *pump) confirm() {
	for len(p.flight) > 0 && p.arrived(0) {
		p.out.confirm()
		p.pulse.proven(p.flight[0].sent)
		p.flight = slices.Delete(p.flight, 0, 1)
	}
}

// arrived reports whether message i of those on the wire has been acknowledged.
func (p *pump) arrived(i int) bool {
	select {
	case <-p.flight[i].token.Done():
		return p.flight[i].token.Error() == nil
	default:
		return false
	}
}

// idle reports whether there is nothing to send and neither side owes the other
// an acknowledgement or an answer.
func (p *pump) idle() bool {
	return len(p.flight) == 0 && !p.out.pending() && p.link.in.settled() && p.link.calls.settled()
}
