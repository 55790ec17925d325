package hubsim_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// try sends a CONNECT and returns the code of the CONNACK, or -1 if the hub
// closes instead. A refused connection is closed.
func (c *cloud) try(change func(*packets.ConnectPacket)) int {
	c.t.Helper()
	cl := c.dial()
	p := hello()
	change(p)
	cl.send(p)
	code := cl.connack()
	if code > 0 {
		cl.closed()
	}
	cl.conn.Close()
	return code
}

func user(s string) func(*packets.ConnectPacket) {
	return func(p *packets.ConnectPacket) { p.Username = s }
}

func password(s string) func(*packets.ConnectPacket) {
	return func(p *packets.ConnectPacket) { p.Password = []byte(s) }
}

func TestH02ProtocolLevel(t *testing.T) {
	for _, tt := range []struct {
		name  string
		level byte
		want  int
	}{
		{"MQTT", 4, 0}, {"MQTT", 3, 1}, {"MQTT", 5, 1}, {"MQIsdp", 3, 1}, {"HTTP", 4, -1},
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			got := c.try(func(p *packets.ConnectPacket) { p.ProtocolName, p.ProtocolVersion = tt.name, tt.level })
			if got != tt.want {
				t.Errorf("%s level %d: %d, want %d", tt.name, tt.level, got, tt.want)
			}
		})
	}
}

func TestH03Username(t *testing.T) {
	for _, name := range []string{
		"",
		dev,
		"localhost/" + dev,
		"localhost/" + dev + "/",
		"localhost/" + dev + "/?",
		"localhost/" + dev + "/?DeviceClientType=x",
		"localhost/" + dev + "/?api-version=",
		"localhost/" + dev + "/?api-version=latest",
		"localhost/" + dev + "/api-version=2021-04-12", // the old form
		"localhost/" + dev + "?api-version=2021-04-12",
		"/" + dev + "/?api-version=2021-04-12",
		"elsewhere/" + dev + "/?api-version=2021-04-12",
		"localhost/" + dev + "/?api-version=2021-04-12&DeviceClientType=%zz",
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			if got := c.try(user(name)); got != 5 {
				t.Errorf("%q: %d, want 5", name, got)
			}
		})
	}
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		if got := c.try(func(p *packets.ConnectPacket) { p.UsernameFlag, p.PasswordFlag = false, false }); got != 5 {
			t.Errorf("without a username: %d, want 5", got)
		}
	})
}

func TestH04ClientID(t *testing.T) {
	const other = "rpi-0002"
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.AddDevice(hubsim.Device{ID: other, Key: key(t, keyText)}))
		for _, id := range []string{other, "RPI-0001", "", dev + "/module"} {
			if got := c.try(func(p *packets.ConnectPacket) { p.ClientIdentifier = id }); got != 5 {
				t.Errorf("client id %q with the username of %s: %d, want 5", id, dev, got)
			}
		}
		both := func(p *packets.ConnectPacket) {
			p.ClientIdentifier, p.Username = other, "localhost/"+other+"/?api-version=2021-04-12"
		}
		if got := c.try(both); got != 5 {
			t.Errorf("client id and username of %s with the token of %s: %d, want 5", other, dev, got)
		}
	})
}

func TestH05Token(t *testing.T) {
	inBubble(t, hubsim.Options{Hosts: []string{"localhost", "127.0.0.1"}}, func(t *testing.T, c *cloud) {
		k, hour := key(t, keyText), time.Now().Add(time.Hour)
		other := key(t, "fxX+WzsoiZBp8lrf+EknEMkCZIGFXY1VzJbPQ5e2bsY=")
		for name, tt := range map[string]string{
			"none":         "",
			"not a token":  "secret",
			"wrong key":    token.Hub(other, "localhost", dev, hour),
			"wrong host":   token.Hub(k, "127.0.0.1", dev, hour),
			"wrong device": token.Hub(k, "localhost", "rpi-0002", hour),
			"wrong case":   token.Hub(k, "localhost", "RPI-0001", hour),
			"expired":      token.Hub(k, "localhost", dev, time.Now().Add(-time.Second)),
			"expiring now": token.Hub(k, "localhost", dev, time.Now()),
			"policy":       token.Hub(k, "localhost", dev, hour) + "&skn=iothubowner",
			"provisioning": token.DPS(k, "0ne00000001", dev, hour),
			"trailing":     token.Hub(k, "localhost", dev+"/", hour),
			"lifted signature": strings.Replace(token.Hub(k, "localhost", "rpi-0002", hour),
				"rpi-0002", dev, 1),
		} {
			if got := c.try(password(tt)); got != 5 {
				t.Errorf("%s: %d, want 5", name, got)
			}
		}
		unknown := func(p *packets.ConnectPacket) {
			p.ClientIdentifier, p.Username = "nobody", "localhost/nobody/?api-version=2021-04-12"
			p.Password = []byte(token.Hub(k, "localhost", "nobody", hour))
		}
		if got := c.try(unknown); got != 5 {
			t.Errorf("unknown device: %d, want 5", got)
		}
		elsewhere := func(p *packets.ConnectPacket) {
			p.Username = "127.0.0.1/" + dev + "/?api-version=2021-04-12"
			p.Password = []byte(token.Hub(k, "127.0.0.1", dev, hour))
		}
		if got := c.try(elsewhere); got != 5 {
			t.Errorf("at a hub that does not know the device: %d, want 5", got)
		}
		must(t, c.Disable(dev))
		if got := c.try(func(*packets.ConnectPacket) {}); got != 5 {
			t.Errorf("disabled: %d, want 5", got)
		}
		must(t, c.Enable(dev))
		if got := c.try(func(*packets.ConnectPacket) {}); got != 0 {
			t.Errorf("enabled again: %d, want 0", got)
		}
		for _, l := range c.Logins() {
			if (l.Code == 0) != (l.Why == "") {
				t.Errorf("login %+v: a refusal and nothing else has a reason", l)
			}
		}
	})
}

func TestH06SignatureOverResourceAsSent(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		upper := token.Hub(key(t, keyText), "localhost", dev, time.Now().Add(time.Hour))
		for _, sr := range []string{"localhost%2Fdevices%2Frpi-0001", "localhost%2fdevices%2frpi-0001", "localhost/devices/rpi-0001", "localhost%2Fdevices%2F%72pi-0001"} {
			if got := c.try(password(signed(t, keyText, sr, time.Hour))); got != 0 {
				t.Errorf("sr=%s: %d, want 0", sr, got)
			}
			if sr == "localhost%2Fdevices%2Frpi-0001" {
				continue
			}
			encodedAgain := strings.Replace(upper, "localhost%2Fdevices%2Frpi-0001", sr, 1)
			if got := c.try(password(encodedAgain)); got != 5 {
				t.Errorf("sr=%s under the signature of another text: %d, want 5", sr, got)
			}
		}
	})
}

func TestH07ResourceByWholeSegments(t *testing.T) {
	for sr, want := range map[string]int{
		"localhost/devices/rpi-0001":                0,
		"LOCALHOST/devices/rpi-0001":                0,
		"localhost/devices":                         0, // a prefix by whole segments
		"localhost/devices/rpi-0001/modules/relay":  5,
		"localhost/devices/rpi-0001/":               5,
		"localhost/devices/rpi-00011":               5,
		"localhost/devices/rpi-000":                 5,
		"localhost/device":                          5,
		"localhost/devices/rpi-0002":                5,
		"local":                                     5,
		"localhost/modules/rpi-0001":                5,
		"localhost/devices/rpi-0001/api-version=20": 5,
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			if got := c.try(password(signed(t, keyText, url.QueryEscape(sr), time.Hour))); got != want {
				t.Errorf("token for %s: %d, want %d", sr, got, want)
			}
		})
	}
}

func TestH08ClientTypeAndModelID(t *testing.T) {
	const version = "localhost/" + dev + "/?api-version=2021-04-12"
	for query, want := range map[string][2]string{
		"":                                  {"", ""},
		"&DeviceClientType=a%2F1%20(linux)": {"a/1 (linux)", ""},
		"&DeviceClientType=a/1 (linux)":     {"a/1 (linux)", ""},
		"&model-id=dtmi:com:x;1&DeviceClientType=a":       {"a", "dtmi:com:x;1"},
		"&DeviceClientType=a&model-id=dtmi%3Acom%3Ax%3B1": {"a", "dtmi:com:x;1"},
		"&DeviceClientType=a&DeviceClientType=b":          {"a", ""},
		"&auth-chain=x&unknown":                           {"", ""},
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			if got := c.try(user(version + query)); got != 0 {
				t.Fatalf("%s: %d, want 0", query, got)
			}
			if l := c.Logins()[0]; [2]string{l.ClientType, l.ModelID} != want {
				t.Errorf("%s: %q %q, want %q", query, l.ClientType, l.ModelID, want)
			}
		})
	}
}

func withWill(body string) func(*packets.ConnectPacket) {
	return func(p *packets.ConnectPacket) {
		p.WillFlag, p.WillQos = true, 1
		p.WillTopic, p.WillMessage = "devices/"+dev+"/messages/events/topic=LWT", []byte(body)
	}
}

func TestH09SecondConnectionTakesOver(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		old := c.connect(withWill("gone"))
		old.subscribe(1, c2d)
		c.c2d("ON")
		old.message()
		young := c.connect()
		if m := young.message(); string(m.Payload) != "ON" || !m.Dup {
			t.Errorf("the unacknowledged message comes as %v", m)
		}
		old.closed()
		if r := c.record("gone"); r.Properties["iothub-MessageType"] != "Will" {
			t.Errorf("will %+v", r)
		}
		young.quiet(30 * time.Second)
	})
}

func TestH10KeepAlive(t *testing.T) {
	for _, tt := range []struct {
		keepAlive uint16
		want      time.Duration
	}{
		{1, 1500 * time.Millisecond}, {60, 90 * time.Second}, {1178, 1767 * time.Second}, {65535, 1767 * time.Second}, {0, 1767 * time.Second},
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect(longToken, func(p *packets.ConnectPacket) { p.Keepalive = tt.keepAlive })
			cl.quiet(tt.want - time.Millisecond)
			cl.send(packets.NewControlPacket(packets.Pingreq))
			cl.next()
			cl.quiet(tt.want - time.Millisecond)
			cl.puback(9) // any packet will do
			cl.quiet(tt.want - time.Millisecond)
			cl.closed()
		})
	}
}

func longToken(p *packets.ConnectPacket) {
	k, _ := token.ParseKey(keyText)
	p.Password = []byte(token.Hub(k, "localhost", dev, time.Now().Add(1000*time.Hour)))
}

func TestH11TokenExpiry(t *testing.T) {
	for _, grace := range []time.Duration{0, 10 * time.Minute} {
		inBubble(t, hubsim.Options{TokenGrace: grace}, func(t *testing.T, c *cloud) {
			p := hello()
			cl := c.connect(func(p *packets.ConnectPacket) { p.Keepalive = 1100 })
			for range 3 {
				cl.quiet(20*time.Minute - time.Second)
				cl.send(packets.NewControlPacket(packets.Pingreq))
				cl.next()
			}
			cl.quiet(grace + 2500*time.Millisecond)
			cl.closed()
			if got := c.try(password(string(p.Password))); got != 5 {
				t.Errorf("again with the same token: %d, want 5", got)
			}
		})
	}
}

// TestH11CloudClock shows that tokens are judged by the cloud's clock.
func TestH11CloudClock(t *testing.T) {
	fast := func() time.Time { return time.Now().Add(2 * time.Hour) }
	inBubble(t, hubsim.Options{Now: fast}, func(t *testing.T, c *cloud) {
		if got := c.try(func(*packets.ConnectPacket) {}); got != 5 {
			t.Errorf("a token of an hour at a cloud two hours ahead: %d, want 5", got)
		}
		cl := c.connect(password(signed(t, keyText, "localhost%2Fdevices%2Frpi-0001", 2*time.Hour+time.Minute)))
		cl.quiet(time.Minute - time.Second)
		cl.quiet(time.Second)
		cl.closed()
	})
}

func TestH12Refusals(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Count: 2, Code: 5}))
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 3}))
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Device: "other", Code: 4}))
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Device: dev}))
		var got []int
		for range 5 {
			got = append(got, c.try(func(*packets.ConnectPacket) {}))
		}
		if want := []int{5, 5, 3, -1, 0}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for _, l := range c.Logins() { // what came is on record all the same
			if l.Host != "localhost" || !l.Expiry.Equal(time.Now().Add(time.Hour)) || l.ClientType != "test/1" {
				t.Errorf("login %+v", l)
			}
		}
	})
}

func TestH13DisableConnected(t *testing.T) {
	for name, f := range map[string]func(*cloud) error{
		"disable": func(c *cloud) error { return c.Disable(dev) },
		"delete":  func(c *cloud) error { return c.DeleteDevice(dev) },
		"kick":    func(c *cloud) error { return c.Kick(dev) },
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			must(t, f(c))
			cl.closed()
			if l := c.Logins()[0]; l.End == "" || l.Ended.IsZero() {
				t.Errorf("%s: login %+v has no end", name, l)
			}
		})
	}
}

// TestCONNECTComesFirst: nothing else opens a session, and no one waits for it
// longer than a minute.
func TestCONNECTComesFirst(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.dial()
		cl.send(packets.NewControlPacket(packets.Pingreq))
		cl.closed()
		cl = c.dial()
		cl.quiet(time.Minute)
		cl.closed()
		cl = c.connect()
		cl.send(hello())
		cl.closed()
	})
}
