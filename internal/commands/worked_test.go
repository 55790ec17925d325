package commands_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestWorkedSequences walks through those of the language reference's appendix
// A whose commands there are: 1 to 8 and 12, with two relays and defaults.
func TestWorkedSequences(t *testing.T) {
	d := pair(t, false, true)
	equal(t, "1", d.run("/power toggle"), result(`{"POWER1":"ON"}`))
	equal(t, "2", d.run("/Power0 0"), result(`{"POWER1":"OFF"}`, `{"POWER2":"OFF"}`))
	equal(t, "3", d.run("/power2"), result(`{"POWER2":"OFF"}`))
	equal(t, "4", d.run("/power3 on"), result(`{"Command":"Error","Input":"POWER3 on"}`))
	equal(t, "5", d.run("/foo 1"), result(`{"Command":"Unknown","Input":"FOO 1"}`))

	equal(t, "6", d.run("/backlog power1 on;delay 20;power1 off"), result(`{"POWER1":"ON"}`))
	later, at := d.wait(5 * time.Second)
	equal(t, "6", later, result(`{"Delay":20}`, `{"POWER1":"OFF"}`))
	if want := []time.Duration{200 * time.Millisecond, 2200 * time.Millisecond}; !slices.Equal(at, want) {
		t.Errorf("6: after %v, want %v", at, want)
	}

	d.run("SetOption59 1")
	got := d.run("power1 on")
	if len(got) != 2 || !strings.HasPrefix(got[0], `STATE {"Time":"`) || got[1] != `RESULT {"POWER1":"ON"}` {
		t.Errorf("7: %q", got)
	}
	d.run("SetOption59 0")

	d.run("SetOption4 1")
	equal(t, "8", d.run("power1 on"), []string{`POWER1 {"POWER1":"ON"}`})

	if got := d.run("Status0"); len(got) != 1 || !strings.HasPrefix(got[0], `STATUS0 {"Status":{`) {
		t.Errorf("12: Status0 says %q", got)
	}
	var topics []string
	for _, line := range d.run("Status 0") {
		topic, _, _ := strings.Cut(line, " ")
		topics = append(topics, topic)
	}
	equal(t, "12", topics, []string{
		"STATUS", "STATUS1", "STATUS2", "STATUS3", "STATUS4", "STATUS5", "STATUS6", "STATUS7", "STATUS10", "STATUS11",
	})
}
