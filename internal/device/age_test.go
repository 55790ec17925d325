package device_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
)

// guarded starts a device whose first relay takes commands of a minute at most.
func guarded(t *testing.T, dir string) *rig {
	t.Helper()
	r := prepare(t, dir)
	r.maxAge = []time.Duration{time.Minute}
	r.run(t, "%topic%/")
	return r
}

const expired = `gw1/RESULT {"Command":"Expired","Input":"POWER toggle"}`

func session() hub.Connected {
	return hub.Connected{Host: "h", DeviceID: "gw1", Port: 8883, KeepAlive: 10 * time.Second}
}

func property(m hub.Message, name, value string) hub.Message {
	m.Properties = append(slices.Clone(m.Properties), hub.Property{Name: name, Value: value})
	return m
}

func TestMaxAge(t *testing.T) {
	toggle := command("m1", "power1", "toggle")
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	for _, tt := range []struct {
		name string
		play func(r *rig)
		runs bool
	}{
		{"nothing is known", func(r *rig) { r.take(session()); r.take(toggle) }, false},
		{"the connection stands", func(r *rig) { r.take(session()); time.Sleep(11 * time.Second); r.take(toggle) }, true},
		{"a message may have waited with it", func(r *rig) {
			r.take(session())
			time.Sleep(9 * time.Second)
			r.take(command("m0", "power2", "on"))
			time.Sleep(9 * time.Second)
			r.take(toggle)
		}, false},
		{"the sender says when it was made", func(r *rig) {
			r.take(session())
			r.take(property(toggle, "iothub-creation-time-utc", at(-50*time.Second)))
		}, true},
		{"the sender says that it is old", func(r *rig) {
			r.take(session())
			time.Sleep(time.Minute)
			r.take(property(toggle, "iothub-creation-time-utc", at(-70*time.Second)))
		}, false},
		{"the sender's clock is fast", func(r *rig) {
			r.take(session())
			r.take(property(toggle, "iothub-creation-time-utc", at(time.Hour)))
		}, true},
		{"good until later", func(r *rig) {
			r.take(session())
			m := toggle
			m.Expiry = at(time.Second)
			r.take(m)
		}, true},
		{"good until before", func(r *rig) {
			r.take(session())
			time.Sleep(time.Minute)
			m := toggle
			m.Expiry = at(-time.Second)
			r.take(m)
		}, false},
		{"a short absence", func(r *rig) {
			r.take(session())
			time.Sleep(time.Hour)
			r.take(hub.Disconnected{Err: errRest})
			time.Sleep(40 * time.Second)
			r.take(session())
			r.take(toggle)
		}, true},
		{"an absence that began earlier than it showed", func(r *rig) {
			r.take(session())
			time.Sleep(time.Hour)
			r.take(hub.Disconnected{Err: errRest})
			time.Sleep(50 * time.Second) // and 15 s before
			r.take(session())
			r.take(toggle)
		}, false},
		{"a renewal", func(r *rig) {
			r.take(session())
			time.Sleep(time.Hour)
			r.take(hub.Disconnected{Renewal: true})
			ev := session()
			ev.Renewal = true
			r.take(ev)
			r.take(toggle)
		}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := guarded(t, t.TempDir())
			time.Sleep(2 * time.Hour) // there is a past
			tt.play(r)
			if r.bank.On(0) != tt.runs || slices.Contains(r.cloud.said(), expired) == tt.runs {
				t.Errorf("%s: runs %v, want %v; said %q", tt.name, r.bank.On(0), tt.runs, r.cloud.said())
			}
			if count(r.cloud.said(), "ack m1") != 1 {
				t.Errorf("%s: not acknowledged", tt.name)
			}
			r.end(t)
		})
	}
}

// Without max_age nothing is too old, and a question never is.
func TestMaxAgeIsOfTheRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := guarded(t, t.TempDir())
		defer r.end(t)
		r.take(session())
		r.take(command("m1", "power2", "toggle"))
		r.take(command("m2", "power1", ""))
		r.take(command("m3", "power0", "on"))
		r.take(command("m4", "backlog0", "power1 on;power2 off"))
		r.take(command("m5", "poweronstate", "4"))
		want := []string{`gw1/RESULT {"POWER2":"ON"}`, "ack m1", `gw1/RESULT {"POWER1":"OFF"}`, "ack m2",
			`gw1/RESULT {"Command":"Expired","Input":"POWER0 on"}`, "ack m3",
			`gw1/RESULT {"Command":"Expired","Input":"POWER on"}`, `gw1/RESULT {"POWER2":"OFF"}`, "ack m4",
			`gw1/RESULT {"Command":"Expired","Input":"POWERONSTATE 4"}`, "ack m5"}
		said := r.cloud.said()
		if got := said[len(said)-len(want):]; !slices.Equal(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}
	})
}

// What is known of the queue outlives the daemon.
func TestMaxAgeOverARestart(t *testing.T) {
	for wait, runs := range map[time.Duration]bool{30 * time.Second: true, 2 * time.Minute: false} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			r := guarded(t, dir)
			r.take(session())
			time.Sleep(time.Hour)
			r.end(t)
			time.Sleep(wait)
			r = guarded(t, dir)
			r.take(session())
			r.take(command("m1", "power1", "toggle"))
			if r.bank.On(0) != runs {
				t.Errorf("after %v it runs: %v", wait, r.bank.On(0))
			}
			r.end(t)
		})
	}
}
