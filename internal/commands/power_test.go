package commands_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
)

func repeat(s string, n int) string { return strings.Repeat(s, n) }

func TestPower(t *testing.T) {
	on, off := `{"POWER1":"ON"}`, `{"POWER1":"OFF"}`
	for _, tt := range []struct {
		line string
		want []string
		on   []bool
		err  error
	}{
		{line: "power on", want: result(on), on: []bool{true, true}},
		{line: "power1 ON", want: result(on), on: []bool{true, true}},
		{line: "Power True", want: result(on), on: []bool{true, true}},
		{line: "POWER 1foo", want: result(on), on: []bool{true, true}},
		{line: "power 0x1", want: result(on), on: []bool{true, true}},
		{line: "power 02", want: result(on), on: []bool{true, true}},
		{line: "power toggle", want: result(on), on: []bool{true, true}},
		{line: "power2 2", want: result(`{"POWER2":"OFF"}`), on: []bool{false, false}},
		{line: "power2 admin", want: result(`{"POWER2":"OFF"}`), on: []bool{false, false}},
		{line: "power2 off", want: result(`{"POWER2":"OFF"}`), on: []bool{false, false}},
		{line: "power2 close", want: result(`{"POWER2":"OFF"}`), on: []bool{false, false}},
		{line: "power2 on", want: result(`{"POWER2":"ON"}`), on: []bool{false, true}},
		{line: "_power on", want: result(on), on: []bool{true, true}}, // the state is no answer

		// all else is a query, blinking too
		{line: "power", want: result(off), on: []bool{false, true}},
		{line: "power2 ?", want: result(`{"POWER2":"ON"}`), on: []bool{false, true}},
		{line: "power 3", want: result(off), on: []bool{false, true}},
		{line: "power2 blink", want: result(`{"POWER2":"ON"}`), on: []bool{false, true}},
		{line: "power2 blinkoff", want: result(`{"POWER2":"ON"}`), on: []bool{false, true}},
		{line: "power 5", want: result(off), on: []bool{false, true}},
		{line: "power -1", want: result(off), on: []bool{false, true}},
		{line: "power up", want: result(off), on: []bool{false, true}},
		{line: "power toggle ", want: result(off), on: []bool{false, true}},
		{line: "power hold", want: result(off), on: []bool{false, true}},

		{line: "power0 on", want: result(on, `{"POWER2":"ON"}`), on: []bool{true, true}},
		{line: "power0 off", want: result(off, `{"POWER2":"OFF"}`), on: []bool{false, false}},
		{line: "power0 toggle", want: result(on, `{"POWER2":"OFF"}`), on: []bool{true, false}},
		{line: "power0", want: result(off, `{"POWER2":"ON"}`), on: []bool{false, true}},
		{line: "power0 3", want: result(off, `{"POWER2":"ON"}`), on: []bool{false, true}},

		{line: "power3 on", want: result(`{"Command":"Error","Input":"POWER3 on"}`), on: []bool{false, true}, err: commands.ErrRejected},
		{line: "power300 1", want: result(`{"Command":"Error","Input":"POWER300 1"}`), on: []bool{false, true}, err: commands.ErrRejected},
		{line: "powe on", want: result(`{"Command":"Unknown","Input":"POWE on"}`), on: []bool{false, true}, err: commands.ErrUnknown},
	} {
		d := pair(t, false, true)
		got, err := d.try(tt.line)
		equal(t, tt.line, got, tt.want)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: error %v, want %v", tt.line, err, tt.err)
		}
		if !slices.Equal(d.relays.on, tt.on) {
			t.Errorf("%s: relays %v, want %v", tt.line, d.relays.on, tt.on)
		}
	}
}

func TestPowerDrivesAgain(t *testing.T) {
	d := pair(t, true, true)
	d.run("power on")
	if len(d.relays.causes) != 1 {
		t.Errorf("driven %d times, want once though it was on", len(d.relays.causes))
	}
}

func TestPowerNames(t *testing.T) {
	for _, tt := range []struct{ setup, line, want string }{
		{"", "power on", `RESULT {"POWER":"ON"}`},
		{"", "power1 on", `RESULT {"POWER":"ON"}`},
		{"SetOption26 1", "power on", `RESULT {"POWER1":"ON"}`},
		{"SetOption4 1", "power on", `POWER {"POWER":"ON"}`},
		{"Backlog0 SetOption26 1;SetOption4 1", "power on", `POWER1 {"POWER1":"ON"}`},
		{"SetOption4 1", "power2 on", `POWER {"Command":"Error","Input":"POWER2 on"}`},
		{"SetOption4 1", "foo", `COMMAND {"Command":"Unknown","Input":"FOO"}`},
	} {
		d := newDevice(t, []bool{false})
		d.run(tt.setup)
		equal(t, tt.setup+", "+tt.line, d.run(tt.line), []string{tt.want})
	}
}

func TestPowerWithoutRelays(t *testing.T) {
	d := newDevice(t, nil)
	for _, line := range []string{"power on", "power0 on"} {
		if _, err := d.try(line); !errors.Is(err, commands.ErrRejected) {
			t.Errorf("%s: error %v, want %v", line, err, commands.ErrRejected)
		}
	}
}

// TestPinFails: the reply is the Error reply, and what is told of the relays is
// what they do.
func TestPinFails(t *testing.T) {
	d := newDevice(t, []bool{false, false, true})
	d.relays.broken = map[int]bool{1: true}

	got, err := d.try("power2 on")
	equal(t, "one relay", got, result(`{"Command":"Error","Input":"POWER2 on"}`))
	if !errors.Is(err, errPin) {
		t.Errorf("error %v, want the pin's", err)
	}

	got, err = d.try("power0 toggle")
	equal(t, "all relays", got, result(`{"POWER1":"ON"}`, `{"POWER2":"OFF"}`, `{"POWER3":"OFF"}`,
		`{"Command":"Error","Input":"POWER0 toggle"}`))
	if !errors.Is(err, errPin) {
		t.Errorf("error %v, want the pin's", err)
	}
	if want := []bool{true, false, false}; !slices.Equal(d.relays.on, want) {
		t.Errorf("relays %v, want %v", d.relays.on, want)
	}
}

// TestStatusTellsFaults: Status shows a pin that fails, as long as it does.
func TestStatusTellsFaults(t *testing.T) {
	d := newDevice(t, []bool{false, false})
	healthy := d.run("status")[0]
	d.relays.broken = map[int]bool{1: true}
	want := strings.TrimSuffix(healthy, "}}") + `,"PowerError":["GPIO27: input/output error"]}}`
	equal(t, "status", d.run("status"), []string{want})
	d.relays.broken = nil
	equal(t, "mended", d.run("status"), []string{healthy})
}

func TestCauseTravels(t *testing.T) {
	d := pair(t, false, false)
	why := cause.Cause{Door: cause.C2D, ID: "7f0e9d1c-0001", Seq: 4}
	c := commands.Parse("backlog0", "SetOption59 1;power0 on;foo;status 1;TelePeriod")
	c.Cause = why
	replies, _ := d.Run(d.now, c)
	d.now = d.now.Add(1e9)
	more, _ := d.Tick(d.now)
	if replies = append(replies, more...); len(replies) != 8 {
		t.Fatalf("%d replies, want 8: %s", len(replies), lines(replies))
	}
	for _, r := range replies {
		if r.Cause != why {
			t.Errorf("cause of %s %s is %v", r.Topic, r.Body, r.Cause)
		}
	}
	d.now = d.now.Add(time.Hour)
	if later, _ := d.Tick(d.now); len(later) != 1 || later[0].Cause != (cause.Cause{}) {
		t.Errorf("an hour later %v, want one STATE without a cause", later)
	}
	if want := []cause.Cause{why, why}; !slices.Equal(d.relays.causes, want) {
		t.Errorf("the relays heard of %v, want %v", d.relays.causes, want)
	}
}
