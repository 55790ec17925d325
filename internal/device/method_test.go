package device_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/device"
	"tasmota-azd/internal/hub"
)

func method(id, name, body string) hub.Method {
	return hub.Method{Name: name, Body: []byte(body), ID: id, Received: time.Now()}
}

// call has the device run a method and returns what it said.
func (r *rig) call(name, body string) []string {
	before := len(r.cloud.said())
	r.take(method("1", name, body))
	return r.cloud.said()[before:]
}

func TestMethodAnswersWithTheTruth(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"Power2", `"on"`, `200 {"POWER2":"ON"}`},
		{"power", `2`, `200 {"POWER1":"ON"}`},
		{"POWER2", `true`, `200 {"POWER2":"ON"}`},
		{"power", `null`, `200 {"POWER1":"OFF"}`},
		{"power", ``, `200 {"POWER1":"OFF"}`},
		{"power", ` "?" `, `200 {"POWER1":"OFF"}`},
		{"power", `{"payload":"on"}`, `200 {"POWER1":"ON"}`}, // the firmware's way
		{"power", `{"Payload":1}`, `200 {"POWER1":"ON"}`},
		{"cmnd/any/power2", `"on"`, `200 {"POWER2":"ON"}`},
		{"relay2*toggle", ``, `200 {"POWER2":"ON"}`},
		{"Relay1*power", `"on"`, `200 {"POWER1":"ON"}`},
		{"Power0", `1`, `200 {"POWER1":"ON","POWER2":"ON"}`},
		{"_TelePeriod", `60`, `200 {}`},
		{"TelePeriod", `60`, `200 {"TelePeriod":60}`},
		{"backlog", `"power1 on;power2 on"`, `200 {"POWER1":"ON","POWER2":"ON"}`},
		{"backlog", `"power1 on;power1 off"`, `200 [{"POWER1":"ON"},{"POWER1":"OFF"}]`},
		{"backlog", `""`, `200 {"Backlog":"Empty"}`},
		{"backlog", `"power1 on;delay 20;power1 off"`, `202 {"POWER1":"ON","Delay":20}`},
		{"backlog", `"delay 20;power1 on"`, `202 {"Delay":20}`},
		{"backlog0", `"foo;power1 on"`, `400 {"Command":"Unknown","Input":"FOO","POWER1":"ON"}`},
		{"foo", `"bar"`, `404 {"Command":"Unknown","Input":"FOO bar"}`},
		{"foo", `{"a":[1,2]}`, `404 {"Command":"Unknown","Input":"FOO {\"a\":[1,2]}"}`},
		{"foo", `1.50`, `404 {"Command":"Unknown","Input":"FOO 1.50"}`},
		{"", ``, `404 {"Command":"Unknown","Input":""}`},
		{"pump*toggle", ``, `404 {"Command":"Unknown","Input":"PUMP*TOGGLE"}`},
		{"relay*toggle", ``, `404 {"Command":"Unknown","Input":"RELAY*TOGGLE"}`},
		{"relay1*jump", ``, `404 {"Command":"Unknown","Input":"RELAY1*JUMP"}`},
		{"power3", `"on"`, `400 {"Command":"Error","Input":"POWER3 on"}`},
		{"relay9*toggle", ``, `400 {"Command":"Error","Input":"POWER9 toggle"}`},
		{"setoption34", `256`, `400 {"Command":"Error","Input":"SETOPTION34 256"}`},
		{"power", `on`, `400 {"Command":"Error","Input":"power","Reason":"the payload is not JSON"}`},
		{"power", `"on" 1`, `400 {"Command":"Error","Input":"power","Reason":"the payload is not JSON"}`},
		{"power", "\xff", `400 {"Command":"Error","Input":"power","Reason":"the payload is not JSON"}`},
	} {
		t.Run(tt.name+" "+tt.body, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, t.TempDir(), "%topic%/")
				defer r.end(t)
				r.take(method("1", tt.name, tt.body))
				time.Sleep(time.Second)
				if got := answers(r.cloud.said()); !slices.Equal(got, []string{"answer 1 " + tt.want}) {
					t.Errorf("answered %q\nwant %q", got, tt.want)
				}
			})
		})
	}
}

func answers(said []string) []string {
	return slices.DeleteFunc(said, func(s string) bool { return !strings.HasPrefix(s, "answer ") })
}

func TestMethodThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.bank.fail(errors.New("relay 1 on GPIO17: gone"))
		got := append(answers(r.call("power", `"on"`)), answers(r.call("Power0", `1`))...)
		time.Sleep(time.Second)
		got = append(got, answers(r.call("backlog0", `"power1 on;foo;power2"`))...)
		want := []string{
			`answer 1 503 {"Command":"Error","Input":"POWER on"}`,
			`answer 1 503 {"POWER1":"OFF","POWER2":"OFF","Command":"Error","Input":"POWER0 1"}`,
			`answer 1 503 [{"Command":"Error","Input":"POWER on"},{"Command":"Unknown","Input":"FOO"},{"POWER2":"OFF"}]`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("answered %q\nwant %q", got, want)
		}
	})
}

// The telemetry tells those who watch; the caller has its answer, which is given
// when the state is saved. The extra STATE of SetOption59 is no part of it.
func TestMethodIsPublishedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(connected())
		r.call("SetOption59", `1`)
		before := len(r.cloud.telemetry())
		said := r.call("power", `"on"`)
		if n := len(said); n != 3 || !strings.HasPrefix(said[0], "gw1/STATE ") ||
			!slices.Equal(said[1:], []string{`gw1/RESULT {"POWER1":"ON"}`, `answer 1 200 {"POWER1":"ON"}`}) {
			t.Errorf("device said %q", said)
		}
		for i, m := range r.cloud.telemetry()[before:] {
			if m.CorrelationID != "" {
				t.Errorf("%s correlates with %q", m.Topic, m.CorrelationID)
			}
			if want := []string{"", "relay1"}[i]; m.Component != want {
				t.Errorf("%s is of component %q, want %q", m.Topic, m.Component, want)
			}
		}
		if !peek(t, r.dir).Relays["GPIO17"] {
			t.Error("answered before the state was saved")
		}
		moves := r.bank.moves()
		if len(moves) != 1 || !strings.HasPrefix(moves[0], "1 true by method 1-") || len(moves[0]) != len("1 true by method 1-12345678") {
			t.Errorf("moves %q", moves)
		}
	})
}

// A backlog that goes on for longer than a caller waits is answered with what came
// of it so far.
func TestLongBacklogIsAnsweredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		var text []string
		for range 100 {
			text = append(text, "power1 toggle")
		}
		start := time.Now()
		r.take(method("1", "backlog", fmt.Sprintf("%q", strings.Join(text, ";"))))
		for len(answers(r.cloud.said())) == 0 {
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
		}
		if took := time.Since(start); took < 4*time.Second || took >= 4100*time.Millisecond {
			t.Errorf("answered after %v", took)
		}
		if got := answers(r.cloud.said())[0]; !strings.HasPrefix(got, `answer 1 202 [{"POWER1":"ON"},`) {
			t.Errorf("answered %q", got)
		}
		time.Sleep(time.Minute)
		if n := len(r.bank.moves()); n != 100 {
			t.Errorf("%d moves, the backlog should have gone on", n)
		}
	})
}

// An offline command of IoT Central is a message, and its answer telemetry.
func TestOfflineCommand(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"relay2*toggle", ``, `gw1/RESULT {"POWER2":"ON"}`},
		{"relay1*power", `"on"`, `gw1/RESULT {"POWER1":"ON"}`},
		{"Power0", `1`, `gw1/RESULT {"POWER1":"ON"}`},
		{"power", `on`, `gw1/RESULT {"POWER1":"ON"}`},
		{"foo", `null`, `gw1/RESULT {"Command":"Unknown","Input":"FOO"}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, t.TempDir(), "%topic%/")
			defer r.end(t)
			r.take(connected())
			before := len(r.cloud.said())
			m := hub.Message{ID: "m1", Body: []byte(tt.body), Properties: []hub.Property{{Name: "method-name", Value: tt.name}}}
			r.take(m)
			got := r.cloud.said()[before:]
			if got[0] != tt.want || got[len(got)-1] != "ack m1" {
				t.Errorf("%s %s: device said %q, want %q", tt.name, tt.body, got, tt.want)
			}
			// Where there are both, Topic counts.
			both := command("m3", "/power", "off")
			both.Properties = append(both.Properties, hub.Property{Name: "method-name", Value: "power2"})
			before = len(r.cloud.said())
			r.take(both)
			if got := r.cloud.said()[before]; got != `gw1/RESULT {"POWER1":"OFF"}` {
				t.Errorf("Topic lost to method-name: %q", got)
			}
		})
	}
}

// What another door has in the backlog is no affair of a method's.
func TestMethodIsNotBlamedForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(command("m1", "backlog", "power1;foo;power3 on;power1 on"))
		r.take(method("1", "backlog", `"power2 on;power2"`))
		time.Sleep(2 * time.Second)
		want := []string{`answer 1 200 [{"POWER2":"ON"},{"POWER2":"ON"}]`}
		if got := answers(r.cloud.said()); !slices.Equal(got, want) {
			t.Errorf("answered %q, want %q", got, want)
		}
	})
}

// A caller that has given up must not see a gate open a minute later.
func TestStaleMethodIsNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		m := method("1", "power", `"on"`)
		time.Sleep(26 * time.Second)
		r.take(m)
		want := []string{`answer 1 503 {"Command":"Error","Input":"power","Reason":"it waited so long that its caller has given up"}`}
		if got := r.cloud.said(); !slices.Equal(got, want) {
			t.Errorf("device said %q", got)
		}
	})
}

// A backlog that the end of the daemon interrupts goes on after the next start.
func TestMethodAtTheEnd(t *testing.T) {
	for text, want := range map[string]string{
		"power1 on;power2 on":           `answer 1 200 {"POWER1":"ON","POWER2":"ON"}`,
		"power1 on;delay 100;power2 on": `answer 1 202 {"POWER1":"ON","Delay":100}`,
		// More than what a stop waits for: it is answered all the same.
		"power1 on" + strings.Repeat(";power1 on", 30): "answer 1 202 [" + strings.Repeat(`{"POWER1":"ON"},`, 15) + `{"POWER1":"ON"}]`,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, t.TempDir(), "%topic%/")
			r.events <- method("1", "backlog", fmt.Sprintf("%q", text))
			r.end(t)
			if got := answers(r.cloud.said()); !slices.Equal(got, []string{want}) {
				t.Errorf("answered %q, want %q", got, want)
			}
		})
	}
}

func FuzzArgument(f *testing.F) {
	for _, seed := range []string{`"on"`, `null`, ``, `1`, `{"payload":{"a":"\ud800"}}`, `[`, ` true `, `{"a":1,"a":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		arg, err := device.Argument(payload)
		if err != nil && arg != "" {
			t.Errorf("%q is refused and gives %q", payload, arg)
		}
		if len(arg) > 3*len(payload) { // a byte that is no text becomes three
			t.Errorf("%q gives %q", payload, arg)
		}
	})
}
