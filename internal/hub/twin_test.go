package hub_test

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

type twinCase struct {
	Name string
	In   struct{ Op, RID, ResponseTopic, ResponseBody, Topic, Payload string }
}

func TestTwinVectors(t *testing.T) {
	for _, tt := range vectors[twinCase](t, "twin.json") {
		t.Run(tt.Name, func(t *testing.T) {
			if tt.In.Op == "desired" {
				d, err := hub.DecodeDesired(tt.In.Topic, []byte(tt.In.Payload))
				must(t, err)
				if !strings.HasSuffix(tt.In.Topic, fmt.Sprint("=", d.Version)) || string(d.Patch) != tt.In.Payload {
					t.Errorf("got %s of version %d", d.Patch, d.Version)
				}
				return
			}
			a, err := hub.DecodeTwinAnswer(tt.In.ResponseTopic, []byte(tt.In.ResponseBody))
			must(t, err)
			if a.RID() != tt.In.RID || !strings.HasPrefix(tt.In.ResponseTopic, fmt.Sprintf("$iothub/twin/res/%d/", a.Status())) {
				t.Errorf("got %+v", a)
			}
			if tt.In.Op == "get" && a.Status() == 200 {
				doc, err := hub.DecodeTwin([]byte(tt.In.ResponseBody))
				must(t, err)
				if doc.DesiredVersion == 0 || doc.ReportedVersion == 0 || !json.Valid(doc.Desired) || !json.Valid(doc.Reported) {
					t.Errorf("got %+v", doc)
				}
			}
		})
	}
}

func TestDecodeTwinRefuses(t *testing.T) {
	const res, desired = "$iothub/twin/res/", "$iothub/twin/PATCH/properties/desired/"
	large := strings.Repeat(" ", 160*1024) + `{"$version":1}`
	for _, in := range [][2]string{
		{res + "200", ""}, {res + "/?$rid=1", ""}, {res + "ok/?$rid=1", ""}, {res + "200/?rid=1", ""}, {res + "204/?$rid=1&$version=x", ""},
		{res + "200/?$rid=1", large}, {"$iothub/twin/re/200/?$rid=1", ""},
	} {
		if a, err := hub.DecodeTwinAnswer(in[0], []byte(in[1])); err == nil {
			t.Errorf("%s is read as %+v", in[0], a)
		}
	}
	for _, body := range []string{
		``, `[]`, `{}`, `{"desired":{"$version":1}}`, `{"desired":{"$version":1},"reported":{}}`, `{"desired":{"$version":1},"reported":[]}`,
		`{"desired":{"$version":"1"},"reported":{"$version":1}}`, `{"desired":null,"reported":{"$version":1}}`,
	} {
		if d, err := hub.DecodeTwin([]byte(body)); err == nil {
			t.Errorf("%s is read as %+v", body, d)
		}
	}
	for _, in := range [][2]string{
		{desired + "?$version=5", `{}`}, {desired + "?$version=5", `{"$version":6}`}, {desired + "?$version=5", ``}, {desired + "?$version=5", `null`},
		{desired + "?$version=5", large}, {"$iothub/twin/PATCH/properties/reported/?$version=5", `{"$version":5}`},
	} {
		if d, err := hub.DecodeDesired(in[0], []byte(in[1])); err == nil {
			t.Errorf("%s %.80s is read as %+v", in[0], in[1], d)
		}
	}
}

func FuzzDecodeTwin(f *testing.F) {
	for _, c := range vectors[twinCase](f, "twin.json") {
		f.Add(c.In.Topic+c.In.ResponseTopic, []byte(c.In.Payload+c.In.ResponseBody))
	}
	f.Fuzz(func(t *testing.T, topic string, body []byte) {
		if d, err := hub.DecodeDesired(topic, body); err == nil && !json.Valid(d.Patch) {
			t.Errorf("%q is no JSON", d.Patch)
		}
		if a, err := hub.DecodeTwinAnswer(topic, body); err == nil && !strings.Contains(topic, "$rid="+a.RID()) {
			t.Errorf("%q has no request id %q", topic, a.RID())
		}
		if d, err := hub.DecodeTwin(body); err == nil && (!json.Valid(d.Desired) || !json.Valid(d.Reported)) {
			t.Errorf("%q gives %+v", body, d)
		}
	})
}

// twin is what the hub keeps of the device's twin.
func (c *cloud) twin() hubsim.Twin {
	c.t.Helper()
	synctest.Wait()
	tw, err := c.Sim.Twin(dev)
	must(c.t, err)
	return tw
}

// desire changes the desired properties.
func (c *cloud) desire(patch string) {
	c.t.Helper()
	_, err := c.UpdateTwin(dev, []byte(patch))
	must(c.t, err)
	synctest.Wait()
}

// heard is what the device was told about its twin.
func (d *device) heard() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for _, ev := range d.seen {
		switch ev := ev.(type) {
		case hub.Twin:
			all = append(all, fmt.Sprintf("twin %s %s", ev.Desired, ev.Reported))
		case hub.Desired:
			all = append(all, fmt.Sprintf("desired %s", ev.Patch))
		case hub.Reported:
			all = append(all, fmt.Sprintf("reported %d %d %v", ev.Status, ev.Version, ev.Refused()))
		}
	}
	return all
}

const none = `twin {"$version":1} {"$version":1}`

func TestTwinIsFetchedAfterEachConnect(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		wantEqual(t, d.heard(), none)
		if first, ok := d.seen[0].(hub.Connected); !ok {
			t.Errorf("told %+v before it was connected", first)
		}
		c.down.Store(true)
		must(t, c.Kick(dev))
		c.desire(`{"a":1}`)
		c.down.Store(false)
		time.Sleep(time.Minute)
		wantEqual(t, d.heard(), none, `twin {"$version":2,"a":1} {"$version":1}`)
		time.Sleep(renewAt)
		if n := len(d.heard()); n != 3 {
			t.Errorf("told %d twins, want one more after a renewal", n)
		}
	})
}

func TestDesiredInOrder(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		for i := range 3 {
			c.desire(fmt.Sprintf(`{"a":%d}`, i))
		}
		c.desire(`{"a":null,"b":{"c":[1]}}`)
		wantEqual(t, d.heard(), none, `desired {"$version":2,"a":0}`, `desired {"$version":3,"a":1}`, `desired {"$version":4,"a":2}`,
			`desired {"$version":5,"a":null,"b":{"c":[1]}}`)
	})
}

func TestMissedDesiredIsFetched(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.DropDesired})
		c.desire(`{"a":1}`)
		c.desire(`{"b":2}`)
		c.desire(`{"c":3}`)
		wantEqual(t, d.heard(), none, `twin {"$version":3,"a":1,"b":2} {"$version":1}`, `desired {"$version":4,"c":3}`)
		if !strings.Contains(d.log(), "was missed") {
			t.Error("nothing is said about it")
		}
	})
}

// A notification that overtakes the answer to the request for the whole is neither
// lost nor told twice.
func TestDesiredWhileFetching(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.DropTwinAnswer})
		d.run()
		synctest.Wait()
		c.desire(`{"a":1}`)
		wantEqual(t, d.heard())
		time.Sleep(time.Minute)
		wantEqual(t, d.heard(), `twin {"$version":2,"a":1} {"$version":1}`)
		c.desire(`{"a":2}`)
		wantEqual(t, d.heard(), `twin {"$version":2,"a":1} {"$version":1}`, `desired {"$version":3,"a":2}`)
	})
}

// The answer may have been made before a change that has been told meanwhile: then
// it is no use.
func TestOlderTwinIsNotTaken(t *testing.T) {
	byHand(t, func(t *testing.T, d *device, there net.Conn) {
		publish(t, there, "$iothub/twin/PATCH/properties/desired/?$version=5", `{"$version":5}`)
		publish(t, there, "$iothub/twin/res/200/?$rid=1", `{"desired":{"$version":4},"reported":{"$version":1}}`)
		wantEqual(t, d.heard())
		start := time.Now()
		if get := read(t, there).(*packets.PublishPacket); get.TopicName != "$iothub/twin/GET/?$rid=2" {
			t.Errorf("then came %v", get)
		}
		if took := time.Since(start); took != 12500*time.Millisecond {
			t.Errorf("asked again after %v", took)
		}
		publish(t, there, "$iothub/twin/res/200/?$rid=1", `{"desired":{"$version":9},"reported":{"$version":1}}`) // of the first
		publish(t, there, "$iothub/twin/res/200/?$rid=2", `{"desired":{"$version":5},"reported":{"$version":1}}`)
		publish(t, there, "$iothub/twin/res/200/?$rid=2", `{"desired":{"$version":6},"reported":{"$version":1}}`) // twice
		wantEqual(t, d.heard(), `twin {"$version":5} {"$version":1}`)
	})
}

// What cannot be read is a reason to fetch the whole.
func TestMalformedDesiredIsFetched(t *testing.T) {
	byHand(t, func(t *testing.T, d *device, there net.Conn) {
		publish(t, there, "$iothub/twin/res/200/?$rid=1", `{"desired":{"$version":1},"reported":{"$version":1}}`)
		publish(t, there, "$iothub/twin/PATCH/properties/desired/?$version=2", `{"a":`)
		if get := read(t, there).(*packets.PublishPacket); get.TopicName != "$iothub/twin/GET/?$rid=2" {
			t.Errorf("then came %v", get)
		}
		if !strings.Contains(d.log(), "message about the twin ignored") {
			t.Error("nothing is said about it")
		}
	})
}

func TestReport(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		d.Report(json.RawMessage(`{"a":1,"b":{"c":2}}`))
		d.Report(json.RawMessage(`{"b":{"c":null}}`))
		wantEqual(t, d.heard(), none, "reported 204 2 false", "reported 204 3 false")
		if got := string(c.twin().Reported.JSON); got != `{"a":1,"b":{}}` {
			t.Errorf("the hub keeps %s", got)
		}
		// One at a time: the order of the patches is the order in which they count.
		var order []string
		for _, p := range c.Packets() {
			if _, topic, ok := strings.Cut(p.Detail, " $iothub/twin/"); ok && p.Type == "PUBLISH" {
				order = append(order, strings.Split(topic, "/?")[0])
			}
		}
		wantEqual(t, order, "GET", "res/200", "PATCH/properties/reported", "res/204", "PATCH/properties/reported", "res/204")
	})
}

func TestReportThatIsRefused(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		d.Report(json.RawMessage(`{"a.b":1}`))
		d.Report(make([]byte, 32*1024+1)) // is not even sent
		d.Report(json.RawMessage(`{"a":1}`))
		got := d.heard()
		if len(got) != 4 || got[0] != none {
			t.Fatalf("told %q", got)
		}
		for _, want := range []string{"reported 400 0 true", "reported 413 0 true", "reported 204 2 false"} {
			if !strings.Contains(strings.Join(got, ","), want) {
				t.Errorf("told %q, want %q among it", got, want)
			}
		}
		time.Sleep(time.Minute)
		if n := len(d.heard()); n != 4 {
			t.Error("the twin was fetched, though it is known what the hub has")
		}
	})
}

// After a failure it is not known what the hub has: the whole is fetched, after a
// pause.
func TestReportThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		fault hubsim.Fault
		want  string
		hub   string
		after time.Duration // backOff with chance 0.5 adds a quarter
	}{
		"throttled": {hubsim.Fault{Kind: hubsim.RefuseTwin, Code: 429}, "reported 429 0 false", `{"$version":1}`, 12500 * time.Millisecond},
		"broken":    {hubsim.Fault{Kind: hubsim.RefuseTwin, Code: 500}, "reported 500 0 false", `{"$version":1}`, 12500 * time.Millisecond},
		"no answer": {hubsim.Fault{Kind: hubsim.DropTwinAnswer}, "reported 0 0 false", `{"$version":2,"a":1}`, 42500 * time.Millisecond},
		"late":      {hubsim.Fault{Kind: hubsim.RefuseTwin, Code: 408}, "reported 408 0 false", `{"$version":1}`, 12500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
				c.inject(tt.fault)
				d.Report(json.RawMessage(`{"a":1}`))
				time.Sleep(tt.after - time.Millisecond)
				wantEqual(t, d.heard(), none, tt.want)
				d.Report(json.RawMessage(`{"b":1}`)) // too early: it is dropped
				time.Sleep(2 * time.Millisecond)
				wantEqual(t, d.heard(), none, tt.want, `twin {"$version":1} `+tt.hub)
			})
		})
	}
}

func TestTwinThatCannotBeHad(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.RefuseTwin, Code: 429, Count: 4})
		d.run()
		synctest.Wait()
		d.Report(json.RawMessage(`{"a":1}`)) // before the twin is known: dropped
		start := time.Now()
		for len(d.heard()) == 0 {
			time.Sleep(time.Second)
		}
		if took := time.Since(start).Round(time.Second); took != 188*time.Second { // 1.25 × (10 + 20 + 40 + 80)
			t.Errorf("known after %v", took)
		}
		wantEqual(t, d.heard(), none)
		if got := strings.Count(d.log(), "twin not known"); got != 3 {
			t.Errorf("%d lines about it, want those of the failures 1, 2 and 4", got)
		}
		wantEqual(t, d.history(), "connected")
	})
}

func TestReportWithoutSession(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.down.Store(true)
		must(t, c.Kick(dev))
		synctest.Wait()
		d.Report(json.RawMessage(`{"a":1}`))
		c.down.Store(false)
		time.Sleep(time.Minute)
		wantEqual(t, d.heard(), none, none)
	})
}
