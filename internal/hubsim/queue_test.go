package hubsim_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
)

func TestH30Bag(t *testing.T) {
	bag := "a%2Fb=x%3D1%26y%3D2&p%25=100%25&v=1%2B1&raw=%252F&gr%C3%B6%C3%9Fe=z%C3%A4hler&%24price=%40home&flag=&u=A-z_0.9~!*'()&e=a=b"
	want := map[string]string{
		"a/b": "x=1&y=2", "p%": "100%", "v": "1+1", "raw": "%2F", "größe": "zähler", "$price": "@home", "flag": "", "u": "A-z_0.9~!*'()", "e": "a=b",
	}
	for _, tail := range []string{"", "/"} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.publish(1, events+bag+tail, "x")
			got := c.record("x").Properties
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			cl.next()
		})
	}
}

func TestH31SystemProperties(t *testing.T) {
	for _, dollar := range []string{"$", "%24"} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			bag := "$.ct=application%2Fjson&$.ce=utf-8&$.mid=m%201&$.cid=c1&$.uid=u1&$.sub=relay&$.new=n&ct=mine"
			cl.publish(1, events+strings.ReplaceAll(bag, "$", dollar), "x")
			r := c.record("x")
			for name, want := range map[string]string{
				"content-type": "application/json", "content-encoding": "utf-8", "message-id": "m 1", "correlation-id": "c1",
				"user-id": "u1", "dt-subject": "relay", "$.new": "n",
			} {
				if r.System[name] != want {
					t.Errorf("%s is %q, want %q", name, r.System[name], want)
				}
			}
			if fmt.Sprint(r.Properties) != "map[ct:mine]" {
				t.Errorf("application properties %v", r.Properties)
			}
			cl.next()
		})
	}
}

func TestH32Stamps(t *testing.T) {
	ahead := func() time.Time { return time.Now().Add(3 * time.Minute) }
	inBubble(t, hubsim.Options{Now: ahead}, func(t *testing.T, c *cloud) {
		cl := c.connect(user("localhost/" + dev + "/?api-version=2021-04-12&model-id=dtmi:x;1"))
		cl.publish(1, events+"iothub-connection-device-id=liar&%24.cdid=liar", "x")
		r := c.record("x")
		for name, want := range map[string]string{
			"iothub-connection-device-id":   dev,
			"iothub-connection-auth-method": `{"scope":"device","type":"sas","issuer":"iothub"}`,
			"iothub-enqueuedtime":           "2000-01-01T00:03:00.000Z",
			"dt-dataschema":                 "dtmi:x;1",
		} {
			if r.System[name] != want {
				t.Errorf("%s is %q, want %q", name, r.System[name], want)
			}
		}
		if r.System["iothub-connection-auth-generation-id"] == "" || !r.Enqueued.Equal(ahead()) || r.Hub != "localhost" {
			t.Errorf("got %+v", r)
		}
		cl.next()
	})
}

func TestH33QueueFull(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		for i := range 50 {
			c.c2d(fmt.Sprint(i))
		}
		_, err := c.Send(dev, hubsim.C2D{Body: []byte("51")})
		if !errors.Is(err, hubsim.ErrQueueFull) || !strings.Contains(err.Error(), "403004") {
			t.Errorf("message 51: %v", err)
		}
		cl.puback(cl.message().MessageID)
		must(t, c.Wait(t.Context(), func() bool { return len(c.Queue(dev)) == 49 }))
		c.c2d("51")
		for range 50 {
			cl.puback(cl.message().MessageID)
		}
		must(t, c.Wait(t.Context(), func() bool { return len(c.Queue(dev)) == 0 }))
	})
}

func TestH34OnlyPubackCompletes(t *testing.T) {
	for _, lock := range []time.Duration{0, 5 * time.Second} {
		inBubble(t, hubsim.Options{Lock: lock}, func(t *testing.T, c *cloud) {
			after := lock
			if lock == 0 {
				after = time.Minute
			}
			cl := c.connect(longToken)
			cl.subscribe(1, c2d)
			c.c2d("1")
			c.c2d("2")
			first, second := cl.message(), cl.message()
			cl.puback(second.MessageID)
			cl.quiet(after - time.Millisecond)
			again := cl.message()
			if string(again.Payload) != "1" || !again.Dup || again.MessageID == first.MessageID {
				t.Errorf("after the lock: %v", again)
			}
			cl.puback(first.MessageID) // too late: its lock is lost
			cl.quiet(after - time.Millisecond)
			third := cl.message()
			if q := c.Queue(dev); len(q) != 1 || q[0].Deliveries != 3 || !q[0].Locked {
				t.Errorf("queue %+v", q)
			}
			cl.conn.Close()
			cl = c.connect(longToken)
			fourth := cl.message()
			if string(fourth.Payload) != "1" || !fourth.Dup || !third.Dup {
				t.Errorf("after the reconnect: %v", fourth)
			}
			cl.puback(fourth.MessageID)
			cl.quiet(after + time.Second)
			if q := c.Queue(dev); len(q) != 0 {
				t.Errorf("queue %+v", q)
			}
		})
	}
}

// TestH34UntilItExpires: without PUBACK a message comes again and again, and
// stops with its time to live.
func TestH34UntilItExpires(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect(func(p *connectPacket) { p.Keepalive = 1100 })
		cl.subscribe(1, c2d)
		_, err := c.Send(dev, hubsim.C2D{Body: []byte("x"), TTL: 10 * time.Minute})
		must(t, err)
		for range 10 {
			cl.message()
			cl.quiet(time.Minute - time.Millisecond)
		}
		cl.quiet(10 * time.Minute)
		if q := c.Queue(dev); len(q) != 0 {
			t.Errorf("queue %+v", q)
		}
	})
}

// TestH34Order: what was not acknowledged comes again in the order of the queue.
func TestH34Order(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		for i := range 20 {
			c.c2d(fmt.Sprint(i))
		}
		for i := range 20 {
			if m := cl.message(); string(m.Payload) != fmt.Sprint(i) {
				t.Fatalf("message %d is %s", i, m.Payload)
			} else if i%2 == 0 {
				cl.puback(m.MessageID)
			}
		}
		cl.disconnect()
		cl = c.connect()
		for i := 1; i < 20; i += 2 {
			if m := cl.message(); string(m.Payload) != fmt.Sprint(i) {
				t.Fatalf("message %d is %s", i, m.Payload)
			}
		}
	})
}

// TestH34QoS0: over a subscription with QoS 0 a message is completed by being
// sent.
func TestH34QoS0(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, c2d)
		c.c2d("x")
		if m := cl.message(); m.Qos != 0 || m.MessageID != 0 {
			t.Errorf("got %v", m)
		}
		if q := c.Queue(dev); len(q) != 0 {
			t.Errorf("queue %+v", q)
		}
	})
}

// TestH34PacketIDs: ids go round without 0, and without those that wait for
// their PUBACK.
func TestH34PacketIDs(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		next := func(want uint16) {
			t.Helper()
			c.c2d("x")
			if m := cl.message(); m.MessageID != want {
				t.Errorf("packet id %d, want %d", m.MessageID, want)
			}
		}
		c.SetLastPacketID(dev, 65534)
		next(65535)
		next(1)
		cl.puback(65535)
		cl.quiet(time.Millisecond)
		c.SetLastPacketID(dev, 65534)
		next(65535)
		next(2)
	})
}

func TestH35Keys(t *testing.T) {
	const to = "%24.to=%2Fdevices%2Frpi-0001%2Fmessages%2Fdevicebound"
	for want, m := range map[string]hubsim.C2D{
		to: {},
		"%24.to=%2Fdevices%2Frpi-0001%2Fmessages%2FdeviceBound": {To: "/devices/rpi-0001/messages/deviceBound"},
		to + "&a=b&empty=&null&s=a%2Fb%20%2B%3D%26%25%C3%B6": {Properties: []hubsim.Property{
			{Name: "a", Value: "b"}, {Name: "empty"}, {Name: "null", Null: true}, {Name: "s", Value: "a/b +=&%ö"},
		}},
		"%24.mid=m1&%24.cid=c1&%24.uid=u1&" + to + "&%24.ct=text%2Fplain&%24.ce=utf-8&iothub-ack=full&k=1&k=2": {
			MessageID: "m1", CorrelationID: "c1", UserID: "u1", ContentType: "text/plain", ContentEncoding: "utf-8", Ack: "full",
			Properties: []hubsim.Property{{Name: "k", Value: "1"}, {Name: "k", Value: "2"}},
		},
		to + "&%24.exp=2000-01-01T00%3A01%3A00.0000000Z": {TTL: time.Minute},
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.subscribe(1, c2d)
			_, err := c.Send(dev, m)
			must(t, err)
			if got := strings.TrimPrefix(cl.message().TopicName, "devices/rpi-0001/messages/devicebound/"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestH37Expiry(t *testing.T) {
	for _, offline := range []bool{true, false} {
		inBubble(t, hubsim.Options{TTL: 30 * time.Minute}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.subscribe(1, c2d)
			cl.disconnect()
			c.c2d("default")
			_, err := c.Send(dev, hubsim.C2D{Body: []byte("short"), TTL: 5 * time.Second})
			must(t, err)
			time.Sleep(4 * time.Second)
			if q := c.Queue(dev); len(q) != 2 || !q[1].Expires.Equal(time.Now().Add(time.Second)) {
				t.Errorf("queue %+v", q)
			}
			time.Sleep(time.Second)
			if q := c.Queue(dev); len(q) != 1 || string(q[0].Body) != "default" {
				t.Errorf("queue %+v", q)
			}
			if offline {
				time.Sleep(30 * time.Minute)
			}
			cl = c.connect()
			if !offline {
				cl.puback(cl.message().MessageID)
			}
			cl.quiet(time.Minute)
		})
	}
}

func TestSendRefused(t *testing.T) {
	for _, tt := range []struct {
		device string
		m      hubsim.C2D
		want   error
	}{
		{"nobody", hubsim.C2D{}, hubsim.ErrUnknownDevice},
		{dev, hubsim.C2D{Body: make([]byte, 64<<10+1)}, hubsim.ErrTooLarge},
		{dev, hubsim.C2D{Body: make([]byte, 64<<10), MessageID: "m"}, hubsim.ErrTooLarge},
		{dev, hubsim.C2D{Properties: []hubsim.Property{{Name: "ö", Value: strings.Repeat("ö", 12000)}}}, hubsim.ErrTooLarge},
		{dev, hubsim.C2D{TTL: 49 * time.Hour}, hubsim.ErrInvalid},
		{dev, hubsim.C2D{TTL: -1}, hubsim.ErrInvalid},
		{dev, hubsim.C2D{Ack: "please"}, hubsim.ErrInvalid},
		{dev, hubsim.C2D{To: "/devices/rpi-0002/messages/devicebound"}, hubsim.ErrInvalid},
		{dev, hubsim.C2D{Properties: []hubsim.Property{{Name: ""}}}, hubsim.ErrInvalid},
		{dev, hubsim.C2D{Properties: []hubsim.Property{{Name: "$.mid", Value: "x"}}}, hubsim.ErrInvalid},
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			if _, err := c.Send(tt.device, tt.m); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		_, err := c.Send(dev, hubsim.C2D{Body: make([]byte, 64<<10)})
		must(t, err)
	})
}
