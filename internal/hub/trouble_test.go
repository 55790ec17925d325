package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// waits are the seconds between two attempts.
func waits(attempts []time.Duration) []float64 {
	var all []float64
	for i := range attempts[1:] {
		all = append(all, (attempts[i+1] - attempts[i]).Seconds())
	}
	return all
}

func TestBackoffSchedule(t *testing.T) {
	for _, tt := range []struct {
		chance float64
		want   []float64
	}{
		{1e-12, []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{0.5, []float64{1.5, 2.5, 4.5, 8.5, 16.5, 32.5, 64.5, 128.5, 150.5, 150.5, 150.5}},
		{1, []float64{2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300}},
	} {
		t.Run(fmt.Sprint(tt.chance), func(t *testing.T) {
			inBubble(t, setup{manual: true, chance: tt.chance}, func(t *testing.T, c *cloud, d *device) {
				c.down.Store(true)
				d.run()
				for len(c.attempts()) <= len(tt.want) {
					time.Sleep(time.Second)
				}
				for i, got := range waits(c.attempts())[:len(tt.want)] {
					if diff := got - tt.want[i]; diff < -1e-6 || diff > 1e-6 {
						t.Errorf("wait %d is %v s, want %v", i+1, got, tt.want[i])
					}
				}
			})
		})
	}
}

func TestBackoffForgetsAfterASession(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.down.Store(true)
		must(t, c.Kick(dev))
		time.Sleep(20 * time.Second) // 1.5 + 2.5 + 4.5 + 8.5
		c.down.Store(false)
		time.Sleep(16 * time.Second)
		if n := len(c.Logins()); n != 2 {
			t.Fatalf("%d logins, want 2", n)
		}
		must(t, c.Kick(dev)) // after less than 30 s
		time.Sleep(32 * time.Second)
		if n := len(c.Logins()); n != 2 {
			t.Fatalf("%d logins: the backoff forgot", n)
		}
		time.Sleep(31 * time.Second)
		must(t, c.Kick(dev)) // after 30 s
		time.Sleep(1600 * time.Millisecond)
		if n := len(c.Logins()); n != 4 {
			t.Errorf("%d logins, want 4: the backoff did not start anew", n)
		}
	})
}

func TestTokenRefusedTenTimes(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5, Count: 10})
		var left []time.Duration // of each token when it was used
		c.wrap = func(conn net.Conn) net.Conn {
			return spy{conn, func(p *packets.ConnectPacket) {
				claims, err := token.Parse(string(p.Password))
				must(t, err)
				left = append(left, time.Until(claims.Expiry))
			}}
		}
		d.say("kept")
		d.run()
		time.Sleep(10 * time.Minute)
		all := c.Logins()
		if len(all) != 11 || all[9].Code != 5 || all[10].Code != 0 {
			t.Fatalf("logins %+v", all)
		}
		synctest.Wait()
		for i, l := range left {
			if l < tokenTTL-time.Second || l > tokenTTL {
				t.Errorf("attempt %d used a token with %v left", i+1, l)
			}
		}
		wantEqual(t, c.bodies(), "kept")
		if n := strings.Count(d.log(), "level=WARN"); n != 4 {
			t.Errorf("%d warnings, want those of attempts 1, 2, 4 and 8", n)
		}
		if !strings.Contains(d.log(), "failures=10") {
			t.Error("the log does not say what it took")
		}
	})
}

// spy sees the CONNECT that is written.
type spy struct {
	net.Conn
	see func(*packets.ConnectPacket)
}

func (s spy) Write(p []byte) (int, error) {
	if c, err := packets.ReadPacket(bytes.NewReader(p)); err == nil {
		if c, ok := c.(*packets.ConnectPacket); ok {
			s.see(c)
		}
	}
	return s.Conn.Write(p)
}

func TestIdentifyHearsOfTrouble(t *testing.T) {
	var heard []hub.Trouble
	broken := errors.New("nobody knows me")
	s := setup{manual: true}
	s.options.Identify = func(_ context.Context, tr hub.Trouble) (hub.Identity, error) {
		heard = append(heard, tr)
		if tr.Failures == 2 {
			return hub.Identity{}, broken
		}
		if tr.Failures == 3 {
			return hub.Identity{}, nil
		}
		return hub.Identity{Host: hubName, DeviceID: dev, Key: key(t)}, nil
	}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		start := time.Now()
		c.down.Store(true)
		d.run()
		time.Sleep(15 * time.Second)
		c.down.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(heard) != 6 {
			t.Fatalf("asked %d times, want 6", len(heard))
		}
		for i, tr := range heard[:5] {
			if tr.Failures != i || i > 0 && !tr.Since.Equal(start) {
				t.Errorf("before attempt %d: %+v", i+1, tr)
			}
		}
		if e, ok := errors.AsType[*hub.Error](heard[1].Err); !ok || e.Kind != hub.Unreachable {
			t.Errorf("after the first attempt: %v", heard[1].Err)
		}
		if heard[3].Err != broken {
			t.Errorf("after its own error: %v", heard[3].Err)
		}
		if heard[5] != (hub.Trouble{}) {
			t.Errorf("at the renewal: %+v", heard[5])
		}
	})
}

func TestHubKilledAndBack(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.c2d("m1", "on")
		synctest.Wait()
		c.down.Store(true)
		must(t, c.Reset(dev))
		c.c2d("m2", "off")
		d.say("meanwhile")
		time.Sleep(12 * time.Hour)
		wantEqual(t, c.bodies(), "did on", `{"LWT":"Offline"}`)
		if n := strings.Count(d.log(), "level=WARN"); n < 15 || n > 25 {
			t.Errorf("%d warnings in twelve hours, want one an hour and those of the beginning", n)
		}
		c.down.Store(false)
		time.Sleep(5 * time.Minute)
		wantEqual(t, c.bodies(), "did on", `{"LWT":"Offline"}`, "meanwhile")
		if len(c.Queue(dev)) != 0 { // m2 has expired, as it should after an hour
			t.Error("the queue is not empty")
		}
		c.c2d("m3", "toggle")
		synctest.Wait()
		wantEqual(t, c.bodies()[3:], "did toggle")
	})
}

// Another fault is said at once.
func TestNewFaultIsSaid(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5, Count: 2})
		c.inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 3})
		c.inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5})
		d.run()
		time.Sleep(time.Minute)
		if !strings.Contains(d.log(), "CONNACK 3") || strings.Count(d.log(), "level=WARN") != 4 {
			t.Error("the third of four failures is another one, and is not in the log")
		}
	})
}

func TestTakenOverAgainAndAgain(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		for range 6 {
			must(t, c.Kick(dev))
			time.Sleep(100 * time.Millisecond)
			for s := c.Devices()[0]; !s.Connected; s = c.Devices()[0] {
				time.Sleep(100 * time.Millisecond)
			}
		}
		if !strings.Contains(d.log(), "closed by the hub; another client may be using this device id") {
			t.Error("no hint in the log")
		}
		if strings.Index(d.log(), "another client") < strings.Index(d.log(), "failures=2") {
			t.Error("the hint came too early")
		}
		if n := strings.Count(d.log(), "msg=connected"); n != 4 {
			t.Errorf("%d connections in the log, want the first and those after failures 1, 2 and 4", n)
		}
	})
}
