package hub_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

func TestQueuedWhileOffline(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		d.Send(hub.Telemetry{Body: []byte("stale"), Perishable: true}) // no session yet
		d.say("1")
		d.say("2")
		d.run()
		synctest.Wait()
		wantEqual(t, c.bodies(), "1", "2")
		c.down.Store(true)
		must(t, c.Kick(dev))
		synctest.Wait()
		d.say("3")
		d.Send(hub.Telemetry{Body: []byte("stale"), Perishable: true})
		d.say("4")
		time.Sleep(time.Hour)
		c.down.Store(false)
		time.Sleep(10 * time.Minute)
		wantEqual(t, c.bodies(), "1", "2", `{"LWT":"Offline"}`, "3", "4")
		d.Send(hub.Telemetry{Body: []byte("fresh"), Perishable: true})
		synctest.Wait()
		wantEqual(t, c.bodies()[5:], "fresh")
	})
}

// Perishable messages that were sent but not acknowledged when the link was lost
// have perished; the others are sent again.
func TestPerishableOnTheWire(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		must(t, c.Freeze(dev))
		d.Send(hub.Telemetry{Body: []byte("stale"), Perishable: true})
		d.say("kept")
		time.Sleep(5 * time.Minute)
		wantEqual(t, c.bodies(), `{"LWT":"Offline"}`, "kept")
	})
}

func TestLargeMessage(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		fits := strings.Repeat("x", 254*1024)
		d.say(fits)
		d.say(fits + strings.Repeat("y", 1024))
		d.Send(hub.Telemetry{Topic: strings.Repeat("/", 60_000), Body: []byte("{}")})
		d.say("after")
		synctest.Wait()
		wantEqual(t, c.bodies(), fits, "after")
		if n := strings.Count(d.log(), "too large for the hub"); n != 2 {
			t.Errorf("%d refusals in the log, want 2", n)
		}
	})
}

func TestOutboxIsBounded(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		for i := range 1100 {
			d.say(fmt.Sprint(i))
		}
		d.run()
		synctest.Wait()
		all := c.bodies()
		if len(all) != 1000 || all[0] != "100" || all[999] != "1099" {
			t.Errorf("%d messages: %v … %v", len(all), all[:12], all[len(all)-2:])
		}
		if !strings.Contains(d.log(), "dropped=1\n") || !strings.Contains(d.log(), "dropped=64\n") || strings.Contains(d.log(), "dropped=65\n") {
			t.Error("the log does not say what was dropped, or says it too often")
		}
		if oldest, dropped := d.Progress(); oldest != 0 || dropped != 100 {
			t.Errorf("progress %d, dropped %d", oldest, dropped)
		}
	})
}

// What waits for more than two days is dropped, when something else comes.
func TestOutboxForgetsAfterTwoDays(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		d.Send(hub.Telemetry{Body: []byte("old"), Number: 1, Created: time.Now()})
		time.Sleep(24 * time.Hour)
		d.Send(hub.Telemetry{Body: []byte("young"), Number: 2, Created: time.Now()})
		time.Sleep(24*time.Hour + time.Second)
		d.Send(hub.Telemetry{Body: []byte("new"), Number: 3, Created: time.Now()})
		if oldest, dropped := d.Progress(); oldest != 2 || dropped != 1 {
			t.Errorf("oldest %d, dropped %d", oldest, dropped)
		}
		d.run()
		synctest.Wait()
		wantEqual(t, c.bodies(), "young", "new")
	})
}

// A message says when it was made if it is sent later, and only then.
func TestLateMessagesSayWhenTheyWereMade(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		made := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		d.Send(hub.Telemetry{Body: []byte("offline"), ID: "a-1", Created: time.Now()})
		time.Sleep(time.Hour)
		d.run()
		synctest.Wait()
		d.Send(hub.Telemetry{Body: []byte("online"), ID: "a-2", Created: time.Now()})
		synctest.Wait()
		for i, want := range []string{made, ""} {
			r := c.Records()[i]
			if got := r.Properties["iothub-creation-time-utc"]; got != want {
				t.Errorf("%s was made at %q, want %q", r.Body, got, want)
			}
			if got := r.System["message-id"]; got != fmt.Sprint("a-", i+1) {
				t.Errorf("%s has the id %q", r.Body, got)
			}
		}
	})
}

// Progress follows what the hub has acknowledged.
func TestProgress(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.DelayPuback, Delay: 5 * time.Second})
		d.say("not numbered")
		for i := range 3 {
			d.Send(hub.Telemetry{Body: []byte("x"), Number: uint64(i + 7)})
		}
		synctest.Wait()
		if oldest, _ := d.Progress(); oldest != 7 {
			t.Errorf("oldest %d, want 7", oldest)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if oldest, _ := d.Progress(); oldest != 0 {
			t.Errorf("oldest %d, want none", oldest)
		}
		select {
		case <-d.Progressed():
		default:
			t.Error("nothing tells of the progress")
		}
	})
}

// No more than 64 messages wait for the hub; the rest wait here.
func TestBurst(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.DelayPuback, Delay: 5 * time.Second})
		var want []string
		for i := range 500 {
			want = append(want, fmt.Sprint(i))
			d.say(want[i])
		}
		synctest.Wait()
		if n := len(c.bodies()); n != 64 {
			t.Errorf("%d messages in flight", n)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		wantEqual(t, c.bodies(), want...)
	})
}

// What is in flight is not dropped: the hub may have it already.
func TestOutboxDropsWhatIsNotInFlight(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		must(t, c.Freeze(dev)) // what is in flight is sent again
		want := []string{`{"LWT":"Offline"}`}
		for i := range 1100 {
			if i < 64 || i >= 164 {
				want = append(want, fmt.Sprint(i))
			}
			d.say(fmt.Sprint(i))
			if i == 63 {
				synctest.Wait()
			}
		}
		time.Sleep(time.Minute)
		wantEqual(t, c.bodies(), want...)
	})
}

func TestOutboxIsBoundedInBytes(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		body := strings.Repeat("x", 100_000)
		for range 30 { // one after the other there is room
			d.say(body)
			synctest.Wait()
		}
		if n := len(c.bodies()); n != 30 || strings.Contains(d.log(), "dropped") {
			t.Errorf("%d messages arrived, want 30", n)
		}
		c.down.Store(true)
		must(t, c.Kick(dev))
		synctest.Wait()
		for range 30 {
			d.say(body)
		}
		c.down.Store(false)
		time.Sleep(5 * time.Second)
		if n := len(c.bodies()); n != 30+1+10 {
			t.Errorf("%d messages after 30, the will and what 1 MB holds", n)
		}
	})
}

// slow takes its time for each write.
type slow struct {
	net.Conn
	time time.Duration
}

func (s slow) Write(p []byte) (int, error) {
	time.Sleep(s.time)
	return s.Conn.Write(p)
}

// paho takes no message while two packets are in its hands. On a slow link that
// is no fault, and the message leaves as soon as there is room.
func TestSlowLink(t *testing.T) {
	s := setup{manual: true, handle: func(d *device, m hub.Message) { d.Ack(m) }}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		c.wrap = func(conn net.Conn) net.Conn { return slow{conn, 1200 * time.Millisecond} }
		d.run()
		time.Sleep(10 * time.Second)
		for i := range 3 {
			c.c2d("", fmt.Sprint(i))
		}
		synctest.Wait()
		d.say("1")
		time.Sleep(4*1200*time.Millisecond + time.Millisecond)
		wantEqual(t, c.bodies(), "1")
		for i := range 5 {
			d.say(fmt.Sprint(i))
		}
		time.Sleep(10 * time.Second)
		wantEqual(t, c.bodies(), "1", "0", "1", "2", "3", "4")
		if len(c.Logins()) != 1 {
			t.Error("the link was given up")
		}
	})
}

// A hub whose messages of the day are used up says nothing. The device finds out, asks
// rarely, and is back soon after midnight; nothing is lost.
func TestUsedUpQuota(t *testing.T) {
	for _, q := range []hubsim.Quota{
		{Limit: 100, Publish: hubsim.OverDrop, Connect: hubsim.OverRefuse},
		{Limit: 100, Publish: hubsim.OverClose, Connect: hubsim.OverSever},
	} {
		inBubble(t, setup{sim: hubsim.Options{Quota: q}}, func(t *testing.T, c *cloud, d *device) {
			must(t, c.Spend(hubName, 100))
			d.say("1")
			time.Sleep(20 * time.Hour)
			n := len(c.attempts())
			if n > 20+20*12 || !strings.Contains(d.log(), "quota of the day may be used up") {
				t.Errorf("%+v: %d attempts in 20 hours", q, n)
			}
			d.say("2")
			time.Sleep(4*time.Hour + time.Minute + 2*time.Second) // it is midnight
			var got []string
			for _, b := range c.bodies() {
				if b == "1" || b == "2" {
					got = append(got, b)
				}
			}
			wantEqual(t, got, "1", "2")
		})
	}
}
