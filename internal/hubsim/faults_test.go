package hubsim_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
)

// TestT01Timers: lock, time to live, keep-alive and token grace are tested
// where their rules are, all in bubbles of testing/synctest: H10, H11, H34,
// H37. Here is the one that no rule names.
func TestT01DelayedConnack(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.DelayConnack, Delay: 30 * time.Second}))
		cl := c.dial()
		cl.send(hello())
		cl.quiet(30*time.Second - time.Millisecond)
		if code := cl.connack(); code != 0 {
			t.Errorf("CONNACK %d", code)
		}
	})
}

func TestT02PacketLog(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		cl.publish(9, events+"a=b", "body")
		cl.next()
		c.c2d("x")
		cl.puback(cl.message().MessageID)
		cl.disconnect()
		c.connect().raw([]byte{0x10, 0x00})
		synctest.Wait()
		want := []struct {
			in   bool
			kind string
			id   uint16
			conn uint64
		}{
			{true, "CONNECT", 0, 1}, {false, "CONNACK", 0, 1}, {true, "SUBSCRIBE", 77, 1}, {false, "SUBACK", 77, 1}, {true, "PUBLISH", 9, 1},
			{false, "PUBACK", 9, 1}, {false, "PUBLISH", 1, 1}, {true, "PUBACK", 1, 1}, {true, "DISCONNECT", 0, 1}, {true, "CONNECT", 0, 2},
			{false, "CONNACK", 0, 2}, {true, "malformed", 0, 2},
		}
		got := c.Packets()
		if len(got) != len(want) {
			t.Fatalf("%d packets, want %d: %+v", len(got), len(want), got)
		}
		for i, w := range want {
			g := got[i]
			if g.In != w.in || g.Type != w.kind || g.ID != w.id || g.Conn != w.conn || g.Device != dev || g.Seq != uint64(i+1) || g.Size == 0 {
				t.Errorf("packet %d: %+v, want %+v", i, g, w)
			}
		}
	})
}

func TestT03Delay(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.Delay, Count: 2, Delay: 5 * time.Second}))
		c.c2d("1")
		c.c2d("2")
		cl.quiet(5*time.Second - time.Millisecond)
		cl.message()
		cl.message()
		c.c2d("3")
		synctest.Wait()
		if len(cl.in) != 1 {
			t.Error("the third message is late, too")
		}
	})
}

// TestT03LanesAreApart: a PUBACK does not wait for another packet that is held
// longer.
func TestT03LanesAreApart(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.Delay, Delay: 10 * time.Second}))
		cl.send(packets.NewControlPacket(packets.Pingreq))
		synctest.Wait()
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.DelayPuback, Delay: 3 * time.Second}))
		cl.publish(1, events, "x")
		cl.quiet(3*time.Second - time.Millisecond)
		if p, ok := cl.next().(*packets.PubackPacket); !ok {
			t.Errorf("got %v", p)
		}
		cl.quiet(7*time.Second - 2*time.Millisecond)
		if p, ok := cl.next().(*packets.PingrespPacket); !ok {
			t.Errorf("got %v", p)
		}
	})
}

// TestT03IgnoreConnect: CONNECT is taken and never answered, and the device
// sees no end.
func TestT03IgnoreConnect(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.IgnoreConnect}))
		cl := c.dial()
		cl.send(hello())
		cl.quiet(24 * time.Hour)
		c.connect()
	})
}

func TestT03HalfOpen(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.HalfOpen}))
		cl := c.dial()
		cl.send(hello())
		cl.quiet(24 * time.Hour)
		if l := c.Logins(); len(l) != 0 {
			t.Errorf("logins %+v", l)
		}
	})
}

// TestT03Freeze: a cable is pulled. The hub gives up after 1.5 × keep-alive,
// stores the will and returns the message to its queue; the device hears
// nothing of it.
func TestT03Freeze(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect(withWill("frozen"))
		cl.subscribe(1, c2d)
		must(t, c.Freeze(dev))
		c.c2d("x")
		cl.publish(1, events, "lost")
		for range 9 {
			cl.send(packets.NewControlPacket(packets.Pingreq))
			cl.quiet(10*time.Second - time.Millisecond)
		}
		if l := c.Logins()[0]; l.End != "" {
			t.Errorf("login %+v ended too early", l)
		}
		c.record("frozen")
		cl.quiet(time.Hour)
		if q := c.Queue(dev); len(q) != 0 { // expired by now
			t.Errorf("queue %+v", q)
		}
		for _, r := range c.Records() {
			if string(r.Body) == "lost" {
				t.Error("what was sent into the frozen link has arrived")
			}
		}
	})
}

// TestT03Deafen: what the device sends is lost, and what it is sent comes; the
// hub ends it after 1.5 × keep-alive, and the device sees that.
func TestT03Deafen(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		must(t, c.Deafen(dev))
		cl.publish(1, events, "lost")
		c.c2d("x")
		cl.puback(cl.message().MessageID)
		if m := cl.again(time.Minute); string(m.Payload) != "x" || !m.Dup {
			t.Errorf("got %v", m)
		}
		cl.quiet(30*time.Second - time.Millisecond)
		cl.closed()
		if len(c.Records()) != 0 {
			t.Errorf("records %+v", c.Records())
		}
	})
}

// TestT03Mute: what the device is sent is lost, and what it sends arrives; it
// is not told of the end.
func TestT03Mute(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		must(t, c.Mute(dev))
		c.c2d("x")
		cl.publish(1, events, "arrives")
		c.record("arrives")
		for range 10 {
			cl.quiet(time.Minute)
			cl.send(packets.NewControlPacket(packets.Pingreq))
		}
		if l := c.Logins()[0]; l.End != "" || !c.Queue(dev)[0].Locked {
			t.Errorf("login %+v", l)
		}
		young := c.connect()
		if m := young.message(); string(m.Payload) != "x" {
			t.Errorf("got %v", m)
		}
		cl.quiet(time.Hour)
		cl.conn.Close()
	})
}

// again waits for a message that comes after d.
func (cl *client) again(d time.Duration) *packets.PublishPacket {
	cl.t.Helper()
	cl.quiet(d - time.Millisecond)
	return cl.message()
}

// TestT03FreezeAndReturn: the device gives up first and comes again, while the
// hub still holds the old session.
func TestT03FreezeAndReturn(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		old := c.connect()
		old.subscribe(1, c2d)
		must(t, c.Freeze(dev))
		c.c2d("x")
		old.quiet(20 * time.Second)
		young := c.connect()
		if m := young.message(); string(m.Payload) != "x" {
			t.Errorf("got %v", m)
		}
		old.quiet(time.Second)
		old.conn.Close()
		young.quiet(time.Second)
	})
}

func TestT03ResetInTheMiddle(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.CutC2D}))
		c.c2d("cut")
		cl.closed()
		cl = c.connect()
		if m := cl.message(); string(m.Payload) != "cut" || !m.Dup {
			t.Errorf("got %v", m)
		} else {
			cl.puback(m.MessageID)
		}
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.CutD2C}))
		cl.publish(1, events, "halved")
		cl.closed()
		c.connect().publish(1, events, "whole")
		c.record("whole")
		if got := len(c.Records()); got != 1 {
			t.Errorf("%d records, want 1", got)
		}
	})
}

// TestT03HalfAPacket shows that the device sees the first half and no more.
func TestT03HalfAPacket(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		cl.disconnect()
		c.c2d("cut")
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.CutC2D}))
		cl = c.dialSilently()
		cl.send(hello())
		all, err := io.ReadAll(cl.conn)
		must(t, err)
		const connack = 4
		whole := 2 + 2 + len("devices/rpi-0001/messages/devicebound/%24.to=%2Fdevices%2Frpi-0001%2Fmessages%2Fdevicebound") + 2 + len("cut")
		if len(all) != connack+whole/2 {
			t.Errorf("%d bytes, want a CONNACK and half of %d", len(all), whole)
		}
	})
}

func TestFaultsRefused(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		for _, f := range []hubsim.Fault{
			{}, {Kind: "earthquake"}, {Kind: hubsim.RefuseConnect, Code: 6}, {Kind: hubsim.RefuseConnect, Code: -1}, {Kind: hubsim.DropPuback, Count: -2},
			{Kind: hubsim.Delay}, {Kind: hubsim.DelayPuback}, {Kind: hubsim.DelayConnack, Delay: -1}, {Kind: hubsim.RefuseRegister, Code: 200},
			{Kind: hubsim.RefusePoll}, {Kind: hubsim.FailRegister, Code: 404},
		} {
			if c.Inject(f) == nil {
				t.Errorf("%+v is taken", f)
			}
		}
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.DropPuback, Count: hubsim.Always}))
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5, Count: 2}))
		c.try(func(*connectPacket) {})
		if f := c.Faults(); len(f) != 2 || f[0].Count != hubsim.Always || f[1].Count != 1 {
			t.Errorf("faults %+v", f)
		}
		c.ClearFaults(hubsim.RefuseConnect)
		if f := c.Faults(); len(f) != 1 {
			t.Errorf("faults %+v", f)
		}
		c.ClearFaults("")
		if f := c.Faults(); len(f) != 0 {
			t.Errorf("faults %+v", f)
		}
	})
}
