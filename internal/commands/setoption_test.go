package commands_test

import (
	"errors"
	"strings"
	"testing"

	"tasmota-azd/internal/commands"
)

func TestSetOption(t *testing.T) {
	failed := func(input string) string { return `{"Command":"Error","Input":"` + input + `"}` }
	for _, tt := range []struct{ line, want, then string }{ // then: what a query says afterwards
		{"SetOption0", `{"SetOption0":"ON"}`, `{"SetOption0":"ON"}`},
		{"SetOption0 0", `{"SetOption0":"OFF"}`, `{"SetOption0":"OFF"}`},
		{"SetOption26 on", `{"SetOption26":"ON"}`, `{"SetOption26":"ON"}`},
		{"so26 1", `{"SetOption26":"ON"}`, `{"SetOption26":"ON"}`},
		{"SetOption59 TRUE", `{"SetOption59":"ON"}`, `{"SetOption59":"ON"}`},
		{"SetOption59 2", failed("SETOPTION59 2"), `{"SetOption59":"OFF"}`},
		{"SetOption59 toggle", failed("SETOPTION59 toggle"), `{"SetOption59":"OFF"}`},
		{"SO59 up", failed("SO59 up"), `{"SetOption59":"OFF"}`},
		{"SetOption59 -1", `{"SetOption59":"OFF"}`, `{"SetOption59":"OFF"}`},
		{"SetOption59 foo", `{"SetOption59":"OFF"}`, `{"SetOption59":"OFF"}`},
		{"SetOption34", `{"SetOption34":200}`, `{"SetOption34":200}`},
		{"SetOption34 0", `{"SetOption34":0}`, `{"SetOption34":0}`},
		{"SetOption34 255", `{"SetOption34":255}`, `{"SetOption34":255}`},
		{"SetOption34 256", failed("SETOPTION34 256"), `{"SetOption34":200}`},
		{"SetOption34 -5", `{"SetOption34":200}`, `{"SetOption34":200}`},

		// without effect here: answered with what is in force, whatever is asked for
		{"SetOption73 1", `{"SetOption73":"OFF"}`, `{"SetOption73":"OFF"}`},
		{"SetOption73 2", failed("SETOPTION73 2"), `{"SetOption73":"OFF"}`},
		{"SetOption3 0", `{"SetOption3":"ON"}`, `{"SetOption3":"ON"}`},
		{"SetOption1 0", `{"SetOption1":"ON"}`, `{"SetOption1":"ON"}`},
		{"SetOption 0", `{"SetOption1":"ON"}`, ``},
		{"SetOption90 0", `{"SetOption90":"ON"}`, `{"SetOption90":"ON"}`},
		{"SetOption103", `{"SetOption103":"ON"}`, ``},
		{"SetOption104", `{"SetOption104":"ON"}`, ``},
		{"SetOption177 1", `{"SetOption177":"OFF"}`, `{"SetOption177":"OFF"}`},
		{"SetOption32 20", `{"SetOption32":40}`, `{"SetOption32":40}`},
		{"SetOption32 0", failed("SETOPTION32 0"), ``},
		{"SetOption32 251", failed("SETOPTION32 251"), ``},
		{"SetOption47 251", `{"SetOption47":0}`, ``},
		{"SetOption178", failed("SETOPTION178"), ``},
		{"SetOption178 1", failed("SETOPTION178 1"), ``},
		{"SetOption300 1", failed("SETOPTION300 1"), ``},
	} {
		d := pair(t, false, false)
		before := d.Settings()
		got, err := d.try(tt.line)
		equal(t, tt.line, got, result(tt.want))
		if bad := strings.Contains(tt.want, "Error"); bad != errors.Is(err, commands.ErrRejected) {
			t.Errorf("%s: error %v", tt.line, err)
		}
		word, _, _ := strings.Cut(tt.line, " ")
		if tt.then != "" {
			equal(t, tt.line+", then a query", d.run(word), result(tt.then))
		}
		if changed := d.Settings() != before; !changed && strings.Contains(tt.line, "26") {
			t.Errorf("%s left the settings as they were", tt.line)
		} else if changed && strings.Contains(tt.line, "73") {
			t.Errorf("%s changed the settings", tt.line)
		}
	}
}

func TestSetOptionAnswersWhereItIsAsked(t *testing.T) {
	d := pair(t, false, false)
	equal(t, "to own topics", d.run("so4 1"), []string{`SO {"SetOption4":"ON"}`})
	equal(t, "rejected", d.run("SetOption4 2"), []string{`SETOPTION {"Command":"Error","Input":"SETOPTION4 2"}`})
	equal(t, "and back", d.run("SetOption4 0"), []string{`RESULT {"SetOption4":"OFF"}`})
	equal(t, "silent", d.run("_SetOption26 1"), nil)
	equal(t, "which took effect", d.run("SetOption26"), result(`{"SetOption26":"ON"}`))
}

func TestSetOptionList(t *testing.T) {
	d := pair(t, false, false)
	d.run("SetOption59 1")
	golden(t, "setoption.txt", d.run("SetOption"))
}

// TestSaveState: SetOption0 is for whoever restores relays.
func TestSaveState(t *testing.T) {
	d := pair(t, false, false)
	if !d.Settings().SaveState() {
		t.Error("a new device does not restore its relays")
	}
	d.run("SetOption0 0")
	if d.Settings().SaveState() {
		t.Error("SetOption0 0 has no effect")
	}
}
