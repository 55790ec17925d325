package device_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/device"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/twin"
)

// A mirror is the hub's copy of what the device reports.
type mirror struct {
	doc     twin.Document
	patches []string
}

// reports takes what was reported since the last call into the hub's copy, and
// answers each patch.
func (r *rig) reports(t *testing.T, m *mirror) {
	t.Helper()
	synctest.Wait()
	r.cloud.mu.Lock()
	patches := r.cloud.patches
	r.cloud.patches = nil
	r.cloud.mu.Unlock()
	for _, p := range patches {
		patch, err := twin.Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		m.doc = twin.Merge(m.doc, patch)
		m.patches = append(m.patches, string(p))
		r.events <- hub.Reported{Status: 204}
	}
	synctest.Wait()
}

// at returns a part of the hub's copy as JSON.
func (m *mirror) at(path ...string) string {
	var v any = map[string]any(m.doc)
	for _, name := range path {
		inner, _ := v.(map[string]any)
		v = inner[name]
	}
	text, _ := json.Marshal(v)
	return string(text)
}

func whole(desired string, version int64, m *mirror) hub.Twin {
	reported := "{}"
	if m.doc != nil {
		text, _ := json.Marshal(m.doc)
		reported = string(text)
	}
	return hub.Twin{Desired: json.RawMessage(desired), DesiredVersion: version, Reported: json.RawMessage(reported), ReportedVersion: 1}
}

func desired(patch string, version int64) hub.Desired {
	return hub.Desired{Patch: json.RawMessage(patch), Version: version}
}

// online connects the device, and has it report itself.
func (r *rig) online(t *testing.T, desired string) *mirror {
	t.Helper()
	m := &mirror{}
	r.take(connected())
	r.take(whole(desired, 1, m))
	time.Sleep(10 * time.Second)
	r.reports(t, m)
	return m
}

func TestWholeIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(command("m1", "power2", "on"))
		m := r.online(t, `{}`)
		if len(m.patches) != 1 {
			t.Fatalf("reported %q", m.patches)
		}
		for want, path := range map[string][]string{
			`"OFF"`:      {"relays", "1", "power"},
			`"ON"`:       {"relays", "2", "power"},
			`"c2d m1"`:   {"relays", "2", "cause"},
			`null`:       {"relays", "2", "since"}, // the clock of a bubble is of 2000: it is not trusted
			`"Tasmota2"`: {"relays", "2", "name"},
			`"GPIO27"`:   {"relays", "2", "pin"},
			`300`:        {"settings", "TelePeriod"},
			`{"__t":"c","name":"Tasmota","on":false}`: {"relay1"},
			`{"boots":1,"sessions":1}`:                {"counters"},
		} {
			if got := m.at(path...); got != want {
				t.Errorf("%v is %s, want %s", path, got, want)
			}
		}
	})
}

// Only what has changed is sent, together, and at most once in five seconds.
func TestChangesAreReportedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		m := r.online(t, `{}`)
		m.patches = nil
		for range 20 {
			r.take(command("", "power1", "toggle"))
			r.take(command("m1", "power2", "on"))
			time.Sleep(500 * time.Millisecond)
			r.reports(t, m)
		}
		if n := len(m.patches); n < 2 || n > 3 {
			t.Errorf("%d patches in ten seconds: %q", n, m.patches)
		}
		if want := `{"relay1":{"__t":"c","on":true},"relay2":{"__t":"c","on":true},"relays":{"1":{"cause":"c2d","power":"ON"},"2":{"cause":"c2d m1","power":"ON"}}}`; m.patches[0] != want {
			t.Errorf("reported %s\nwant     %s", m.patches[0], want)
		}
		time.Sleep(10 * time.Second)
		r.reports(t, m)
		m.patches = nil
		r.take(command("", "power1", ""))
		r.take(command("", "power2", "on"))
		time.Sleep(time.Hour)
		r.reports(t, m)
		if len(m.patches) != 0 {
			t.Errorf("nothing has changed, and %q was reported", m.patches)
		}
		if got := m.at("relays", "1", "power"); got != `"OFF"` {
			t.Errorf("the hub has %s", got)
		}
	})
}

func TestDesiredIsAppliedAndAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		m := r.online(t, `{"$version":1}`)
		before := len(r.cloud.said())
		r.take(desired(`{"relays":{"2":{"power":"ON"},"3":{"power":"ON"},"1":{"power":"TOGGLE"}},
			"settings":{"TelePeriod":5,"SetOption26":1,"Foo":1},"relay1":{"__t":"c","on":true},"$version":2}`, 2))
		if want := []string{"1 true by twin 2", "2 true by twin 2"}; !slices.Equal(r.bank.moves(), want) {
			t.Errorf("moves %q, want %q", r.bank.moves(), want)
		}
		said := r.cloud.said()[before:]
		if want := []string{
			`gw1/RESULT {"SetOption26":"ON"}`, `gw1/RESULT {"TelePeriod":10}`, `gw1/RESULT {"POWER1":"ON"}`, `gw1/RESULT {"POWER2":"ON"}`,
			`gw1/RESULT {"Command":"Error","Input":"POWER3 ON"}`,
		}; !slices.Equal(said, want) {
			t.Errorf("device said %q", said)
		}
		time.Sleep(10 * time.Second)
		r.reports(t, m)
		for want, path := range map[string][]string{
			`{"ac":200,"ad":"ok","av":2,"value":"ON"}`:                                      {"relays", "2", "ack"},
			`{"ack":{"ac":400,"ad":"index or argument not allowed","av":2,"value":"ON"}}`:   {"relays", "3"},
			`{"ac":400,"ad":"a change such as TOGGLE is not a state","av":2,"value":"OFF"}`: {"relays", "1", "ack"},
			`{"ac":200,"ad":"in force is 10","av":2,"value":10}`:                            {"settings", "ack", "TelePeriod"},
			`{"ac":200,"ad":"ok","av":2,"value":1}`:                                         {"settings", "ack", "SetOption26"},
			`{"ac":404,"ad":"no setting of this device","av":2,"value":1}`:                  {"settings", "ack", "Foo"},
			`{"__t":"c","name":"Tasmota","on":{"ac":200,"ad":"ok","av":2,"value":true}}`:    {"relay1"},
			`10`: {"settings", "TelePeriod"},
		} {
			if got := m.at(path...); got != want {
				t.Errorf("%v is %s, want %s", path, got, want)
			}
		}
		r.take(command("", "power0", "off"))
		r.end(t)

		// After a restart it is not applied again, also if the whole comes at a later version.
		again := start(t, dir, "%topic%/")
		defer again.end(t)
		again.take(connected())
		again.take(whole(`{"relays":{"2":{"power":"ON"},"3":{"power":"ON"},"1":{"power":"TOGGLE"}},
			"settings":{"TelePeriod":5,"SetOption26":1,"Foo":1},"relay1":{"__t":"c","on":true},"other":1,"$version":3}`, 3, m))
		if moves := again.bank.moves(); len(moves) != 0 {
			t.Errorf("moves %q after a restart", moves)
		}
		// What was written while the device was away is.
		again.take(whole(`{"relays":{"2":{"power":"OFF"},"1":{"power":"ON"}},"$version":5}`, 5, m))
		if want := []string{"1 true by twin 5", "2 false by twin 5"}; !slices.Equal(again.bank.moves(), want) {
			t.Errorf("moves %q, want %q", again.bank.moves(), want)
		}
		time.Sleep(time.Minute)
		again.reports(t, m)
		if got := m.at("settings", "ack"); got != "null" {
			t.Errorf("acknowledged what is desired no longer: %s", got)
		}
		if got := m.at("relays", "2", "ack", "av"); got != "5" {
			t.Errorf("acknowledged version %s", got)
		}
	})
}

// What is written anew counts, also if it is what was desired before.
func TestDesiredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		m := r.online(t, `{"relays":{"1":{"power":"ON"}},"$version":1}`)
		r.take(command("", "power1", "off"))
		r.take(whole(`{"relays":{"1":{"power":"ON"}},"$version":1}`, 1, m)) // a reconnect
		r.take(desired(`{"relays":{"1":{"power":"ON"}},"$version":2}`, 2))
		r.take(desired(`{"relays":{"1":{"power":null}},"$version":3}`, 3))
		if want := []string{"1 true by twin 1", "1 false by c2d", "1 true by twin 2"}; !slices.Equal(r.bank.moves(), want) {
			t.Errorf("moves %q, want %q", r.bank.moves(), want)
		}
		r.reports(t, m)
		time.Sleep(10 * time.Second)
		r.reports(t, m)
		if got := m.at("relays", "1", "ack"); got != "null" {
			t.Errorf("still acknowledged: %s", got)
		}
	})
}

func TestDesiredThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		m := r.online(t, `{}`)
		r.bank.fail(errors.New("relay 1 on GPIO17: gone"))
		r.take(desired(`{"relays":{"1":{"power":"ON"}},"$version":2}`, 2))
		r.take(command("m1", "foo", "")) // a mistake is no failure
		time.Sleep(10 * time.Second)
		r.reports(t, m)
		for want, path := range map[string][]string{
			`{"ac":503,"ad":"relay 1 on GPIO17: gone","av":2,"value":"OFF"}`:                    {"relays", "1", "ack"},
			`"relay 1 on GPIO17: gone"`:                                                         {"relays", "1", "error"},
			`{"cause":"twin 2","text":"relay 1 on GPIO17: gone","time":"2000-01-01T00:00:10Z"}`: {"lastError"},
		} {
			if got := m.at(path...); got != want {
				t.Errorf("%v is %s, want %s", path, got, want)
			}
		}
		r.bank.fail(nil)
		r.take(command("", "power1", "on"))
		time.Sleep(10 * time.Second)
		r.reports(t, m)
		if got := m.at("relays", "1", "error"); got != "null" {
			t.Errorf("error %s", got)
		}
	})
}

// The hub's copy is what counts: if it differs all is said anew, and else nothing.
func TestReportAfterReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		m := r.online(t, `{}`)
		m.patches = nil
		r.take(hub.Disconnected{Renewal: true})
		r.take(command("", "power1", "on"))
		time.Sleep(time.Minute)
		again := connected()
		again.Renewal = true
		r.take(again)
		time.Sleep(time.Minute)
		r.reports(t, m)
		if len(m.patches) != 0 {
			t.Errorf("reported %q before the hub's copy is known", m.patches)
		}
		delete(m.doc, "board")
		m.doc["stranger"] = "left by other software"
		r.take(whole(`{}`, 1, m))
		time.Sleep(time.Second)
		r.reports(t, m)
		if len(m.patches) != 1 {
			t.Fatalf("reported %q", m.patches)
		}
		for _, want := range []string{`"board":{}`, `"stranger":null`, `"relay1":{"__t":"c","name":"Tasmota","on":true}`,
			`"1":{"cause":"c2d","name":"Tasmota","pin":"GPIO17","power":"ON"}`, `"2":{"name":"Tasmota2","pin":"GPIO27","power":"OFF"}`, `"TelePeriod":300`} {
			if !strings.Contains(m.patches[0], want) {
				t.Errorf("reported %s\nwithout %s", m.patches[0], want)
			}
		}
		r.take(whole(`{}`, 1, m))
		time.Sleep(time.Minute)
		r.reports(t, m)
		if len(m.patches) != 1 {
			t.Errorf("reported %q, though the hub has it", m.patches[1:])
		}
	})
}

func TestReportThatComesToNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		m := r.online(t, `{}`)
		sent := func(wait time.Duration) int {
			time.Sleep(wait)
			synctest.Wait()
			r.cloud.mu.Lock()
			defer r.cloud.mu.Unlock()
			n := len(r.cloud.patches)
			r.cloud.patches = nil
			return n
		}
		r.take(command("", "power1", "on"))
		if n := sent(time.Second); n != 1 {
			t.Fatalf("%d patches", n)
		}
		r.take(command("", "power1", "off")) // while the first is under way
		if n := sent(time.Minute); n != 0 {
			t.Errorf("%d patches before the first was answered", n)
		}
		r.take(hub.Reported{Status: 429, Err: errors.New("throttled")})
		r.take(command("", "power2", "on"))
		if n := sent(time.Minute); n != 0 {
			t.Errorf("%d patches while it is not known what the hub has", n)
		}
		m.doc = twin.Merge(m.doc, twin.Document{"relay1": map[string]any{"on": true}}) // it had taken a part
		r.take(whole(`{}`, 1, m))
		time.Sleep(time.Second)
		m.patches = nil
		r.reports(t, m)
		want := `{"relay1":{"__t":"c","on":false},"relay2":{"__t":"c","on":true},"relays":{"1":{"cause":"c2d"},"2":{"cause":"c2d","power":"ON"}}}`
		if len(m.patches) != 1 || m.patches[0] != want {
			t.Errorf("reported %q\nwant %s", m.patches, want)
		}
		// What the hub refuses is not sent again and again.
		r.take(command("", "power1", "on"))
		sent(10 * time.Second)
		r.take(hub.Reported{Status: 400, Err: errors.New("too large")})
		if n := sent(time.Hour); n != 0 {
			t.Errorf("%d patches with what was refused", n)
		}
		r.take(hub.Reported{Status: 204}) // answers nothing
	})
}

func TestTwinThatIsNotUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(connected())
		r.take(hub.Twin{Desired: json.RawMessage(`[]`), Reported: json.RawMessage(`{}`)})
		r.take(desired(`[]`, 2))
		time.Sleep(time.Minute)
		if got := strings.Count(r.log.String(), "not understood"); got != 2 {
			t.Errorf("%d lines about it", got)
		}
	})
}

// What was applied is on record at once: a daemon that is killed a moment later knows.
func TestAppliedIsOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.online(t, `{}`)
		r.events <- desired(`{"relays":{"1":{"power":"ON"}}}`, 2)
		synctest.Wait()
		data, err := os.ReadFile(filepath.Join(r.dir, device.TwinFile))
		if err != nil || !strings.Contains(string(data), `"relays/1/power":{"want":"ON","ack":{"value":"ON","ac":200,"av":2,"ad":"ok"}}`) {
			t.Errorf("%s %v", data, err)
		}
	})
}

// A whole twin that comes before a patch was answered is what counts.
func TestTwinInPlaceOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		m := r.online(t, `{}`)
		r.take(command("", "power1", "on"))
		time.Sleep(10 * time.Second)
		r.cloud.mu.Lock()
		r.cloud.patches = nil // it is lost
		r.cloud.mu.Unlock()
		r.take(whole(`{}`, 1, m))
		time.Sleep(10 * time.Second)
		r.reports(t, m)
		if got := m.at("relays", "1", "power"); got != `"ON"` {
			t.Errorf("the hub has %s", got)
		}
	})
}

// Sessions are counted, a renewed token is none.
func TestSessionsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		m := r.online(t, `{}`)
		renewed := connected()
		renewed.Renewal = true
		for _, ev := range []hub.Event{hub.Disconnected{Renewal: true}, renewed, hub.Disconnected{Err: errors.New("lost")}, connected(), whole(`{}`, 1, m)} {
			r.take(ev)
		}
		time.Sleep(10 * time.Second)
		r.reports(t, m)
		if got := m.at("counters"); got != `{"boots":1,"sessions":2}` {
			t.Errorf("counters %s", got)
		}
	})
}
