package device_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
)

// A moment is what is left of a daemon that is killed there.
type moment struct {
	name string
	dir  string
	pins []bool // the levels of the pins
	sent []hub.Telemetry
	acks int
}

// TestKilledBetweenAnyTwoSteps plays a message up to every step, kills the daemon
// there, starts it again and lets the hub deliver the message again, if it was not
// acknowledged: it takes effect once, and is answered.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	for _, tt := range []struct {
		topic, body string
		want        []bool // from both off
		answers     []string
	}{
		{"power1", "toggle", []bool{true, false}, []string{`{"POWER1":"ON"}`}},
		{"power0", "toggle", []bool{true, true}, []string{`{"POWER1":"ON"}`, `{"POWER2":"ON"}`}},
		{"backlog0", "power1 toggle;power1 toggle;power2 toggle;power1 toggle", []bool{true, true},
			[]string{`{"POWER1":"ON"}`, `{"POWER1":"OFF"}`, `{"POWER2":"ON"}`, `{"POWER1":"ON"}`}},
		{"backlog", "power1 toggle;delay 20;power2 toggle;power1 toggle", []bool{false, true},
			[]string{`{"POWER1":"ON"}`, `{"Delay":20}`, `{"POWER2":"ON"}`, `{"POWER1":"OFF"}`}},
	} {
		m := command("m1", tt.topic, tt.body)
		var moments []moment
		outer := t
		synctest.Test(t, func(t *testing.T) {
			moments = record(t, outer, func(r *rig) { r.take(m) })
		})
		if len(moments) < 6 {
			t.Errorf("%s: only %d moments", tt.body, len(moments))
		}
		for _, k := range moments {
			for _, keeps := range []bool{true, false} { // whether systemd keeps the lines
				name := fmt.Sprintf("%s %s, killed %s, lines kept %v", tt.topic, tt.body, k.name, keeps)
				synctest.Test(t, func(t *testing.T) {
					r := prepare(t, k.again(t))
					if keeps {
						r.bank.on = slices.Clone(k.pins)
					}
					r.run(t, "%topic%/")
					r.take(connected())
					if k.acks == 0 { // else it comes no more
						r.take(m)
					}
					time.Sleep(10 * time.Second)
					synctest.Wait()
					if !slices.Equal(r.bank.on, tt.want) {
						t.Errorf("%s: relays are %v, want %v", name, r.bank.on, tt.want)
					}
					if got := answersTo("m1", append(k.sent, r.cloud.telemetry()...)); !slices.Equal(got, tt.answers) {
						t.Errorf("%s: answers %q, want %q", name, got, tt.answers)
					}
					if k.acks+count(r.cloud.said(), "ack m1") == 0 {
						t.Errorf("%s: not acknowledged", name)
					}
					r.end(t)
				})
			}
		}
	}
}

// record runs a daemon and notes every moment at which it could be killed. What is
// left lasts as long as the test outer.
func record(t, outer *testing.T, play func(*rig)) []moment {
	t.Helper()
	r := prepare(t, t.TempDir())
	var moments []moment
	on := slices.Clone(r.bank.on)
	note := func(name string) {
		k := moment{name: fmt.Sprintf("%d, %s", len(moments), name), dir: copied(outer, r.dir), pins: slices.Clone(on)}
		k.sent, k.acks = slices.Clone(r.cloud.sent), count(r.cloud.words, "ack m1")
		moments = append(moments, k)
	}
	r.bank.step = func(when string, levels []bool) {
		on = slices.Clone(levels)
		note(when)
	}
	r.cloud.step = note
	r.run(t, "%topic%/")
	r.take(connected())
	moments = nil
	play(r)
	time.Sleep(10 * time.Second)
	synctest.Wait()
	note("at the end")
	r.end(t)
	return moments
}

// again returns a copy of what is left, for one more life.
func (k moment) again(t *testing.T) string { return copied(t, k.dir) }

// answersTo returns the answers to a message, each once though it may have been sent
// several times under its id.
func answersTo(id string, sent []hub.Telemetry) (bodies []string) {
	seen := make(map[string]bool)
	for _, m := range sent {
		if m.CorrelationID == id && !seen[m.ID] && !strings.Contains(string(m.Body), "Time") {
			seen[m.ID] = true
			bodies = append(bodies, string(m.Body))
		}
	}
	return bodies
}

// Whoever starts after a kill knows which command the state of a relay is owed to.
func TestKilledSaysForWhom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moments := record(t, t, func(r *rig) { r.take(command("m1", "power1", "on")) })
		for i, k := range moments {
			state := peek(t, k.again(t))
			why, cut := state.Cut("GPIO17")
			decided := i < 2 // before the pin moved, and behind that
			if cut != decided || decided && (why.ID != "m1" || !state.Relays["GPIO17"]) {
				t.Errorf("killed %s: decided %v by %v, relays %v", k.name, cut, why, state.Relays)
			}
			if _, cut := state.Cut("GPIO27"); cut {
				t.Errorf("killed %s: nobody decided about relay 2", k.name)
			}
		}
	})
}

// What was not decided by the killed run but changed since is not undone when its
// message comes again.
func TestKilledAndOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moments := record(t, t, func(r *rig) { r.take(command("m1", "power1", "on")) })
		r := prepare(t, moments[0].again(t)) // before the pin moved
		r.bank.on = slices.Clone(moments[0].pins)
		r.run(t, "%topic%/")
		r.take(connected())
		r.take(command("m2", "power1", "off"))
		r.take(command("m1", "power1", "on"))
		if r.bank.on[0] {
			t.Error("a command that took effect before another one takes effect behind it")
		}
		if want := []string{"1 true by c2d m1", "1 false by c2d m2"}; !slices.Equal(r.bank.moves(), want) {
			t.Errorf("moves %q, want %q", r.bank.moves(), want)
		}
		r.end(t)
	})
}

// What the hub has not got is sent after a restart, once, under the same id.
func TestAnswersOutliveTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.cloud.away = true
		r.take(command("m1", "power1", "on"))
		r.take(command("m2", "power2", "on"))
		first := r.cloud.telemetry()
		left := copied(t, dir)
		r.end(t)
		r = start(t, left, "%topic%/")
		again := r.cloud.telemetry()
		if len(again) != 2 || again[0].ID != first[0].ID || again[1].ID != first[1].ID || !again[0].Late || again[0].Number == 0 {
			t.Fatalf("sent %+v, then %+v", first, again)
		}
		r.take(command("m3", "power1", ""))
		r.take(command("m1", "power1", "on")) // known, and its answer has arrived meanwhile
		if got := r.cloud.telemetry(); len(got) != 4 || got[3].ID != first[0].ID || got[3].Number != 0 {
			t.Errorf("sent %+v", got)
		}
		left = copied(t, left)
		r.end(t)
		r = start(t, left, "%topic%/")
		if got := r.cloud.telemetry(); len(got) != 0 {
			t.Errorf("sent although it had arrived: %+v", got)
		}
		r.end(t)
	})
}

// What the hub's queue had no room for is told when there is a session again.
func TestLossesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.cloud.mu.Lock()
		r.cloud.dropped = 12
		r.cloud.mu.Unlock()
		r.take(command("m1", "power1", "on"))
		r.take(connected())
		r.take(connected())
		if n := count(r.cloud.said(), `gw1/OUTBOX {"Outbox":{"Lost":12}}`); n != 1 {
			t.Errorf("told %d times: %q", n, r.cloud.said())
		}
	})
}
