package device_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/device"
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
