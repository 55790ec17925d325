package hub_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

func TestCommandAndAnswer(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.c2d("m1", "toggle")
		synctest.Wait()
		if q := c.Queue(dev); len(q) != 0 {
			t.Errorf("%d messages are not completed", len(q))
		}
		all := c.Records()
		if len(all) != 1 {
			t.Fatalf("%d messages sent", len(all))
		}
		r := all[0]
		if string(r.Body) != "did toggle" || r.Properties["topic"] != "rpi-0001/RESULT" || r.System["correlation-id"] != "m1" ||
			r.System["content-type"] != "application/json" || r.System["content-encoding"] != "utf-8" {
			t.Errorf("answer %+v", r)
		}
		wantEqual(t, c.sent(), "CONNECT", "SUBSCRIBE", "PUBLISH", "PUBLISH", "PUBACK") // the first asks for the twin
		l := c.Logins()[0]
		if l.Clean || l.KeepAlive != 60 || l.ClientType != "test/1" || !l.Will {
			t.Errorf("login %+v", l)
		}
	})
}

func wantEqual[E comparable](t *testing.T, got []E, want ...E) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestConnectedSaysWhereAndHow(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		want := hub.Connected{
			Host: hubName, Port: 8883, DeviceID: dev, KeepAlive: time.Minute,
			User: hubName + "/" + dev + "/?api-version=2021-04-12&DeviceClientType=test%2F1",
		}
		if d.seen[0] != hub.Event(want) {
			t.Errorf("told %+v, want %+v", d.seen[0], want)
		}
	})
}

// The hub sends right after CONNACK what came while the device was away.
func TestMessagesBeforeSubscribe(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.down.Store(true)
		must(t, c.Kick(dev))
		synctest.Wait()
		c.c2d("m1", "on")
		c.c2d("m2", "off")
		from := len(c.Packets())
		c.wrap = func(conn net.Conn) net.Conn { return slowToSubscribe{conn} }
		c.down.Store(false)
		time.Sleep(time.Minute)
		wantEqual(t, d.history(), "connected", "disconnected", "connected", "on", "off")
		var order []string
		for _, p := range c.Packets()[from:] {
			order = append(order, p.Type)
		}
		if first, sub := slices.Index(order, "PUBLISH"), slices.Index(order, "SUBSCRIBE"); first < 0 || first > sub {
			t.Errorf("the hub did not send before SUBSCRIBE, the test tests nothing: %v", order)
		}
		if q := c.Queue(dev); len(q) != 0 {
			t.Errorf("%d messages are not completed", len(q))
		}
	})
}

// slowToSubscribe lets the hub send first.
type slowToSubscribe struct{ net.Conn }

func (c slowToSubscribe) Write(p []byte) (int, error) {
	if p[0]>>4 == packets.Subscribe {
		time.Sleep(time.Millisecond)
	}
	return c.Conn.Write(p)
}

// If no session comes of it, such a message is neither handed over nor
// acknowledged, and comes again.
func TestMessageBeforeAFailedSubscribe(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.down.Store(true)
		must(t, c.Kick(dev))
		synctest.Wait()
		c.c2d("m1", "on")
		c.inject(hubsim.Fault{Kind: hubsim.Delay, Delay: time.Millisecond, Count: 2}) // CONNACK and PUBLISH
		c.inject(hubsim.Fault{Kind: hubsim.Delay, Delay: time.Hour})                  // SUBACK
		c.down.Store(false)
		time.Sleep(time.Minute)
		wantEqual(t, d.history(), "connected", "disconnected", "disconnected", "connected", "on")
		if e := d.lastError(); !strings.Contains(e.Error(), "SUBSCRIBE") {
			t.Errorf("told: %v", e)
		}
	})
}

func TestAcksLeaveInOrderOfArrival(t *testing.T) {
	s := setup{handle: keep}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		for i := range 4 {
			c.c2d(fmt.Sprint(i), fmt.Sprint(i))
		}
		synctest.Wait()
		d.Ack(d.message(2))
		d.Ack(d.message(1))
		d.Ack(d.message(1)) // twice does no harm
		synctest.Wait()
		if q := c.Queue(dev); len(q) != 4 {
			t.Fatalf("%d messages left, want 4: the first is not acknowledged", len(q))
		}
		d.Ack(d.message(0))
		synctest.Wait()
		if q := c.Queue(dev); len(q) != 1 || string(q[0].Body) != "3" {
			t.Errorf("left: %v", q)
		}
		var ids []uint16
		for _, p := range c.Packets() {
			if p.In && p.Type == "PUBACK" {
				ids = append(ids, p.ID)
			}
		}
		if len(ids) != 3 || !slices.IsSorted(ids) {
			t.Errorf("acknowledged %v", ids)
		}
		d.Ack(d.message(3))
		synctest.Wait()
		d.Ack(d.message(3))  // when nothing is left
		d.Ack(hub.Message{}) // one that no session delivered
	})
}

// What the device does not acknowledge comes again after the hub's lock, and an
// acknowledgement of either delivery is one of a session that stands.
func TestRedelivery(t *testing.T) {
	s := setup{handle: keep}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		c.c2d("m1", "on")
		time.Sleep(61 * time.Second)
		synctest.Wait()
		wantEqual(t, d.history(), "connected", "on", "on")
		must(t, c.Kick(dev))
		time.Sleep(5 * time.Second)
		wantEqual(t, d.history(), "connected", "on", "on", "disconnected", "connected", "on")
		d.Ack(d.message(0)) // of a session that is over
		d.Ack(d.message(1))
		synctest.Wait()
		if q := c.Queue(dev); len(q) != 1 || !q[0].Locked {
			t.Errorf("queue %+v, want the message still locked", q)
		}
		d.Ack(d.message(2))
		synctest.Wait()
		if q := c.Queue(dev); len(q) != 0 {
			t.Errorf("queue %+v", q)
		}
	})
}

// A message that cannot be read is acknowledged, or the hub would deliver it for
// two days.
func TestUnreadableMessageIsAcknowledged(t *testing.T) {
	byHand(t, func(t *testing.T, d *device, there net.Conn) {
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.Qos, p.MessageID, p.TopicName = 1, 7, "devices/other/messages/devicebound/"
		must(t, p.Write(there))
		if ack, ok := read(t, there).(*packets.PubackPacket); !ok || ack.MessageID != 7 {
			t.Errorf("the answer is %v", ack)
		}
		wantEqual(t, d.history(), "connected")
	})
}

// byHand runs f with a device that is connected to a hub which f plays.
func byHand(t *testing.T, f func(t *testing.T, d *device, there net.Conn)) {
	t.Helper()
	var there net.Conn
	s := setup{manual: true}
	s.options.Dial = func(context.Context, string, int) (here net.Conn, _ error) {
		here, there = net.Pipe()
		return here, nil
	}
	inBubble(t, s, func(t *testing.T, _ *cloud, d *device) {
		d.run()
		synctest.Wait()
		read(t, there) // CONNECT
		must(t, packets.NewControlPacket(packets.Connack).Write(there))
		sub := read(t, there).(*packets.SubscribePacket)
		ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
		ack.MessageID, ack.ReturnCodes = sub.MessageID, sub.Qoss
		must(t, ack.Write(there))
		if get := read(t, there).(*packets.PublishPacket); get.TopicName != "$iothub/twin/GET/?$rid=1" || get.Qos != 0 || get.Retain {
			t.Errorf("the twin is asked for by %v", get)
		}
		f(t, d, there)
		there.Close()
	})
}

// publish sends what the hub would.
func publish(t *testing.T, there net.Conn, topic, body string) {
	t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = topic, []byte(body)
	must(t, p.Write(there))
	synctest.Wait()
}

func read(t *testing.T, conn net.Conn) packets.ControlPacket {
	t.Helper()
	p, err := packets.ReadPacket(conn)
	must(t, err)
	return p
}

func TestKeepAlive(t *testing.T) {
	for given, want := range map[time.Duration]int{
		0: 60, 500 * time.Millisecond: 1, 90*time.Second + 1: 90, time.Hour: 1177,
	} {
		inBubble(t, setup{options: hub.Options{KeepAlive: given}}, func(t *testing.T, c *cloud, d *device) {
			if got := c.Logins()[0].KeepAlive; got != want {
				t.Errorf("keep-alive of %v is %d s, want %d", given, got, want)
			}
		})
	}
}

// A client at rest wakes up for its pings only: paho, which would look every five seconds
// whether one is due, has no timer of its own.
func TestOneTimer(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, _ *cloud, _ *device) {
		buf := make([]byte, 1<<20)
		if stacks := string(buf[:runtime.Stack(buf, true)]); strings.Contains(stacks, "golang.keepalive(") {
			t.Error("paho keeps the link alive too")
		}
	})
}

func TestWill(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		c.wrap = func(conn net.Conn) net.Conn {
			return spy{conn, func(p *packets.ConnectPacket) {
				if !p.WillFlag || p.WillQos != 1 || p.WillRetain {
					t.Errorf("CONNECT %v", p)
				}
			}}
		}
		d.run()
		synctest.Wait()
		must(t, c.Reset(dev))
		synctest.Wait()
		all := c.Records()
		if len(all) != 1 {
			t.Fatalf("%d messages, want the will", len(all))
		}
		r := all[0]
		if string(r.Body) != `{"LWT":"Offline"}` || r.Properties["topic"] != "rpi-0001/LWT" ||
			r.Properties["iothub-MessageType"] != "Will" || r.System["content-type"] != "application/json" {
			t.Errorf("will %+v", r)
		}
		time.Sleep(10 * time.Second)
		d.stop()
		if n := len(c.Records()); n != 1 {
			t.Errorf("%d messages: the will is sent although the device said goodbye", n)
		}
	})
}

// An inbox that overflows drops, and the hub delivers again.
func TestInboxOverflow(t *testing.T) {
	var blocked chan struct{} // made in the bubble, or time would stand still
	s := setup{sim: hubsim.Options{Lock: 10 * time.Second}}
	s.handle = func(d *device, m hub.Message) {
		<-blocked
		d.Ack(m)
	}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		blocked = make(chan struct{})
		for i := range 50 {
			c.c2d("", fmt.Sprint(i))
		}
		time.Sleep(25 * time.Second) // each is delivered three times
		if !strings.Contains(d.log(), "are dropped") {
			t.Error("nothing was dropped, the test tests nothing")
		}
		if len(c.Logins()) != 1 {
			t.Errorf("%d logins: the link did not bear it", len(c.Logins()))
		}
		close(blocked)
		time.Sleep(time.Minute)
		if q := c.Queue(dev); len(q) != 0 {
			t.Errorf("%d messages are not completed", len(q))
		}
	})
}
