package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/test/uml"
)

// program builds the daemon for the small kernel.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tasmota-azd")
	build := exec.Command("go", "build", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// TestBoardTestOnLines tries relays on the lines of a simulated Raspberry Pi, and
// again while a daemon has them.
func TestBoardTestOnLines(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a small kernel")
	}
	const file = onHub + "ntp: {servers: []}\nrelays: [{name: Pump, pin: GPIO17}, {name: Lamp, pin: GPIO27}]\nstate_dir: "
	r := uml.Run(t, uml.Options{
		Bins:  []string{program(t)},
		Files: map[string]string{"/a.yaml": file + "/a\n", "/b.yaml": file + "/b\n"},
		Cmd: `printf 'yes\n2\nyes\nskip\n' | tasmota-azd board test -c /a.yaml
			tasmota-azd board boot-config -c /a.yaml
			tasmota-azd run -c /a.yaml 2>/dev/null & daemon=$!
			until grep -q tasmota-azd /sys/kernel/debug/gpio; do sleep 0.1; done
			echo yes | tasmota-azd board test -c /a.yaml; echo "exit status $?"
			echo yes | tasmota-azd board test -c /b.yaml; echo "exit status $?"
			kill -9 $daemon`,
	})
	for _, want := range []string{
		"# Pump clicked for no pin, and its own, GPIO17, moves Lamp\n" +
			"For the configuration, in place of relays: and of board:, if that is there:\n\nrelays:\n" +
			"  - name: Pump\n    pin: # not known; GPIO17 before\n    active_low: false\n  - name: Lamp\n    pin: GPIO17 # GPIO27 before\n    active_low: true\n",
		"[all]\n# Pump\ngpio=17=op,dl\n# Lamp\ngpio=27=op,dl\nexit status 1\nexit status 1\n",
	} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("printed\n%s\nwant\n%s", r.Stdout, want)
		}
	}
	for _, want := range []string{
		"state directory /a is in use by another tasmota-azd (process ", // the lock
		`relays[0].pin: "GPIO17": `, `is in use by "tasmota-azd"`,       // the line
		"sudo systemctl clean --what=fdstore tasmota-azd",
	} {
		if !strings.Contains(r.Stderr, want) {
			t.Errorf("errors\n%s\nwant %q", r.Stderr, want)
		}
	}
	tried := []string{"set 0", "out", "set 1", "set 0", "set 1", "set 1"} // the first level, the click, what opens it, twice
	got := r.Events("GPIO17")
	if len(got) < len(tried) || !slices.Equal(got[:len(tried)], tried) {
		t.Errorf("GPIO17: %v, want first %v", got, tried)
	}
}
