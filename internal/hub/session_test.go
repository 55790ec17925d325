package hub_test

import (
	"context"
	"fmt"
	"net"
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
		wantEqual(t, c.sent(), "CONNECT", "SUBSCRIBE", "PUBLISH", "PUBACK")
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

// The hub sends right after CONNACK what came while the device was away. With
// the SUBACK missing too long, such messages must not be lost: they are neither
// handed over nor acknowledged, and come again.
func TestMessagesBeforeSubscribe(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.down.Store(true)
		must(t, c.Kick(dev))
		synctest.Wait()
		c.c2d("m1", "on")
		c.c2d("m2", "off")
		from := len(c.Packets())
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
	here, there := net.Pipe()
	s := setup{manual: true}
	s.options.Dial = func(context.Context, string, int) (net.Conn, error) { return here, nil }
	inBubble(t, s, func(t *testing.T, _ *cloud, d *device) {
		d.run()
		read(t, there) // CONNECT
		must(t, packets.NewControlPacket(packets.Connack).Write(there))
		sub := read(t, there).(*packets.SubscribePacket)
		_, err := there.Write([]byte{0x90, 3, byte(sub.MessageID >> 8), byte(sub.MessageID), 1})
		must(t, err)
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.Qos, p.MessageID, p.TopicName = 1, 7, "devices/other/messages/devicebound/"
		must(t, p.Write(there))
		if ack, ok := read(t, there).(*packets.PubackPacket); !ok || ack.MessageID != 7 {
			t.Errorf("the answer is %v", ack)
		}
		wantEqual(t, d.history(), "connected")
		there.Close()
	})
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

func TestQueuedWhileOffline(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		d.Send(hub.Telemetry{Body: []byte("stale"), Perishable: true}) // no session yet
		d.say("1")
		d.say("2")
		d.run()
		synctest.Wait()
		wantEqual(t, c.bodies(), "1", "2")
		c.down.Store(true)
		must(t, c.Kick(dev))
		synctest.Wait()
		d.say("3")
		d.Send(hub.Telemetry{Body: []byte("stale"), Perishable: true})
		d.say("4")
		time.Sleep(time.Hour)
		c.down.Store(false)
		time.Sleep(10 * time.Minute)
		wantEqual(t, c.bodies(), "1", "2", `{"LWT":"Offline"}`, "3", "4")
		d.Send(hub.Telemetry{Body: []byte("fresh"), Perishable: true})
		synctest.Wait()
		wantEqual(t, c.bodies()[5:], "fresh")
	})
}

// Perishable messages that were sent but not acknowledged when the link was lost
// have perished; the others are sent again.
func TestPerishableOnTheWire(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		must(t, c.Freeze(dev))
		d.Send(hub.Telemetry{Body: []byte("stale"), Perishable: true})
		d.say("kept")
		time.Sleep(5 * time.Minute)
		wantEqual(t, c.bodies(), `{"LWT":"Offline"}`, "kept")
	})
}

func TestLargeMessage(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		fits := strings.Repeat("x", 254*1024)
		d.say(fits)
		d.say(fits + strings.Repeat("y", 1024))
		d.Send(hub.Telemetry{Topic: strings.Repeat("/", 60_000), Body: []byte("{}")})
		d.say("after")
		synctest.Wait()
		wantEqual(t, c.bodies(), fits, "after")
		if n := strings.Count(d.log(), "too large for the hub"); n != 2 {
			t.Errorf("%d refusals in the log, want 2", n)
		}
	})
}

func TestOutboxIsBounded(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		for i := range 10 {
			d.Send(hub.Telemetry{Body: fmt.Appendf(nil, "answer %d", i), CorrelationID: "m"})
		}
		for i := range 1100 {
			d.say(fmt.Sprint(i))
		}
		d.run()
		synctest.Wait()
		all := c.bodies()
		if len(all) != 1000 || all[0] != "answer 0" || all[9] != "answer 9" || all[10] != "110" || all[999] != "1099" {
			t.Errorf("%d messages: %v … %v", len(all), all[:12], all[len(all)-2:])
		}
		if !strings.Contains(d.log(), "dropped=1\n") || !strings.Contains(d.log(), "dropped=64\n") || strings.Contains(d.log(), "dropped=65\n") {
			t.Error("the log does not say what was dropped, or says it too often")
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

// No more than 64 messages wait for the hub; the rest wait here.
func TestBurst(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.DelayPuback, Delay: 5 * time.Second})
		var want []string
		for i := range 500 {
			want = append(want, fmt.Sprint(i))
			d.say(want[i])
		}
		synctest.Wait()
		if n := len(c.bodies()); n != 64 {
			t.Errorf("%d messages in flight", n)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		wantEqual(t, c.bodies(), want...)
	})
}

// What is in flight is not dropped: the hub may have it already.
func TestOutboxDropsWhatIsNotInFlight(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		must(t, c.Freeze(dev)) // what is in flight is sent again
		want := []string{`{"LWT":"Offline"}`}
		for i := range 1100 {
			if i < 64 || i >= 164 {
				want = append(want, fmt.Sprint(i))
			}
			d.say(fmt.Sprint(i))
			if i == 63 {
				synctest.Wait()
			}
		}
		time.Sleep(time.Minute)
		wantEqual(t, c.bodies(), want...)
	})
}

func TestOutboxIsBoundedInBytes(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		body := strings.Repeat("x", 100_000)
		for range 30 { // one after the other there is room
			d.say(body)
			synctest.Wait()
		}
		if n := len(c.bodies()); n != 30 || strings.Contains(d.log(), "dropped") {
			t.Errorf("%d messages arrived, want 30", n)
		}
		c.down.Store(true)
		must(t, c.Kick(dev))
		synctest.Wait()
		for range 30 {
			d.say(body)
		}
		c.down.Store(false)
		time.Sleep(5 * time.Second)
		if n := len(c.bodies()); n != 30+1+10 {
			t.Errorf("%d messages after 30, the will and what 1 MB holds", n)
		}
	})
}

// slow takes its time for each write.
type slow struct {
	net.Conn
	time time.Duration
}

func (s slow) Write(p []byte) (int, error) {
	time.Sleep(s.time)
	return s.Conn.Write(p)
}

// paho takes no message while two packets are in its hands. On a slow link that
// is no fault, and the message leaves as soon as there is room.
func TestSlowLink(t *testing.T) {
	s := setup{manual: true, handle: func(d *device, m hub.Message) { d.Ack(m) }}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		c.wrap = func(conn net.Conn) net.Conn { return slow{conn, 1200 * time.Millisecond} }
		d.run()
		time.Sleep(10 * time.Second)
		for i := range 3 {
			c.c2d("", fmt.Sprint(i))
		}
		synctest.Wait()
		d.say("1")
		time.Sleep(4*1200*time.Millisecond + time.Millisecond)
		wantEqual(t, c.bodies(), "1")
		for i := range 5 {
			d.say(fmt.Sprint(i))
		}
		time.Sleep(10 * time.Second)
		wantEqual(t, c.bodies(), "1", "0", "1", "2", "3", "4")
		if len(c.Logins()) != 1 {
			t.Error("the link was given up")
		}
	})
}
