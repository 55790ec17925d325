package pins_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// A board is what the lines look like, and which of them the scenarios use.
type board struct {
	name  string
	o     uml.Options
	pi    *pi       // instead of o
	lines [5]string // A to E
}

var (
	header = [5]string{"GPIO17", "GPIO27", "GPIO22", "GPIO23", "GPIO24"}
	pi4    = board{name: "Pi 4", lines: header}
	pi5    = board{name: "Pi 5", o: uml.Options{Board: "pi5"}, lines: header}
	pi5old = board{name: "Pi 5 (gpiochip4)", o: uml.Options{Board: "pi5-2023"}, lines: header}
	noPi   = board{name: "no Pi", lines: [5]string{"P9_11", "P9_12", "P9_13", "P9_14", "P9_15"}, o: uml.Options{
		Board: "none", Chips: []string{"label=gpio-0-31,lines=32", "label=gpio-32-63,lines=32,names=-:-:P9_11..P9_20"},
	}}
)

// A place is where the scenarios are played.
type place struct {
	board
	driver  string // as gpio.driver says it
	systemd bool
	keeps   bool
	long    bool // for the scenarios that take long
}

func (p place) String() string {
	return fmt.Sprintf("%s %s systemd=%t keeps=%t long=%t", p.name, p.driver, p.systemd, p.keeps, p.long)
}

// places lists them. The kernel of Raspberry Pi OS keeps an output that is let go, most
// others do not. The short form has what differs most.
func places() []place {
	if !pins.Full() {
		return []place{{pi4, "gpiochip", false, true, false}, {pi4, "gpiochip", true, false, false}}
	}
	return []place{
		{pi4, "gpiochip", false, true, true}, {pi4, "gpiochip", true, false, true},
		{pi4, "gpiochip", false, true, false}, {pi4, "gpiochip", false, false, false},
		{pi4, "gpiochip", true, true, false}, {pi4, "gpiochip", true, false, false},
		{pi5, "gpiochip", false, true, false}, {pi5, "gpiochip", true, false, false}, {pi5old, "gpiochip", false, true, false},
		{noPi, "gpiochip", false, false, false}, {noPi, "gpiochip", true, false, false},
		{pi4, "periph", false, true, false}, {pi4, "periph", true, false, false}, {noPi, "periph", false, false, false},
		{pi3, "gpiochip", false, true, false}, {pi3lets, "gpiochip", false, false, false}, {piZero, "gpiochip", false, false, false},
		{pi3, "periph", false, true, false}, {piZero2, "periph", false, true, false},
	}
}

// No relay moves without a cause, whatever happens, on any board. What the kernel does
// to a line that nobody holds is counted apart.
func TestScenarios(t *testing.T) {
	if !pins.Full() {
		t.Run("elsewhere", func(t *testing.T) {
			t.Skip("SKIPPED, the short form plays on a Pi 4 only; make pins plays on other boards, kernels and drivers, and on emulated Pis")
		})
	}
	for _, p := range places() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			for _, r := range p.play(t) {
				pins.Record(t, r)
			}
		})
	}
}

// play plays all scenarios that make sense in a place, one after the other, in one
// boot of it, and counts edges.
func (p place) play(t *testing.T) []pins.Row {
	list := p.scenarios(t)
	if len(list) == 0 {
		t.Skip("no scenario is asked for that is played here")
	}
	o := p.o
	o.Systemd, o.NoPersist, o.Timeout = p.systemd, !p.keeps, 10*time.Minute
	if pins.Full() {
		o.Timeout = time.Hour
	}
	o.Files = map[string]string{}
	l := p.lines
	var cmd strings.Builder
	fmt.Fprintf(&cmd, "relays='%s=1 %s=1 %s=0 %s=0' A=%[1]s B=%[2]s C=%[3]s D=%[4]s E=%s\n", l[0], l[1], l[2], l[3], l[4])
	for i, s := range list {
		o.Files[fmt.Sprintf("/usr/local/lib/%d.yaml", i)] = p.config(s)
		fmt.Fprintf(&cmd, "scene %d\n(set -e\n%s\n) >&2; echo %[1]d $?; want -=end\n", i, s.steps)
	}
	o.Cmd = cmd.String()
	r := p.boot(t, pins.Scenario{Options: o, Cloud: true})
	var rows []pins.Row
	for i, s := range list {
		t.Run(s.name, func(t *testing.T) {
			if !slices.Contains(strings.Split(r.Stdout, "\n"), fmt.Sprintf("%d 0", i)) {
				t.Errorf("steps of scene %d failed", i)
			}
			rows = append(rows, p.judge(t, s, pins.Section(r.Trace, strconv.Itoa(i))))
		})
	}
	return rows
}

// scenarios lists those that make sense in a place. The short form says which of them
// it leaves out.
func (p place) scenarios(t *testing.T) (list []scenario) {
	var others []string
	for _, s := range scenarios {
		switch {
		case !pins.Wanted(s.name), s.systemd && !p.systemd, s.bare && p.systemd, s.long != p.long:
		case pins.Full(), s.short.in(p.systemd):
			list = append(list, s)
		default:
			others = append(others, s.name)
		}
	}
	if len(others) > 0 {
		t.Run("others", func(t *testing.T) {
			t.Skipf("SKIPPED, the short form plays %d scenarios here; make pins plays these too: %s", len(list), strings.Join(others, "; "))
		})
	}
	return list
}

// config is the file of a scenario.
func (p place) config(s scenario) string {
	head := pins.Alone
	if s.cloud {
		head = pins.WithCloud
	}
	l := p.lines
	return pins.Config(head, fmt.Sprintf(`gpio: {driver: %s, %s}
relays:
  - {name: A, pin: %s}
  - {name: B, pin: %s}
  - {name: C, pin: %s, active_low: true}
  - {name: D, pin: %s, active_low: true}
`, p.driver, s.gpio, l[0], l[1], l[2], l[3]))
}

// judge makes a row of what happened. Nothing is asked of periph's driver.
func (p place) judge(t *testing.T, s scenario, events []uml.Event) pins.Row {
	t.Helper()
	row := pins.Row{Scenario: s.name, Driver: p.driver, Board: p.name, Systemd: p.systemd, Keeps: p.keeps, Counts: pins.Count(pins.Moves(events))}
	if p.driver == "periph" {
		row.Driver = "periph " + p.periph()
		return row
	}
	if row.Unexpected != 0 || row.Missing() != 0 || row.Commanded == 0 {
		t.Errorf("%+v, missing %d: %+v", row.Counts, row.Missing(), events)
	}
	switch {
	case row.Kernel != 0 && s.release != "":
		row.Note = s.release
	case row.Kernel != 0 && p.systemd:
		row.Note = s.letGo
	case row.Kernel != 0:
		row.Note = "nobody holds the lines in between"
	}
	if may := !p.keeps && (!p.systemd || s.letGo != "" || s.release != ""); row.Kernel != 0 && !may {
		t.Errorf("%d edges by the kernel: %+v", row.Kernel, events)
	}
	return row
}
