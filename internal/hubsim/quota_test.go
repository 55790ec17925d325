package hubsim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
)

// used is what the first hub has counted today.
func (c *cloud) used() int { return c.Usage()[0].Used }

// free is the free tier of Azure, with room for so many messages.
func free(limit int) hubsim.Options {
	return hubsim.Options{Quota: hubsim.Quota{Limit: limit, Meter: 512}}
}

func TestH50Metering(t *testing.T) {
	for _, tt := range []struct {
		meter, body, want int
		bag               string
	}{
		{512, 0, 1, ""}, {512, 1, 1, ""}, {512, 512, 1, ""}, {512, 513, 2, ""}, {512, 600, 2, ""}, {512, 262144, 512, ""},
		{512, 510, 1, "a=b"}, {512, 511, 2, "a=b"}, {512, 511, 2, "%24.ct=ab"},
		{0, 513, 1, ""}, {0, 4096, 1, ""}, {0, 4097, 2, ""}, // 4 KB unless told otherwise
	} {
		inBubble(t, hubsim.Options{Quota: hubsim.Quota{Meter: tt.meter}}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.publish(1, events+tt.bag, strings.Repeat("x", tt.body))
			cl.next()
			if got := c.used(); got != tt.want {
				t.Errorf("%d bytes and %q, metered by %d: %d, want %d", tt.body, tt.bag, tt.meter, got, tt.want)
			}
		})
	}
}

// TestH50Charged: what counts, and what does not.
func TestH50Charged(t *testing.T) {
	inBubble(t, free(0), func(t *testing.T, c *cloud) {
		step := func(what string, want int, f func()) {
			t.Helper()
			before := c.used()
			f()
			if got := c.used() - before; got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		var cl *client
		step("connecting and subscribing", 0, func() {
			cl = c.connect(withWill("gone"))
			cl.subscribe(0, c2d, "$iothub/methods/POST/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#")
		})
		step("a C2D message", 2, func() { c.c2d(strings.Repeat("x", 513)); cl.message() })
		step("a message that is too large", 0, func() { c.Send(dev, hubsim.C2D{Body: make([]byte, 65<<10)}) })
		step("reading the twin", 1, func() { cl.publish0("$iothub/twin/GET/?$rid=1", ""); cl.message() })
		step("reporting", 1, func() {
			cl.publish0("$iothub/twin/PATCH/properties/reported/?$rid=2", `{"a":1}`)
			cl.message()
		})
		step("reporting nonsense", 0, func() { cl.publish0("$iothub/twin/PATCH/properties/reported/?$rid=3", `{`); cl.message() })
		step("updating the twin, and the notification", 2, func() { c.UpdateTwin(dev, []byte(`{"a":1}`)); cl.message() })
		step("calling a method, and the answer", 3, func() {
			done := make(chan error)
			go func() {
				_, err := c.Invoke(t.Context(), dev, hubsim.Call{Method: "m"})
				done <- err
			}()
			rid := cl.message().TopicName[len("$iothub/methods/POST/m/?$rid="):]
			cl.publish0("$iothub/methods/res/200/?$rid="+rid, `"`+strings.Repeat("x", 600)+`"`)
			must(t, <-done)
		})
		step("a will", 1, func() { cl.conn.Close(); c.record("gone") })
		step("a will that is not sent", 0, func() { c.connect(withWill("x")).disconnect() })
		step("calling nobody", 0, func() { c.Invoke(t.Context(), dev, hubsim.Call{Method: "m"}) })
		step("what was only told", 7, func() { must(t, c.Spend("", 7)) })
	})
}

// TestH50UsedUp: a publish beyond the quota is not stored; what becomes of the
// connection, and of the next, is a switch.
func TestH50UsedUp(t *testing.T) {
	inBubble(t, free(3), func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.publish(1, events, strings.Repeat("x", 600))
		cl.next()
		cl.publish(2, events, strings.Repeat("x", 600)) // which two would be too many for
		cl.quiet(time.Minute)
		cl.publish(3, events, "small")
		cl.next()
		cl.publish(4, events, "small")
		cl.quiet(time.Minute)
		must(t, c.SetQuota(hubsim.Quota{Limit: 3, Meter: 512, Publish: hubsim.OverClose}))
		cl.publish(5, events, "small")
		cl.closed()
		if got := len(c.Records()); got != 2 {
			t.Errorf("%d records, want 2", got)
		}
		if _, err := c.Send(dev, hubsim.C2D{}); !errors.Is(err, hubsim.ErrOverQuota) {
			t.Errorf("C2D: %v", err)
		}
		if _, err := c.UpdateTwin(dev, []byte(`{"a":1}`)); !errors.Is(err, hubsim.ErrOverQuota) {
			t.Errorf("twin: %v", err)
		}
		if got := c.try(func(*connectPacket) {}); got != 5 {
			t.Errorf("CONNECT: %d, want 5", got)
		}
		must(t, c.SetQuota(hubsim.Quota{Limit: 3, Connect: hubsim.OverSever}))
		cl = c.connect()
		cl.subscribe(0, "$iothub/methods/POST/#", "$iothub/twin/res/#")
		if _, err := c.Invoke(t.Context(), dev, hubsim.Call{Method: "m"}); !errors.Is(err, hubsim.ErrOverQuota) {
			t.Errorf("method: %v", err)
		}
		for _, topic := range []string{"$iothub/twin/GET/?$rid=1", "$iothub/twin/PATCH/properties/reported/?$rid=1"} {
			cl.publish0(topic, "{}")
			if m := cl.message(); m.TopicName != "$iothub/twin/res/403/?$rid=1" || !strings.Contains(string(m.Payload), "403002") {
				t.Errorf("%s: %s %s", topic, m.TopicName, m.Payload)
			}
		}
		cl.quiet(time.Second - time.Millisecond)
		cl.closed()
		if l := c.Logins(); l[len(l)-1].End != hubsim.ErrOverQuota.Error() {
			t.Errorf("login %+v", l[len(l)-1])
		}
		if got := c.used(); got != 3 {
			t.Errorf("%d counted, want 3: what is refused costs nothing", got)
		}
	})
}

// TestH50Reset: the day ends at 00:00 UTC, by the cloud's clock.
func TestH50Reset(t *testing.T) {
	o := free(1)
	o.Now = func() time.Time { return time.Now().Add(20 * time.Hour).In(time.FixedZone("east", 9*3600)) }
	inBubble(t, o, func(t *testing.T, c *cloud) {
		cl := c.connect(longToken)
		send := func() { cl.publish(1, events, "x") }
		send()
		cl.next()
		send()
		cl.quiet(time.Second)
		if u := c.Usage()[0]; u.Used != 1 || u.Hub != "localhost" || !u.Resets.Equal(bubbleStart.AddDate(0, 0, 1)) {
			t.Errorf("usage %+v", u)
		}
		for time.Now().Before(bubbleStart.Add(4*time.Hour - time.Minute)) {
			cl.quiet(time.Minute)
			cl.puback(1)
		}
		send()
		cl.quiet(time.Minute)
		send()
		cl.next()
	})
}

// TestH50EachHub has a quota of its own.
func TestH50EachHub(t *testing.T) {
	o := free(1)
	o.Hosts = []string{"localhost", "other"}
	inBubble(t, o, func(t *testing.T, c *cloud) {
		must(t, c.AddDevice(hubsim.Device{ID: "there", Hub: "other"}))
		must(t, c.Spend("localhost", 1))
		if _, err := c.Send(dev, hubsim.C2D{}); !errors.Is(err, hubsim.ErrOverQuota) {
			t.Errorf("here: %v", err)
		}
		if _, err := c.Send("there", hubsim.C2D{}); err != nil {
			t.Errorf("there: %v", err)
		}
		for _, q := range []hubsim.Quota{{Limit: -1}, {Meter: -1}, {Publish: "x"}, {Connect: "drop"}} {
			if c.SetQuota(q) == nil {
				t.Errorf("%+v is taken", q)
			}
		}
		if c.Spend("elsewhere", 1) == nil || c.Spend("", -1) == nil {
			t.Error("nonsense is spent")
		}
	})
}

// TestH51Throttle: messages that come too fast are acknowledged late, and too
// many of them end the connection.
func TestH51Throttle(t *testing.T) {
	inBubble(t, hubsim.Options{Throttle: hubsim.Throttle{Rate: 2, Backlog: 4}}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		for i := range 5 {
			cl.publish(uint16(i+1), events, "x")
		}
		for i := range 5 {
			if p := cl.next(); p.Details().MessageID != uint16(i+1) {
				t.Errorf("got %v", p)
			}
			if i < 4 {
				cl.quiet(500*time.Millisecond - time.Nanosecond)
			}
		}
		cl.quiet(500*time.Millisecond - time.Nanosecond)
		for i := range 6 {
			cl.publish(uint16(i+10), events, "y")
		}
		for p := cl.next(); p != nil; p = cl.next() {
			if p.Details().MessageID == 15 {
				t.Error("the sixth is acknowledged")
			}
		}
		if l := c.Logins()[0]; !strings.HasPrefix(l.End, "429002") {
			t.Errorf("login %+v", l)
		}
		if got := len(c.Records()); got != 10 {
			t.Errorf("%d records, want 10", got)
		}
		must(t, c.SetThrottle(hubsim.Throttle{}))
		cl = c.connect()
		for i := range 100 {
			cl.publish(uint16(i+1), events, "z")
		}
		start := time.Now()
		for range 100 {
			cl.next()
		}
		if time.Since(start) != 0 {
			t.Errorf("without a throttle: %v", time.Since(start))
		}
		for _, w := range []hubsim.Throttle{{Rate: -1}, {Rate: 1e-9}, {Rate: 1e9}, {Rate: 1, Backlog: -1}} {
			if c.SetThrottle(w) == nil {
				t.Errorf("%+v is taken", w)
			}
		}
	})
}

func TestControlQuota(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		for _, tt := range []struct {
			method, path, body string
			status             int
			want               string
		}{
			{"PUT", "/v1/quota", `{"limit":8000,"meter":512,"publish":"close","connect":"sever"}`, 204, ""},
			{"POST", "/v1/quota/spend", `{"messages":7999}`, 204, ""},
			{"GET", "/v1/quota", "", 200, `{"quota":{"limit":8000,"meter":512,"publish":"close","connect":"sever"},"usage":[{"hub":"localhost","used":7999,"resets":"2000-01-02T00:00:00Z"}]}`},
			{"PUT", "/v1/quota", `{"limit":-1}`, 400, `"error"`},
			{"PUT", "/v1/quota", `{"limits":1}`, 400, "limits"},
			{"POST", "/v1/quota/spend", `{"hub":"x","messages":1}`, 400, `"error"`},
			{"POST", "/v1/devices/" + dev + "/messages", `{"body":"x"}`, 201, ""},
			{"POST", "/v1/devices/" + dev + "/messages", `{"body":"x"}`, 403, "403002"},
			{"PUT", "/v1/throttle", `{"rate":0.5,"backlog":3}`, 204, ""},
			{"GET", "/v1/throttle", "", 200, `{"rate":0.5,"backlog":3}`},
			{"PUT", "/v1/throttle", `{"rate":-1}`, 400, `"error"`},
			{"PUT", "/v1/throttle", `[]`, 400, `"error"`},
		} {
			if status, got := c.call(tt.method, tt.path, tt.body); status != tt.status || !strings.Contains(got, tt.want) {
				t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, status, got)
			}
		}
	})
}
