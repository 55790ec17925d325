package hub_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// Renew leaves a session alone that would be begun in the same way today, however often
// it is called, and does not put off the renewal of its token.
func TestRenewWithoutCause(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		for range 10 {
			d.Renew()
			time.Sleep(time.Minute)
		}
		if n := len(c.Logins()); n != 1 {
			t.Fatalf("%d logins, want the one of the start", n)
		}
		time.Sleep(renewAt - 10*time.Minute + time.Second)
		wantEqual(t, d.history(), "connected", "disconnected (renewal)", "connected (renewal)")
	})
}

// With another key, or another topic of the will, the next session follows at once and
// in good order.
func TestRenewWithAnotherKeyOrWill(t *testing.T) {
	var now atomic.Pointer[token.Key]
	var will atomic.Pointer[string]
	now.Store(new(key(t)))
	will.Store(new("rpi-0001/LWT"))
	other, err := token.ParseKey(hubsim.NewKey())
	must(t, err)
	s := setup{handle: keep}
	s.options.Identify = func(context.Context, hub.Trouble) (hub.Identity, error) {
		return hub.Identity{Host: hubName, DeviceID: dev, Key: *now.Load()}, nil
	}
	s.options.Will = func(string) hub.Telemetry {
		return hub.Telemetry{Topic: *will.Load(), Body: []byte(`{"LWT":"Offline"}`)}
	}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		must(t, c.DeleteDevice(dev))
		must(t, c.AddDevice(hubsim.Device{ID: dev, Key: key(t), SecondaryKey: other}))
		time.Sleep(time.Minute) // it is back after the deletion
		before := len(c.Logins())
		now.Store(&other)
		d.Renew()
		synctest.Wait()
		history := d.history()
		wantEqual(t, history[len(history)-2:], "disconnected (renewal)", "connected (renewal)")
		will.Store(new("a/rpi-0001/LWT"))
		d.Renew()
		synctest.Wait()
		if n := len(c.Logins()) - before; n != 2 {
			t.Fatalf("%d logins, want one for the key and one for the will", n)
		}
		d.say("there")
		must(t, c.Reset(dev))
		synctest.Wait()
		for _, r := range c.Records() {
			if string(r.Body) == `{"LWT":"Offline"}` && r.Properties["topic"] == "a/rpi-0001/LWT" {
				return
			}
		}
		t.Errorf("the hub does not have the new will: %+v", c.Records())
	})
}

// A device that waits for its next attempt makes it at once.
func TestRenewWhileNotConnected(t *testing.T) {
	s := setup{manual: true}
	var refused atomic.Bool
	refused.Store(true)
	wrong, err := token.ParseKey(hubsim.NewKey())
	must(t, err)
	right := key(t)
	s.options.Identify = func(context.Context, hub.Trouble) (hub.Identity, error) {
		if refused.Load() {
			return hub.Identity{Host: hubName, DeviceID: dev, Key: wrong}, nil
		}
		return hub.Identity{Host: hubName, DeviceID: dev, Key: right}, nil
	}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		d.run()
		time.Sleep(time.Hour) // by now attempts are far apart
		if d.Connected() {
			t.Fatal("the wrong key is accepted")
		}
		refused.Store(false)
		d.Renew()
		synctest.Wait()
		if !d.Connected() {
			t.Error("not connected at once")
		}
	})
}

// What one client has not sent the next one does, and it goes on counting. Neither was
// lost without a goodbye.
func TestAfter(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		d.say("first")
		synctest.Wait()
		d.stop()
		d.say("between")
		old := d.Client
		k := key(t)
		d.Client = old.After(hub.Options{
			Identify: func(context.Context, hub.Trouble) (hub.Identity, error) {
				return hub.Identity{Host: hubName, DeviceID: dev, Key: k}, nil
			},
			Dial: c.Dial, KeepAlive: 30 * time.Second,
		})
		old.Send(hub.Telemetry{Topic: dev + "/STATE", Body: []byte("by the old one"), Number: 7})
		if oldest, _ := d.Progress(); oldest != 7 {
			t.Errorf("the oldest number is %d, want 7", oldest)
		}
		d.run()
		synctest.Wait()
		wantEqual(t, c.bodies(), "first", "between", "by the old one")
		if n := d.Counts().Sessions; n != 2 {
			t.Errorf("%d sessions counted, want 2", n)
		}
		if all := c.Logins(); len(all) != 2 || all[0].End != "the device sent DISCONNECT" {
			t.Errorf("logins %+v", all)
		}
		if strings.Contains(d.log(), "WARN") {
			t.Error("something is warned of")
		}
	})
}
