package pins_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// programs builds them once for all tests.
var programs func() (pins.Programs, error)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pins")
	if err != nil {
		panic(err)
	}
	programs = sync.OnceValues(func() (pins.Programs, error) { return pins.Build(dir) })
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
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

// four relays: both polarities, to be on and off.
const four = `gpio: {on_stop: hold}
relays:
  - {name: A, pin: GPIO17}
  - {name: B, pin: P1_13}
  - {name: C, pin: "22", active_low: true}
  - {name: D, pin: "gpiochip0:23", active_low: true}
`

const saved = `{"GPIO17":true,"GPIO27":false,"GPIO22":true,"GPIO23":false}`

func TestColdStart(t *testing.T) {
	const on, off = "set 1 out", "set 0 out"
	for name, tt := range map[string]struct {
		settings string
		boot     string // of the saved state
		want     [4]string
	}{
		"first level is the saved one": {"{}", "another", [4]string{on, off, off, on}},
		"warm start":                   {`{"PowerOnState":1}`, "$boot", [4]string{on, off, off, on}},
		"PowerOnState 0":               {`{"PowerOnState":0}`, "another", [4]string{off, off, on, on}},
		"PowerOnState 1":               {`{"PowerOnState":1}`, "another", [4]string{on, on, off, off}},
		"PowerOnState 2":               {`{"PowerOnState":2}`, "another", [4]string{off, on, on, off}},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, pins.Scenario{Config: four, Options: uml.Options{
				Cmd: "state '" + saved + "' '" + tt.settings + "' " + tt.boot + "\nstart && stop USR2",
			}})
			wires(t, r, map[string]string{"GPIO17": tt.want[0], "GPIO27": tt.want[1], "GPIO22": tt.want[2], "GPIO23": tt.want[3]})
			if !strings.Contains(r.Stderr, `driver=gpiochip on="gpiochip0 (pinctrl-bcm2711)" kernel=`) {
				t.Error("the log does not say what drives the pins")
			}
		})
	}
}

// A command, a stop with either on_stop, a restart by hand, a crash.
func TestLifeWithoutSystemd(t *testing.T) {
	const body = `relays:
  - {name: A, pin: GPIO17}
  - {name: C, pin: GPIO22, active_low: true}
`
	r := run(t, pins.Scenario{Cloud: true, Config: body, Options: uml.Options{Cmd: `
		start && send power0 on && gpio wait GPIO17 1 && gpio wait GPIO22 0 || exit 1
		stop USR2; start || exit 2
		stop KILL; start || exit 3
		stop TERM; [ "$(gpio get GPIO17)$(gpio get GPIO22)" = 01 ] || exit 4
		start || exit 5
		[ "$(gpio get GPIO17)$(gpio get GPIO22)" = 10 ] || exit 6
		sed -i '1i gpio: {on_stop: hold}' $config
		stop USR2; start && stop TERM`}})
	wires(t, r, map[string]string{
		"GPIO17": "set 0 out set 1 set 0 set 1",
		"GPIO22": "set 1 out set 0 set 1 set 0",
	})
}

// All that is wrong is told at once, and nothing is driven.
func TestMistakesDriveNothing(t *testing.T) {
	r := run(t, pins.Scenario{Config: `relays:
  - {name: A, pin: GPIO17}
  - {name: B, pin: GPIO71}
  - {name: C, pin: GPIO22}
  - {name: D, pin: "gpiochip9:3"}
`, Options: uml.Options{Cmd: `
		! start`}})
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
