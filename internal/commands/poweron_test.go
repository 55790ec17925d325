package commands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/commands"
)

func TestPowerOnState(t *testing.T) {
	for _, tt := range []struct{ arg, want string }{
		{"", "3"},
		{"?", "3"},
		{"0", "0"},
		{"off", "0"},
		{"1", "1"},
		{"ON", "1"},
		{"true", "1"},
		{"2", "2"},
		{"toggle", "2"},
		{"3", "3"},
		{"blink", "3"},
		{"0x2", "2"},
		{"1foo", "1"},

		// not allowed: the value stays and is shown
		{"5", "3"},
		{"6", "3"},
		{"-1", "3"},
		{"up", "3"},
		{"all", "3"},
		{"foo", "3"},
	} {
		d := pair(t, true, false)
		equal(t, "PowerOnState "+tt.arg, d.run("poweronstate "+tt.arg), result(`{"PowerOnState":`+tt.want+`}`))
		equal(t, "then a query", d.run("POWERONSTATE"), result(`{"PowerOnState":`+tt.want+`}`))
		if status := d.run("status")[0]; !strings.Contains(status, `"PowerOnState":`+tt.want+`,`) {
			t.Errorf("after PowerOnState %s Status says %s", tt.arg, status)
		}
		if want := []bool{true, false}; !slices.Equal(d.relays.on, want) {
			t.Errorf("PowerOnState %s moved a relay: %v", tt.arg, d.relays.on)
		}
	}
	d := pair(t, false)
	equal(t, "silent", d.run("_PowerOnState 0"), nil)
	equal(t, "to its own topic", d.run("Backlog0 SetOption4 1;PowerOnState")[1:], []string{`POWERONSTATE {"PowerOnState":0}`})
}

// TestLockedOn: 4 switches every relay on at once, and no command off again.
func TestLockedOn(t *testing.T) {
	one, two := `{"POWER1":"ON"}`, `{"POWER2":"ON"}`
	for _, word := range []string{"4", "blinkoff"} {
		d := pair(t, false, true)
		equal(t, word, d.run("PowerOnState "+word), result(one, two, `{"PowerOnState":4}`))
	}
	d := pair(t, false, false)
	equal(t, "silent", d.run("_PowerOnState 4"), result(one, two))
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"power1 off", result(one)},
		{"power2 toggle", result(two)},
		{"power0 off", result(one, two)},
		{"power0 toggle", result(one, two)},
		{"power1", result(one)},
	} {
		equal(t, tt.line, d.run(tt.line), tt.want)
		if want := []bool{true, true}; !slices.Equal(d.relays.on, want) {
			t.Errorf("after %s relays %v, want %v", tt.line, d.relays.on, want)
		}
	}
	d.relays.on[0] = false // as after its pin had failed
	equal(t, "the other relay", d.run("power2 off"), result(two))
	if !d.relays.on[0] {
		t.Error("a command to one relay did not lock the other one on")
	}
	equal(t, "unlock", d.run("PowerOnState 3"), result(`{"PowerOnState":3}`))
	equal(t, "unlocked", d.run("power1 off"), result(`{"POWER1":"OFF"}`))
}

func TestLockedOnWithExtraState(t *testing.T) {
	d := pair(t, false, false)
	d.run("SetOption59 1")
	got := d.run("PowerOnState 4")
	for i, want := range []string{"STATE", "RESULT", "STATE", "RESULT", "RESULT"} {
		if len(got) != 5 || !strings.HasPrefix(got[i], want+" ") {
			t.Fatalf("replies %q, want STATE and POWER twice, then PowerOnState", got)
		}
	}
	if !strings.Contains(got[0], `"POWER1":"ON","POWER2":"ON"`) {
		t.Errorf("the first STATE says %s", got[0])
	}
}

// TestLockOnFails: the relays that can be are on, the reply is Error, and the
// setting stands for the next start.
func TestLockOnFails(t *testing.T) {
	d := newDevice(t, []bool{false, false, false})
	d.relays.broken = map[int]bool{1: true}
	got, err := d.try("PowerOnState 4")
	equal(t, "PowerOnState 4", got, result(`{"POWER1":"ON"}`, `{"POWER2":"OFF"}`, `{"POWER3":"ON"}`,
		`{"Command":"Error","Input":"POWERONSTATE 4"}`))
	if !errors.Is(err, errPin) {
		t.Errorf("error %v, want the pin's", err)
	}
	equal(t, "a query", d.run("PowerOnState"), result(`{"PowerOnState":4}`))
	if got, err = d.try("power1 off"); !errors.Is(err, errPin) {
		t.Errorf("power1 off while relay 2 cannot be locked on: %q, %v", got, err)
	}
}

func TestPowerOnStateSurvives(t *testing.T) {
	for n := range 5 {
		d := newDevice(t, []bool{false})
		d.run(fmt.Sprint("PowerOnState ", n))
		d = d.restart(300 * time.Second)
		equal(t, "after a restart", d.run("PowerOnState"), result(fmt.Sprintf(`{"PowerOnState":%d}`, n)))
	}
	for _, saved := range []string{`5`, `-1`, `null`, `"0"`, `0.5`, `{}`} {
		var s commands.Settings
		if err := json.Unmarshal([]byte(`{"PowerOnState":`+saved+`}`), &s); err != nil || s.PowerOnState() != 3 {
			t.Errorf("saved as %s it is read as %d, %v, want 3", saved, s.PowerOnState(), err)
		}
	}
}

// TestWanted holds the whole table of language reference 2.4: what a relay is
// driven to, for each PowerOnState, saved off and saved on.
func TestWanted(t *testing.T) {
	type wanted struct{ off, on bool }
	for _, tt := range []struct {
		state        int
		powerOn      wanted // SetOption0 1
		forgetful    wanted // SetOption0 0
		warm, warmly wanted // the same without a power-on
	}{
		{0, wanted{false, false}, wanted{false, false}, wanted{false, true}, wanted{false, false}},
		{1, wanted{true, true}, wanted{true, true}, wanted{false, true}, wanted{false, false}},
		{2, wanted{true, false}, wanted{false, false}, wanted{false, true}, wanted{false, false}},
		{3, wanted{false, true}, wanted{false, false}, wanted{false, true}, wanted{false, false}},
		{4, wanted{true, true}, wanted{true, true}, wanted{true, true}, wanted{true, true}},
	} {
		d := newDevice(t, []bool{false})
		d.run(fmt.Sprint("PowerOnState ", tt.state))
		for _, keep := range []string{"1", "0"} {
			d.run("SetOption0 " + keep)
			s := d.Settings()
			cold, warm := tt.powerOn, tt.warm
			if keep == "0" {
				cold, warm = tt.forgetful, tt.warmly
			}
			got := []wanted{{s.Wanted(false, true), s.Wanted(true, true)}, {s.Wanted(false, false), s.Wanted(true, false)}}
			if want := []wanted{cold, warm}; !slices.Equal(got, want) {
				t.Errorf("PowerOnState %d, SetOption0 %s: power-on and warm %v, want %v", tt.state, keep, got, want)
			}
		}
	}
	if s := (commands.Settings{}); !s.Wanted(true, true) || s.Wanted(false, true) {
		t.Error("a new device does not restore what was saved")
	}
}
