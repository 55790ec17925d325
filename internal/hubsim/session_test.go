package hubsim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
)

const events = "devices/" + dev + "/messages/events/"

func clean(p *packets.ConnectPacket) { p.CleanSession = true }

func TestH20KeptSubscription(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		cl.disconnect()
		c.c2d("1")
		c.c2d("2")
		cl = c.connect() // expects CONNACK first
		for i, want := range []string{"1", "2"} {
			m := cl.message()
			if string(m.Payload) != want || m.Dup {
				t.Errorf("message %d: %v, want %s", i, m, want)
			}
			cl.puback(m.MessageID)
		}
		if got := cl.subscribe(1, c2d); !slices.Equal(got, []byte{1}) {
			t.Errorf("SUBACK %v", got)
		}
		cl.quiet(80 * time.Second)
		if q := c.Queue(dev); len(q) != 0 {
			t.Errorf("queue %+v", q)
		}
		if l := c.Logins(); l[0].Present || !l[1].Present {
			t.Errorf("session present: %t, %t", l[0].Present, l[1].Present)
		}
	})
}

func TestH20aCleanSession(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		cl.disconnect()
		c.c2d("before")
		cl = c.connect(clean)
		c.c2d("connected")
		cl.quiet(time.Second)
		cl.subscribe(1, c2d)
		cl.quiet(time.Second)
		c.c2d("after")
		m := cl.message()
		if string(m.Payload) != "after" {
			t.Errorf("got %v", m)
		}
		cl.puback(m.MessageID)
		cl.disconnect()
		c.c2d("offline")
		cl = c.connect()
		cl.quiet(time.Second)
		cl.subscribe(1, c2d)
		cl.quiet(time.Second)
		c.c2d("again")
		if m := cl.message(); string(m.Payload) != "again" {
			t.Errorf("got %v", m)
		}
	})
}

func TestH20bNeverSubscribed(t *testing.T) {
	for _, deliver := range []bool{false, true} {
		inBubble(t, hubsim.Options{DeliverUnsubscribed: deliver}, func(t *testing.T, c *cloud) {
			c.c2d("early")
			cl := c.connect()
			cl.quiet(time.Second)
			cl.subscribe(1, c2d)
			if deliver {
				if m := cl.message(); string(m.Payload) != "early" {
					t.Errorf("got %v", m)
				}
			}
			cl.quiet(time.Second)
			if q := c.Queue(dev); len(q) != 1 {
				t.Errorf("queue %+v: the message stays until it expires", q)
			}
		})
	}
}

func TestUnsubscribe(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		p := packets.NewControlPacket(packets.Unsubscribe).(*packets.UnsubscribePacket)
		p.MessageID, p.Topics = 3, []string{c2d}
		cl.send(p)
		if a, ok := cl.next().(*packets.UnsubackPacket); !ok || a.MessageID != 3 {
			t.Fatalf("got %v", a)
		}
		c.c2d("ON")
		cl.quiet(time.Second)
		cl.disconnect()
		c.connect().quiet(time.Second)
	})
}

func TestH21QoS2(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		if got := cl.subscribe(2, c2d, "$iothub/twin/res/#"); !slices.Equal(got, []byte{1, 1}) {
			t.Errorf("SUBACK %v", got)
		}
		c.c2d("ON")
		if m := cl.message(); m.Qos != 1 {
			t.Errorf("got %v", m)
		}
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.TopicName, p.Qos, p.MessageID = events, 2, 1
		cl.send(p)
		cl.closed()
		if r := c.Records(); len(r) != 0 {
			t.Errorf("records %+v", r)
		}
	})
}

func TestH22Topics(t *testing.T) {
	publish := []string{
		"devices/rpi-0002/messages/events/", "devices/rpi-0001/messages/events", "devices/rpi-0001/messages/devicebound/",
		"devices/rpi-0001/modules/m/messages/events/", "stat/rpi-0001/RESULT", "/" + events, events + "a/b", events + "a=+", events + "#",
		events + "a=%zz", events + "a=%ff", "$iothub/twin/GET/", "$iothub/twin/GET/?$version=1", "$iothub/twin/GET/?$rid=", "$iothub/twin/GET/?$rid=+",
		"$iothub/twin/PATCH/properties/reported/", "$iothub/twin/PATCH/properties/desired/?$rid=1", "$iothub/twin/PUT/properties/reported/?$rid=1", "$iothub/methods/POST/x/?$rid=1", "$iothub/methods/res", "$iothub/methods/res/200/?rid=1",
	}
	for _, topic := range publish {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.publish(1, topic, "x")
			cl.closed()
			if r := c.Records(); len(r) != 0 {
				t.Errorf("publish on %s: %+v", topic, r)
			}
		})
	}
	for _, filter := range []string{
		"#", "devices/#", "devices/rpi-0002/messages/devicebound/#", "devices/rpi-0001/messages/devicebound/", "devices/rpi-0001/messages/events/#",
		"devices/+/messages/devicebound/#", "cmnd/rpi-0001/#", "$iothub/#", "",
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			if got := c.connect().subscribe(1, c2d, filter); got != nil {
				t.Errorf("subscribe to %s: SUBACK %v", filter, got)
			}
			must(t, c.Inject(hubsim.Fault{Kind: hubsim.SubackFailure}))
			cl := c.connect()
			if got := cl.subscribe(1, filter); !slices.Equal(got, []byte{0x80}) {
				t.Errorf("subscribe to %s with the switch: SUBACK %v", filter, got)
			}
			cl.closed()
		})
	}
}

// TestH22ListedTopics: the topics of methods and twins may be subscribed to.
func TestH22ListedTopics(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		got := cl.subscribe(0, c2d, "$iothub/methods/POST/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#")
		if !slices.Equal(got, []byte{0, 0, 0, 0}) {
			t.Errorf("SUBACK %v", got)
		}
		cl.quiet(time.Minute)
	})
}

// TestNoDeviceHearsAnother: the hub is not a broker.
func TestNoDeviceHearsAnother(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		cl.publish(1, events, "x")
		cl.next() // PUBACK
		cl.quiet(time.Second)
	})
}

func TestH23Subscriptions(t *testing.T) {
	inBubble(t, hubsim.Options{MaxSubscriptions: 2}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		if got := cl.subscribe(1, "$iothub/methods/POST/#", "$iothub/twin/res/#", c2d); !slices.Equal(got, []byte{1, 1, 0x80}) {
			t.Errorf("SUBACK %v", got)
		}
		if got := cl.subscribe(1, "$iothub/twin/res/#"); !slices.Equal(got, []byte{1}) {
			t.Errorf("the same filter again: SUBACK %v", got)
		}
		c.c2d("ON")
		cl.quiet(time.Second)
	})
}

func TestH24Retain(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.TopicName, p.Payload, p.Retain = events+"a=b", []byte("kept?"), true
		cl.send(p)
		r := c.record("kept?")
		if r.Properties["mqtt-retain"] != "true" || r.Properties["a"] != "b" {
			t.Errorf("properties %v", r.Properties)
		}
		cl.publish(1, events, "plain")
		if r := c.record("plain"); len(r.Properties) != 0 {
			t.Errorf("properties %v", r.Properties)
		}
		cl.next()
		cl.subscribe(1, c2d)
		cl.quiet(time.Second)
	})
}

func TestH25Will(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		c.connect(withWill("never")).disconnect()
		cl := c.connect(withWill("lost"))
		cl.conn.Close()
		r := c.record("lost")
		if r.Properties["iothub-MessageType"] != "Will" || r.Properties["topic"] != "LWT" || r.Device != dev {
			t.Errorf("will %+v", r)
		}
		c.connect(withWill("silent"), func(p *packets.ConnectPacket) { p.Keepalive = 10 })
		synctest.Wait()
		if got := len(c.Records()); got != 1 {
			t.Errorf("%d records before the keep-alive ends, want 1", got)
		}
		c.record("silent")
	})
}

func TestH25WillTopic(t *testing.T) {
	for name, change := range map[string]func(*packets.ConnectPacket){
		"topic":  func(p *packets.ConnectPacket) { p.WillTopic = "tele/rpi-0001/LWT" },
		"device": func(p *packets.ConnectPacket) { p.WillTopic = "devices/rpi-0002/messages/events/" },
		"qos":    func(p *packets.ConnectPacket) { p.WillQos = 2 },
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			got := c.try(func(p *packets.ConnectPacket) { withWill("x")(p); change(p) })
			if r := c.Records(); got != 5 || len(r) != 0 {
				t.Errorf("will with a wrong %s: %d and %d records, want 5 and 0", name, got, len(r))
			}
		})
	}
}

func TestH26Puback(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.publish(1, events, "1")
		if p := cl.next(); p.Details().MessageID != 1 {
			t.Errorf("got %v", p)
		}
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.DropPuback, Count: 2}))
		cl.publish(2, events, "2")
		cl.quiet(time.Minute)
		again := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		again.TopicName, again.Payload, again.Qos, again.Dup, again.MessageID = events, []byte("2"), 1, true, 2
		cl.send(again)
		cl.quiet(time.Minute)
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.DelayPuback, Delay: 7 * time.Second}))
		cl.send(again)
		cl.publish(3, events, "3")
		cl.quiet(7*time.Second - time.Millisecond)
		for _, want := range []uint16{2, 3} {
			if p := cl.next(); p.Details().MessageID != want {
				t.Errorf("got %v, want the PUBACK of %d", p, want)
			}
		}
		var bodies []string
		for i, r := range c.Records() {
			bodies = append(bodies, string(r.Body))
			if r.Seq != uint64(i+1) {
				t.Errorf("record %d has number %d", i, r.Seq)
			}
		}
		if got := strings.Join(bodies, " "); got != "1 2 2 2 3" {
			t.Errorf("records %s", got)
		}
	})
}

func TestH27Size(t *testing.T) {
	const limit = 262144
	for _, tt := range []struct {
		bag  string
		body int
		ok   bool
	}{
		{"", limit, true},
		{"", limit + 1, false},
		{"ab=cde&%24.ct=fg", limit - 7, true}, // names and values of application properties, values of system ones
		{"ab=cde&%24.ct=fg", limit - 6, false},
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.publish(1, events+tt.bag, strings.Repeat("x", tt.body))
			if p := cl.next(); (p != nil) != tt.ok {
				t.Errorf("%q and %d bytes: %v", tt.bag, tt.body, p)
			}
			if got := len(c.Records()); (got == 1) != tt.ok {
				t.Errorf("%q and %d bytes: %d records", tt.bag, tt.body, got)
			}
		})
	}
}

// TestOversizedPacket: what says it is larger than any message is not even
// read.
func TestOversizedPacket(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.raw([]byte{0x32, 0xff, 0xff, 0xff, 0x7f})
		cl.closed()
	})
}

func TestMalformedPackets(t *testing.T) {
	for _, raw := range []string{
		"\x32\x04\x00\x40ab",                      // a topic longer than its packet
		"\x82\x08\x00\x01\x00\x20abcd",            // the same in a SUBSCRIBE
		"\x80\x05\x00\x01\x00\x00\x00",            // SUBSCRIBE without its flags
		"\x82\x2c\x00\x01\x00\x27" + c2d + "\x03", // SUBSCRIBE with QoS 3
		"\x32\x25\x00\x21" + events + "\x00\x00",  // PUBLISH with QoS 1 and packet id 0
		"\x80\x2c\x00\x01\x00\x27" + c2d + "\x01", // SUBSCRIBE without its flags
		"\x82\x02\x00\x01",                        // SUBSCRIBE to nothing
		"\x82\x05\x00\x00\x00\x00\x00",            // SUBSCRIBE with packet id 0
		"\xa2\x02\x00\x01",                        // UNSUBSCRIBE from nothing
		"\x40\x01\x01",                            // half a packet id
		"\xc0\x80\x80\x80\x80\x00",                // a length of five bytes
		"\xc1\x00", "\x00\x00", "\xf0\x00", "\x20\x02\x00\x00", "\x50\x02\x00\x01",
		"\x32\x06\x00\x01\xff\x00\x01x", // a topic that is not UTF-8
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.raw([]byte(raw))
			cl.closed()
		})
	}
}

func TestDeviceThatDoesNotRead(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.Delay, Count: hubsim.Always, Delay: time.Hour}))
		cl := c.dial()
		cl.send(hello())
		for i := range 1001 {
			cl.publish(uint16(i+1), events, fmt.Sprint(i))
		}
		cl.closed()
		if l := c.Logins(); l[0].End != "the device does not read" {
			t.Errorf("login %+v", l[0])
		}
	})
}
