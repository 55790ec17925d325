package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

func TestStopDrains(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.DelayPuback, Delay: 1500 * time.Millisecond})
		for i := range 100 { // more than may be in flight
			d.say(fmt.Sprint(i))
		}
		start := time.Now()
		d.stop()
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("stopped after %v", took)
		}
		if n := len(c.bodies()); n != 100 {
			t.Errorf("%d messages arrived", n)
		}
		synctest.Wait()
		if l := c.Logins()[0]; l.End != "the device sent DISCONNECT" {
			t.Errorf("the session ended: %s", l.End)
		}
	})
}

// Stopping in the middle of a renewal sends what the renewal has held back.
func TestStopWhileRenewing(t *testing.T) {
	s := setup{handle: keep}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.c2d("m1", "on") // is never acknowledged
		time.Sleep(2 * time.Second)
		d.say("held back")
		synctest.Wait()
		wantEqual(t, c.bodies())
		start := time.Now()
		d.stop()
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("stopped after %v", took)
		}
		wantEqual(t, c.bodies(), "held back")
	})
}

func TestStopWaitsForTheDevice(t *testing.T) {
	s := setup{handle: func(d *device, m hub.Message) {
		time.Sleep(time.Second)
		d.answer(m)
		d.Ack(m)
	}}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		c.c2d("m1", "on")
		c.c2d("m2", "off")
		synctest.Wait()
		d.stop()
		wantEqual(t, c.bodies(), "did on")
		if q := c.Queue(dev); len(q) != 1 || string(q[0].Body) != "off" {
			t.Errorf("queue %+v, want what the device was not given", q)
		}
	})
}

func TestStopIsBounded(t *testing.T) {
	for name, prepare := range map[string]func(c *cloud, d *device){
		"device owes": func(c *cloud, d *device) { c.c2d("m1", "on") },
		"hub owes": func(c *cloud, d *device) {
			c.inject(hubsim.Fault{Kind: hubsim.DropPuback, Count: hubsim.Always})
			d.say("1")
		},
		"half-open": func(c *cloud, d *device) {
			must(c.t, c.Freeze(dev))
			d.say("1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup{handle: keep}
			inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
				prepare(c, d)
				synctest.Wait()
				start := time.Now()
				d.stop()
				if took := time.Since(start); took < 2*time.Second || took > 2*time.Second+time.Millisecond {
					t.Errorf("stopped after %v", took)
				}
			})
		})
	}
}

func TestStopAtAnyTime(t *testing.T) {
	blockUntilDone := func(ctx context.Context, _ hub.Trouble) (hub.Identity, error) {
		<-ctx.Done()
		return hub.Identity{}, ctx.Err()
	}
	for name, tt := range map[string]struct {
		setup   setup
		prepare func(c *cloud)
		after   time.Duration
	}{
		"identifying": {setup: setup{options: hub.Options{Identify: blockUntilDone}}},
		"between":     {prepare: func(c *cloud) { c.down.Store(true) }, after: time.Minute},
		"in CONNACK":  {prepare: func(c *cloud) { c.inject(hubsim.Fault{Kind: hubsim.DelayConnack, Delay: time.Hour}) }, after: time.Second},
		"in CONNECT":  {prepare: func(c *cloud) { c.inject(hubsim.Fault{Kind: hubsim.IgnoreConnect}) }, after: time.Second},
		"in SUBSCRIBE": {prepare: func(c *cloud) {
			c.inject(hubsim.Fault{Kind: hubsim.Delay, Delay: time.Millisecond}) // the CONNACK
			c.inject(hubsim.Fault{Kind: hubsim.Delay, Delay: time.Hour})        // the SUBACK
		}, after: time.Second},
		// Not at a whole minute: see tokenTTL.
		"idle":            {after: 61 * time.Second},
		"deaf, connected": {setup: setup{deaf: true}, after: 61 * time.Second},
		"deaf, offline":   {setup: setup{deaf: true}, prepare: func(c *cloud) { c.down.Store(true) }, after: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			tt.setup.manual = true
			inBubble(t, tt.setup, func(t *testing.T, c *cloud, d *device) {
				if tt.prepare != nil {
					tt.prepare(c)
				}
				d.run()
				time.Sleep(tt.after)
				start := time.Now()
				d.stop()
				if took := time.Since(start); took != 0 {
					t.Errorf("stopped after %v", took)
				}
				if strings.Contains(d.log(), "canceled") {
					t.Error("stopping looks like a fault in the log")
				}
				synctest.Wait()
				for _, l := range c.Logins() {
					if l.Code == 0 && l.End != "the device sent DISCONNECT" {
						t.Errorf("the session ended: %s", l.End)
					}
				}
			})
		})
	}
}

// A device loop that has stopped holds nothing up: sessions are renewed, the
// link is kept alive, and when the loop is back it gets what is true now.
func TestDeviceLoopStops(t *testing.T) {
	inBubble(t, setup{deaf: true}, func(t *testing.T, c *cloud, d *device) {
		<-d.events // Connected is the last it takes
		for i := range 30 {
			c.c2d("", fmt.Sprint(i))
		}
		time.Sleep(renewAt + time.Millisecond)
		synctest.Wait()
		if n := len(c.Logins()); n != 2 {
			t.Errorf("%d logins: the renewal waits for messages that nobody has taken", n)
		}
		time.Sleep(5*time.Hour - renewAt)
		must(t, c.Kick(dev))
		time.Sleep(time.Hour)
		all := c.Logins()
		if len(all) != 1+6+1+1 {
			t.Errorf("%d logins", len(all))
		}
		ctx, cancel := context.WithCancel(t.Context())
		go d.loop(ctx)
		c.c2d("m1", "on")
		synctest.Wait()
		wantEqual(t, d.history(), "disconnected (renewal)", "connected (renewal)", "on")
		cancel()
	})
}

// What has not been told and is true no more is not told.
func TestDeviceLoopMissesAnOutage(t *testing.T) {
	inBubble(t, setup{deaf: true, manual: true}, func(t *testing.T, c *cloud, d *device) {
		c.down.Store(true)
		d.run()
		time.Sleep(20 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		go d.loop(ctx)
		synctest.Wait()
		wantEqual(t, d.history(), "disconnected")
		cancel()
	})
}
