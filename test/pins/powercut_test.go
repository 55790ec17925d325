package pins_test

import (
	"fmt"
	"path/filepath"
	"strings"
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
		r := cut(t, ms)
		c := pins.Count(pins.Moves(pins.Section(r.Trace, "boot")))
		if c.Commanded != 4 || c.Seen != 4 || c.Unexpected != 0 || c.Missing() != 0 {
			t.Errorf("%d ms: %+v: %+v", ms, c, r.Trace)
		}
		row.Commanded, row.Seen = row.Commanded+c.Commanded, row.Seen+c.Seen
		saved := strings.Contains(r.Stdout, "new")
		if saved {
			fresh++
		}
		if ms > 2000 && !saved {
			t.Errorf("%d ms after the edge the new state is not on the disk", ms)
		}
	}
	row.Note = fmt.Sprintf("%d boots; the new state %d times, else the one before", len(delays), fresh)
	pins.Record(t, row)
}

// cut boots twice.
func cut(t *testing.T, ms int) uml.Result {
	t.Helper()
	const words = "relays='GPIO17=1 GPIO27=1 GPIO22=0 GPIO23=0'\n"
	o := uml.Options{Disk: filepath.Join(t.TempDir(), "disk")}
	o.Cmd = words + fmt.Sprintf(`saved "off on off on"; sync; start; send power0 on & gpio wait GPIO17 1 60 || exit 1; sleep %.3f; /run/busybox halt -f -n`, float64(ms)/1000)
	uml.Need(t, true) // the disk
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	if r := pins.Run(t, p, pins.Scenario{Cloud: true, Config: four, Options: o}); r.Exit != 125 {
		t.Fatalf("the power was not cut: exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
	}
	o.Cmd = words + `set -e; want -=boot
		case $(grep -o '": *true' $state/state | wc -l) in 4) echo new; wanted on on on on ;; 2) wanted off on off on ;; esac
		up; want -=end
		! grep 'set aside\|missing' $log`
	return run(t, pins.Scenario{Config: four, Options: o})
}
