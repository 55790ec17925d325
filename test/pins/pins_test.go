package pins_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// programs and builtHold build them once for all tests.
var (
	programs  func() (pins.Programs, error)
	builtHold func() (string, error)
	buildDir  string // for more programs
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pins")
	if err != nil {
		panic(err)
	}
	programs = sync.OnceValues(func() (pins.Programs, error) { return pins.Build(dir) })
	builtHold = sync.OnceValues(func() (string, error) { return uml.Build(dir, "tasmota-azd/test/pins/hold") })
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// hold is the program that works lines by hand.
func hold(t *testing.T) string {
	t.Helper()
	uml.Need(t, false)
	bin, err := builtHold()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// run runs a scenario whose steps must succeed.
func run(t *testing.T, s pins.Scenario) uml.Result {
	t.Helper()
	uml.Need(t, s.Systemd)
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	r := pins.Run(t, p, s)
	if r.Exit != 0 || t.Failed() {
		t.Errorf("exit %d\n%s", r.Exit, r.Stdout)
	}
	t.Log("log:\n" + r.Stderr)
	return r
}

// wires compares what lines went through.
func wires(t *testing.T, r uml.Result, want map[string]string) {
	t.Helper()
	for line, w := range want {
		if got := pins.Wire(r, line); got != w {
			t.Errorf("%s: %s, want %s", line, got, w)
		}
	}
}

// four relays: both polarities, all ways to write a pin.
const four = `gpio: {on_stop: hold}
relays:
  - {name: A, pin: GPIO17}
  - {name: B, pin: P1_13}
  - {name: C, pin: "22", active_low: true}
  - {name: D, pin: "gpiochip0:23", active_low: true}
`

// Pins are found in whatever way they are written, and the log says what drives them.
func TestNames(t *testing.T) {
	const on, off = "set 1 out", "set 0 out"
	r := run(t, pins.Scenario{Config: four, Options: uml.Options{Cmd: `
		state '{"GPIO17":true,"GPIO27":false,"GPIO22":true,"GPIO23":false}'
		start && stop USR2`}})
	wires(t, r, map[string]string{"GPIO17": on, "GPIO27": off, "GPIO22": off, "GPIO23": on})
	if !strings.Contains(r.Stderr, `driver=gpiochip on="gpiochip0 (pinctrl-bcm2711)" kernel=`) {
		t.Error("the log does not say what drives the pins")
	}
}

// All that is wrong is told at once, and nothing is driven.
func TestMistakesDriveNothing(t *testing.T) {
	r := run(t, pins.Scenario{Config: `relays:
  - {name: A, pin: GPIO17}
  - {name: B, pin: GPIO71}
  - {name: C, pin: GPIO22}
  - {name: D, pin: "gpiochip9:3"}
`, Options: uml.Options{Cmd: `
		! start && { wait $pid; [ $? = 78 ]; }`}})
	for _, want := range []string{`relays[1].pin: "GPIO71": there is no line`, `relays[3].pin: "gpiochip9:3": there is no line`} {
		if !strings.Contains(r.Stderr, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if len(r.Trace) != 0 {
		t.Errorf("driven: %v", r.Trace)
	}
}

// A relay on a chip that is unplugged: the command fails, the others work on, and
// the relay has its state again when the chip is back.
func TestChipGoneAndBack(t *testing.T) {
	r := run(t, pins.Scenario{Cloud: true, Config: "relays:\n  - {name: A, pin: GPIO17}\n  - {name: B, pin: WL_ON}\n", Options: uml.Options{Cmd: `
		live=/sys/kernel/config/gpio-sim/chip1/live
		start && send power0 on && gpio wait GPIO17 1 && gpio wait WL_ON 1 || exit 1
		echo 0 >$live
		send power2 on; until grep -q "lost its line" $log; do sleep 0.05; done
		send power1 off && gpio wait GPIO17 0 || exit 2
		echo 1 >$live
		until grep -q "has its line back" $log; do sleep 0.05; done
		send power2 off; until grep -q "name=B pin=WL_ON on=false cause=.c2d" $log; do sleep 0.05; done
		stop USR2`}})
	wires(t, r, map[string]string{
		"GPIO17": "set 0 out set 1 set 0",
		"WL_ON":  "set 0 out set 1",
		"439":    "set 1 out set 0", // as the kernel numbers it when it is back
	})
}
