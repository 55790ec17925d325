package pins_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// The power goes while the daemon saves what a command did, and the machine boots
// again from the same disk. The relays come up in the old state or in the new one,
// all of them, at once.
func TestPowerCut(t *testing.T) {
	delays := []int{5} // ms after the edge
	if pins.Full() {
		delays = []int{0, 20, 500, 3000}
	}
	row := pins.Row{Scenario: fmt.Sprintf("power cut after an edge (%v ms), boot", delays), Driver: "gpiochip", Board: "Pi 4", Keeps: true}
	fresh := 0
	for _, ms := range delays {
		events := pins.Section(cut(t, ms).Trace, "boot")
		c, isNew := outcome(events, "1", "0", "0", "1"), false
		if c != clean {
			c, isNew = outcome(events, "1", "1", "0", "0"), true
		}
		if c != clean {
			t.Errorf("%d ms: %+v: %+v", ms, c, events)
		}
		if ms > 2000 && !isNew {
			t.Errorf("%d ms after the edge the new state is not on the disk", ms)
		}
		row.Commanded, row.Seen = row.Commanded+c.Commanded, row.Seen+c.Seen
		if isNew {
			fresh++
		}
	}
	row.Note = fmt.Sprintf("%d boots; the new state %d times, else the one before", len(delays), fresh)
	pins.Record(t, row)
}

// clean is a start that drives each line once, to where it is wanted.
var clean = pins.Counts{Commanded: 4, Seen: 4}

// outcome counts edges if the lines were to have these levels from the start.
func outcome(events []uml.Event, levels ...string) pins.Counts {
	var wants []pins.Move
	for i, to := range levels {
		wants = append(wants, pins.Move{Line: header[i], To: to, Want: true})
	}
	moves, end := pins.Moves(events)
	return pins.Count(append(wants, moves...), end)
}

// cut boots twice.
func cut(t *testing.T, ms int) uml.Result {
	t.Helper()
	o := uml.Options{Disk: filepath.Join(t.TempDir(), "disk")}
	o.Cmd = fmt.Sprintf(`relays='GPIO17=1 GPIO27=1 GPIO22=0 GPIO23=0'
		saved "on off on off"; sync; start; send power0 on & gpio wait GPIO27 1 60 || exit 1; sleep %.3f; /run/busybox halt -f -n`, float64(ms)/1000)
	uml.Need(t, true) // the disk
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	if r := pins.Run(t, p, pins.Scenario{Cloud: true, Config: four, Options: o}); r.Exit != 125 {
		t.Fatalf("the power was not cut: exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
	}
	o.Cmd = `want -=boot; up && want -=end && ! grep 'set aside\|missing' $log`
	return run(t, pins.Scenario{Config: four, Options: o})
}
