package hubsim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
)

const (
	twinRes  = "$iothub/twin/res/#"
	twinGet  = "$iothub/twin/GET/?$rid="
	report   = "$iothub/twin/PATCH/properties/reported/?$rid="
	desired  = "$iothub/twin/PATCH/properties/desired/#"
	newTwins = `{"desired":{"$version":1},"reported":{"$version":1}}`
)

// twinAnswer expects an answer on a topic after "$iothub/twin/res/".
func (cl *client) twinAnswer(topic string) string {
	cl.t.Helper()
	p := cl.message()
	if got, ok := strings.CutPrefix(p.TopicName, "$iothub/twin/res/"); !ok || got != topic || p.Qos != 0 || p.Retain {
		cl.t.Fatalf("%v, want topic %s", p, topic)
	}
	return string(p.Payload)
}

// changed expects the notification of a desired version and returns its patch.
func (cl *client) changed(version int) string {
	cl.t.Helper()
	p := cl.message()
	if want := fmt.Sprintf("$iothub/twin/PATCH/properties/desired/?$version=%d", version); p.TopicName != want || p.Qos != 0 || p.Retain {
		cl.t.Fatalf("%v, want topic %s", p, want)
	}
	return string(p.Payload)
}

func (c *cloud) update(patch string, version uint64) {
	c.t.Helper()
	if got, err := c.UpdateTwin(dev, []byte(patch)); err != nil || got != version {
		c.t.Errorf("%s: version %d, %v, want %d", patch, got, err, version)
	}
}

// twinHas compares the twin as the control API shows it.
func (c *cloud) twinHas(desired, reported string) {
	c.t.Helper()
	twin, err := c.Twin(dev)
	must(c.t, err)
	d, err := json.Marshal(twin.Desired)
	must(c.t, err)
	r, err := json.Marshal(twin.Reported)
	must(c.t, err)
	if string(d) != desired || string(r) != reported {
		c.t.Errorf("desired %s, reported %s\nwant    %s,          %s", d, r, desired, reported)
	}
}

func TestH43Get(t *testing.T) {
	for _, body := range []string{"", " "} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.publish0(twinGet+"early", body) // nobody listens
			cl.quiet(time.Second)
			cl.subscribe(0, twinRes)
			cl.publish0(twinGet+"1", body)
			if got := cl.twinAnswer("200/?$rid=1"); got != newTwins {
				t.Errorf("got %s", got)
			}
			c.update(`{"TelePeriod":60,"relays":{"1":{"power":"ON"}}}`, 2)
			cl.publish0(report+"2", `{"fw":"14.2"}`)
			cl.twinAnswer("204/?$rid=2&$version=2")
			cl.publish(9, twinGet+"0b0f0c9e-8f57", body) // with QoS 1
			want := `{"desired":{"$version":2,"TelePeriod":60,"relays":{"1":{"power":"ON"}}},"reported":{"$version":2,"fw":"14.2"}}`
			var got string
			for range 2 { // PUBACK and answer may come in either order
				if p, ok := cl.next().(*packets.PublishPacket); ok {
					got = string(p.Payload)
				}
			}
			if got != want {
				t.Errorf("got %s", got)
			}
			cl = c.connect() // the subscription has ended
			cl.publish0(twinGet+"3", body)
			cl.quiet(time.Second)
		})
	}
}

func TestH44Patch(t *testing.T) {
	for _, tt := range []struct {
		name, doc, patch, want string
	}{
		{"empty", `{"a":1}`, `{}`, `{"$version":3,"a":1}`},
		{"merge", `{"a":{"b":1,"c":2}}`, `{"a":{"c":3,"d":4}}`, `{"$version":3,"a":{"b":1,"c":3,"d":4}}`},
		{"array replaces", `{"a":[1,2,{"x":1}]}`, `{"a":[{"y":null}]}`, `{"$version":3,"a":[{"y":null}]}`},
		{"null deletes", `{"a":{"b":1,"c":2},"d":1}`, `{"a":{"b":null},"d":null,"never":null}`, `{"$version":3,"a":{"c":2}}`},
		{"null in what is new", `{}`, `{"a":{"b":null,"c":{"d":null}}}`, `{"$version":3,"a":{"c":{}}}`},
		{"object over scalar", `{"a":1}`, `{"a":{"b":2}}`, `{"$version":3,"a":{"b":2}}`},
		{"scalar over object", `{"a":{"b":2}}`, `{"a":"x"}`, `{"$version":3,"a":"x"}`},
		{"numbers stay", `{}`, `{"a":1.50,"b":4503599627370495,"c":-4503599627370496,"d":1e3}`, `{"$version":3,"a":1.50,"b":4503599627370495,"c":-4503599627370496,"d":1e3}`},
		{"texts stay", `{}`, `{"Küche":"<&>\n"}`, `{"$version":3,"Küche":"\u003c\u0026\u003e\n"}`},
		{"case", `{"a":1}`, `{"A":2}`, `{"$version":3,"A":2,"a":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
				cl := c.connect()
				cl.subscribe(0, twinRes)
				cl.publish0(report+"a", tt.doc)
				if body := cl.twinAnswer("204/?$rid=a&$version=2"); body != "" {
					t.Errorf("body %q", body)
				}
				cl.publish0(report+"b", tt.patch)
				cl.twinAnswer("204/?$rid=b&$version=3")
				c.twinHas(`{"$version":1}`, tt.want)
				c.update(tt.doc, 2)
				c.update(tt.patch, 3)
				c.twinHas(tt.want, tt.want)
			})
		})
	}
}

// nested is an object with so many objects in it, one in another.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + `{"x":1}` + strings.Repeat(`}`, depth)
}

func TestH44Refused(t *testing.T) {
	long := strings.Repeat("x", 4<<10)
	bad := map[string]string{
		"empty": ``, "space": ` `, "not JSON": `{"a":`, "an array": `[]`, "null": `null`, "a text": `"a"`, "two": `{} {}`,
		"a dot": `{"a.b":1}`, "a dollar": `{"$a":1}`, "the version": `{"$version":7}`, "a blank": `{"a b":1}`, "a control character": `{"a\u0007":1}`,
		"a C1 control character": `{"a\u0085":1}`, "no key": `{"":1}`, "a bad key inside": `{"a":{"b.c":null}}`, "a bad key in an array": `{"a":[{"b.c":1}]}`,
		"a long key": `{"` + strings.Repeat("k", 1025) + `":1}`, "a long text": `{"a":"` + long + `x"}`,
		"a large integer": `{"a":4503599627370496}`, "a small integer": `{"a":-4503599627370497}`, "a huge integer": `{"a":1` + strings.Repeat("0", 40) + `}`,
		"a huge number": `{"a":1e999}`, "not UTF-8": "{\"a\":\"\xff\"}", "depth 11": nested(11), "array at depth 11": strings.Repeat(`{"a":`, 10) + `{"a":[]}` + strings.Repeat(`}`, 10),
	}
	for name, patch := range bad {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.subscribe(0, twinRes, desired)
			cl.publish0(report+"1", patch)
			var body struct {
				ErrorCode    int
				Message      string
				TrackingID   string
				TimestampUTC time.Time
			}
			must(t, json.Unmarshal([]byte(cl.twinAnswer("400/?$rid=1")), &body))
			if body.ErrorCode != 400004 || body.Message == "" || body.TrackingID == "" || body.TimestampUTC.IsZero() {
				t.Errorf("%s: body %+v", name, body)
			}
			if _, err := c.UpdateTwin(dev, []byte(patch)); !errors.Is(err, hubsim.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
			c.twinHas(`{"$version":1}`, `{"$version":1}`)
			cl.quiet(time.Second)
		})
	}
	good := []string{nested(10), `{"a":"` + long + `"}`, `{"` + strings.Repeat("k", 1024) + `":1}`}
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		for i, patch := range good {
			c.update(patch, uint64(i)+2)
		}
		if _, err := c.UpdateTwin("nobody", []byte("{}")); !errors.Is(err, hubsim.ErrUnknownDevice) {
			t.Error(err)
		}
		if _, err := c.Twin("nobody"); !errors.Is(err, hubsim.ErrUnknownDevice) {
			t.Error(err)
		}
	})
}

// TestH44Size: 32 KB of keys and values, to the byte, and for the whole, not
// for the patch.
func TestH44Size(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, twinRes)
		for i := range 7 { // 7 × (2 + 4,096) bytes
			cl.publish0(report+"1", fmt.Sprintf(`{"k%d":"%s"}`, i, strings.Repeat("x", 4<<10)))
			cl.twinAnswer(fmt.Sprintf("204/?$rid=1&$version=%d", i+2))
		}
		left := 32<<10 - 7*4098 - len("n"+"t"+"c"+"rest") - 8 - 4
		rest := func(n int) string {
			return `{"n":12345,"t":true,"c":"\n\u0000\u0085","rest":"` + strings.Repeat("x", n) + `"}`
		}
		cl.publish0(report+"2", rest(left+1))
		cl.twinAnswer("400/?$rid=2")
		cl.publish0(report+"3", rest(left))
		cl.twinAnswer("204/?$rid=3&$version=9")
		before, err := c.Twin(dev)
		must(t, err)
		cl.publish0(report+"4", `{"y":1}`)
		cl.twinAnswer("400/?$rid=4")
		if after, err := c.Twin(dev); err != nil || !reflect.DeepEqual(after, before) {
			t.Error("what was refused has changed the twin")
		}
		cl.publish0(report+"5", `{"k0":null,"y":1}`)
		cl.twinAnswer("204/?$rid=5&$version=10")
	})
}

func TestH45Desired(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		c.update(`{"a":1}`, 2) // not subscribed
		cl.subscribe(1, desired)
		cl.quiet(time.Second)
		c.update(`{"a":null,"relays":{"1":{"power":"ON"}}}`, 3)
		if got, want := cl.changed(3), `{"$version":3,"a":null,"relays":{"1":{"power":"ON"}}}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		c.update(`{}`, 4)
		if got := cl.changed(4); got != `{"$version":4}` {
			t.Errorf("got %s", got)
		}
		cl.disconnect()
		c.update(`{"b":1}`, 5) // offline: not stored
		cl = c.connect()
		cl.quiet(time.Second)
		cl.subscribe(0, desired, twinRes)
		cl.quiet(time.Second)
		c.update(`{"b":2}`, 6)
		cl.changed(6)
		cl.publish0(twinGet+"1", "")
		if got := cl.twinAnswer("200/?$rid=1"); !strings.Contains(got, `"desired":{"$version":6,"b":2,"relays"`) {
			t.Errorf("got %s", got)
		}
		must(t, c.DeleteDevice(dev)) // versions begin anew
		must(t, c.AddDevice(hubsim.Device{ID: dev, Key: key(t, keyText)}))
		c.update(`{}`, 2)
	})
}

func TestH46Faults(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, twinRes, desired)
		for _, tt := range []struct{ status, code int }{{429, 429001}, {500, 500001}, {503, 503001}} {
			must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseTwin, Count: 2, Code: tt.status}))
			cl.publish0(twinGet+"1", "")
			cl.publish0(report+"2", `{"lost":1}`)
			for _, rid := range []string{"1", "2"} {
				if got := cl.twinAnswer(fmt.Sprintf("%d/?$rid=%s", tt.status, rid)); !strings.Contains(got, fmt.Sprintf(`"errorCode":%d`, tt.code)) {
					t.Errorf("got %s", got)
				}
			}
		}
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.DropTwinAnswer, Count: 2}))
		cl.publish0(twinGet+"3", "")
		cl.publish0(report+"4", `{"kept":1}`)
		cl.quiet(time.Second)
		c.twinHas(`{"$version":1}`, `{"$version":2,"kept":1}`)
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.DropDesired, Device: dev}))
		c.update(`{"a":1}`, 2)
		cl.quiet(time.Second)
		c.update(`{"a":2}`, 3)
		cl.changed(3)
		cl.publish0(twinGet+"5", "")
		cl.twinAnswer("200/?$rid=5")
		if err := c.Inject(hubsim.Fault{Kind: hubsim.RefuseTwin}); !errors.Is(err, hubsim.ErrInvalid) {
			t.Errorf("a refusal without a status: %v", err)
		}
	})
}

// TestC01WritableProperty: the marker of a component travels like any key, in
// both directions.
func TestC01WritableProperty(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(0, twinRes, desired)
		c.update(`{"relay1":{"__t":"c","on":true}}`, 2)
		if got := cl.changed(2); got != `{"$version":2,"relay1":{"__t":"c","on":true}}` {
			t.Errorf("got %s", got)
		}
		ack := `{"relay1":{"__t":"c","on":{"ac":200,"ad":"ok","av":2,"value":true}}}`
		cl.publish0(report+"1", ack)
		cl.twinAnswer("204/?$rid=1&$version=2")
		c.twinHas(`{"$version":2,"relay1":{"__t":"c","on":true}}`, `{"$version":2,`+ack[1:])
	})
}

// TestC01OfflineCommand: a command for a component that may be away is a C2D
// message with the property method-name.
func TestC01OfflineCommand(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		cl.disconnect()
		_, err := c.Send(dev, hubsim.C2D{Ack: "none", TTL: 24 * time.Hour, Body: []byte("null"), Properties: []hubsim.Property{{Name: "method-name", Value: "relay1*toggle"}}})
		must(t, err)
		if m := c.connect().message(); !strings.Contains(m.TopicName, "&iothub-ack=none&method-name=relay1%2Atoggle") || string(m.Payload) != "null" {
			t.Errorf("got %v", m)
		}
	})
}

// TestT02Twin: a test can wait for what a device reports.
func TestT02Twin(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		go func() {
			time.Sleep(time.Minute - time.Second)
			cl.send(publishPacket(report+"1", `{"a":1}`))
		}()
		must(t, c.Wait(t.Context(), func() bool {
			twin, err := c.Twin(dev)
			return err == nil && twin.Reported.Version == 2 && string(twin.Reported.JSON) == `{"a":1}`
		}))
		synctest.Wait()
		p := c.Packets()
		if last := p[len(p)-1]; last.Type != "PUBLISH" || !last.In || !strings.Contains(last.Detail, report+"1") {
			t.Errorf("got %+v", last)
		}
	})
}

func TestControlTwin(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		const path = "/v1/devices/" + dev + "/twin"
		want := `{"deviceId":"rpi-0001","status":"enabled","connectionState":"Disconnected","properties":{"desired":{"$version":1},"reported":{"$version":1}}}`
		if status, got := c.call("GET", path, ""); status != 200 || got != want {
			t.Errorf("%d %s", status, got)
		}
		c.connect()
		want = `{"deviceId":"rpi-0001","status":"enabled","connectionState":"Connected","properties":{"desired":{"$version":2,"a":{"b":1.0}},"reported":{"$version":1}}}`
		if status, got := c.call("PATCH", path, `{"properties":{"desired":{"a":{"b":1.0}}}}`); status != 200 || got != want {
			t.Errorf("%d %s", status, got)
		}
		must(t, c.Disable(dev))
		if _, got := c.call("GET", path, ""); !strings.Contains(got, `"status":"disabled","connectionState":"Disconnected"`) {
			t.Error(got)
		}
		for body, want := range map[string]int{
			`{}`: 400, `{"properties":{"desired":null}}`: 400, `{"properties":{"desired":{"a.b":1}}}`: 400, `{"properties":{"reported":{}}}`: 400, `[]`: 400,
		} {
			if status, got := c.call("PATCH", path, body); status != want || !strings.Contains(got, `"error"`) {
				t.Errorf("%s: %d %s, want %d", body, status, got, want)
			}
		}
		if status, _ := c.call("PATCH", "/v1/devices/nobody/twin", `{"properties":{"desired":{}}}`); status != 404 {
			t.Error(status)
		}
		if status, _ := c.call("GET", "/v1/devices/nobody/twin", ""); status != 404 {
			t.Error(status)
		}
	})
}
