package device_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/hub"
)

// as is a Change that changes nothing.
func as(template string) device.Change {
	return device.Change{Period: 300 * time.Second, FullTopic: template, Meter: 512}
}

func (r *rig) change(t *testing.T, c device.Change) {
	t.Helper()
	if err := r.device.Change(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond)
	synctest.Wait()
}

// One relay goes, one comes, and the one that stays has another number: it is known by
// its pin to commands, to the record and to the next start.
func TestChangeOfRelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.take(connected())
		r.take(command("m1", "power2", "on"))
		r.take(command("m2", "backlog", "power1 on; delay 50; power1 off; power2 off"))
		c := as("%topic%/")
		c.Names = []string{"Gate", "Lamp"}
		c.Rewire = func(wanted func(string) bool) ([]string, error) {
			if wanted("GPIO5") || !wanted("GPIO27") {
				t.Error("a new relay is off, and one that was saved as it was")
			}
			r.bank.on, r.bank.others = []bool{true, false}, []string{"GPIO27", "GPIO5"}
			r.bank.edge(edges.Edge{Time: time.Now(), Relay: 2, Pin: "GPIO5", Cause: cause.Cause{Door: cause.Reload}})
			return r.bank.others, nil
		}
		r.change(t, c)
		if s, err := r.device.Status(t.Context()); err != nil || len(s.Relays) != 2 || s.Relays[0].Pin != "GPIO27" || s.Relays[0].Name != "Gate" ||
			!s.Relays[0].On || s.Relays[0].Cause != "c2d m1" || s.Relays[1].Cause != "reload" || s.Backlog == 0 {
			t.Errorf("%+v, %v", s, err)
		}
		if why, err := r.device.Why(t.Context(), 1, 10); err != nil || len(why) != 1 || why[0].Edge.Cause.ID != "m1" {
			t.Errorf("%+v, %v", why, err)
		}
		r.take(command("m3", "power2", "on"))
		time.Sleep(6 * time.Second) // the backlog goes on, with what was relay 2
		synctest.Wait()
		if got := r.bank.moves(); !slices.Equal(got[len(got)-2:], []string{"2 true by c2d m3", "1 false by c2d m2"}) || !strings.Contains(r.log.String(), "dropped") {
			t.Errorf("moves %q", got)
		}
		r.end(t)
		r = prepare(t, dir)
		if want := map[string]bool{"GPIO27": false, "GPIO5": true}; len(r.state.Relays) != 2 || r.state.Relays["GPIO5"] != want["GPIO5"] || r.state.Relays["GPIO27"] {
			t.Errorf("saved %v, want %v", r.state.Relays, want)
		}
		if r.state.Settings.BootCount != 1 {
			t.Errorf("%d starts are counted", r.state.Settings.BootCount)
		}
		r.journal.Close()
		r.store.Close()
	})
}

// Relays that are reordered while the daemon is down keep their part of a backlog, too:
// the pump that it has switched on is the one that it switches off.
func TestReorderedBetweenRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.take(connected())
		r.take(command("m1", "backlog", "power1 on; delay 50; power1 off"))
		time.Sleep(time.Second)
		r.end(t)
		r = prepare(t, dir)
		defer func(was []string) { pins = was }(pins)
		pins = []string{"GPIO27", "GPIO17"}
		r.bank.on = []bool{false, true}
		r.run(t, "%topic%/")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := r.bank.moves(); !slices.Equal(got, []string{"2 false by c2d m1"}) {
			t.Errorf("moves %q", got)
		}
		r.end(t)
	})
}

// If the relays cannot be others, nothing is.
func TestChangeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(connected())
		busy := errors.New("busy")
		c := as("other/%topic%/")
		c.Names, c.Limit = []string{"A"}, 1
		c.Rewire = func(func(string) bool) ([]string, error) { return nil, busy }
		if err := r.device.Change(t.Context(), c); !errors.Is(err, busy) {
			t.Errorf("error %v", err)
		}
		before := len(r.cloud.said())
		r.take(command("m1", "power2", "on"))
		if got := r.cloud.said()[before:]; !slices.Equal(got, []string{`gw1/RESULT {"POWER2":"ON"}`, "ack m1"}) {
			t.Errorf("said %q", got)
		}
	})
}

// Topic, period and limits of another file take effect without a session of their own.
func TestChangeOfTelemetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(connected())
		c := as("a/%prefix%/%topic%/")
		c.Period = 10 * time.Second
		r.change(t, c)
		before := len(r.cloud.said())
		time.Sleep(10*time.Second - 10*time.Millisecond)
		synctest.Wait()
		if got := r.cloud.said()[before:]; len(got) != 0 {
			t.Errorf("too early: %q", got)
		}
		time.Sleep(20*time.Second + 100*time.Millisecond)
		synctest.Wait()
		if n := count(r.cloud.said()[before:], "a/tele/gw1/STATE"); n != 3 {
			t.Errorf("%d STATE in 30 s, want 3: %q", n, r.cloud.said()[before:])
		}
		c.Limit = 10
		r.change(t, c)
		for range 10 {
			r.take(command("", "power1", "toggle"))
		}
		if got := count(r.cloud.said()[before:], "a/stat/gw1/RESULT"); got >= 10 || !strings.Contains(r.log.String(), "answers wait") {
			t.Errorf("%d answers with a limit of 10", got)
		}
		c.Limit = 0
		r.change(t, c)
		if got := count(r.cloud.said()[before:], "a/stat/gw1/RESULT"); got != 10 {
			t.Errorf("%d answers when there is no limit any more", got)
		}
	})
}

// A command that waited in another hub's queue is as old as it can be.
func TestChangeOfTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, t.TempDir())
		r.maxAge = []time.Duration{time.Minute, time.Minute}
		r.run(t, "%topic%/")
		defer r.end(t)
		r.take(connected())
		time.Sleep(time.Minute)
		c := as("%topic%/")
		c.MaxAge, c.Guarded, c.OtherHub = r.maxAge, true, true
		r.change(t, c)
		r.take(hub.Disconnected{Err: errors.New("anew")})
		r.take(connected())
		r.take(command("m1", "power1", "on"))
		if len(r.bank.moves()) != 0 {
			t.Errorf("moves %q", r.bank.moves())
		}
		c.MaxAge, c.OtherHub = []time.Duration{0, time.Minute}, false // power1 has no limit any more
		r.change(t, c)
		r.take(command("m2", "power1", "on"))
		if len(r.bank.moves()) != 1 {
			t.Errorf("moves %q", r.bank.moves())
		}
	})
}
