package device_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/device"
	"tasmota-azd/internal/hub"
)

// limited starts a device that may spend so many messages of 512 bytes a day. It is
// midnight.
func limited(t *testing.T, dir string, limit int) *rig {
	t.Helper()
	r := prepare(t, dir)
	r.limit = limit
	r.run(t, "%topic%/")
	return r
}

func TestDailyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := limited(t, dir, 100)
		r.take(connected()) // four reports, of which STATE is the longest
		for i := range 60 {
			r.take(command(fmt.Sprint("m", i), "power1", "toggle")) // two messages each
		}
		said := r.cloud.said()
		answered := count(said, `gw1/RESULT`)
		if answered >= 60 || answered < 40 {
			t.Errorf("%d answers within the limit", answered)
		}
		if count(said, "ack") != 60 || !strings.Contains(r.log.String(), "most of the day's messages are spent") ||
			!strings.Contains(r.log.String(), "answers wait until the next day") {
			t.Errorf("commands must run, and the log must tell: %d acknowledged", count(said, "ack"))
		}
		states := count(said, "gw1/STATE")
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		if n := count(r.cloud.said(), "gw1/STATE"); n != states {
			t.Errorf("%d STATE are sent with nothing left for them", n-states)
		}
		r.end(t) // a restart does not make it forget
		r2 := limited(t, dir, 100)
		r2.take(connected())
		if n := len(r2.cloud.said()); n != 0 {
			t.Errorf("after a restart it says %q", r2.cloud.said())
		}
		time.Sleep(12*time.Hour + time.Second)
		synctest.Wait()
		if n := answered + count(r2.cloud.said(), `gw1/RESULT`); n != 60 {
			t.Errorf("%d answers on the next day", n)
		}
		if count(r2.cloud.said(), `gw1/QUOTA {"Quota":{"Day":"2000-01-01","Spent":1`) != 1 {
			t.Errorf("the day is not told: %q", r2.cloud.said())
		}
		r2.end(t)
	})
}

// A message counts as many as it has parts, and an empty one counts too.
func TestMeter(t *testing.T) {
	for bytes, want := range map[int]int{0: 1, 1: 1, 512: 1, 513: 2, 1024: 2, 1025: 3} {
		if got := device.Parts(512, bytes); got != want {
			t.Errorf("%d bytes are %d messages, want %d", bytes, got, want)
		}
	}
}

// Without a limit nothing is counted or said.
func TestNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.take(connected())
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if count(r.cloud.said(), "gw1/QUOTA") != 0 || peek(t, dir).Spent != (device.Spent{}) {
			t.Errorf("%+v", peek(t, dir).Spent)
		}
		r.end(t)
	})
}

// Methods and the twin are counted too (contract, section 3.6): request and answer,
// what is read, what is changed and what is reported.
func TestMethodsAndTwinAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", 600)
		for name, tt := range map[string]struct {
			event hub.Event
			cost  int
		}{
			"method":        {method("1", "foo", `"bar"`), 3}, // request, answer, RESULT
			"long method":   {method("1", "foo", `"`+long+`"`), 4},
			"desired":       {desired(`{"settings":{"TelePeriod":60}}`, 2), 4}, // change, RESULT, report, and the STATE of TelePeriod
			"long desired":  {desired(`{"x":"`+long+`"}`, 2), 2},
			"twin":          {hub.Twin{Desired: []byte(`{"x":"` + long + `"}`), Reported: []byte(`{}`)}, 4}, // it is read, and all is reported
			"not a message": {hub.Reported{Status: 204}, 0},
		} {
			if got := dayWith(t, tt.event) - dayWith(t, nil); got != tt.cost {
				t.Errorf("%s cost %d messages, want %d", name, got, tt.cost)
			}
		}
	})
}

// dayWith is what a device spends that is connected and then meets an event.
func dayWith(t *testing.T, ev hub.Event) int {
	t.Helper()
	r := limited(t, t.TempDir(), 1000)
	m := r.online(t, `{}`)
	if call, ok := ev.(hub.Method); ok {
		call.Received = time.Now()
		ev = call
	}
	if ev != nil {
		r.take(ev)
	}
	time.Sleep(10 * time.Second)
	r.reports(t, m)
	r.end(t)
	return peek(t, r.dir).Spent.Messages
}
