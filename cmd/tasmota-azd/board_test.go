package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/store"
)

const onHub = "hub: {host: h.azure-devices.net, key: c2FtcGxlIG9ubHksIG5vdCBhIHJlYWwga2V5ISEhISE=}\n"

// typed runs the command line with what is typed, on a configuration with
// simulated pins. It returns what is printed.
func typed(ctx context.Context, t *testing.T, dir, cfg, input string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(dir, "config.yaml")
	text := onHub + "gpio: {driver: sim, sim_dir: pins}\nstate_dir: state\n" + cfg
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := command(&out, &out)
	cmd.SetIn(strings.NewReader(input))
	cmd.SetArgs(append(args, "--config", file))
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

// tail is what follows the last question.
func tail(text string) string {
	_, after, _ := strings.Cut(text[strings.LastIndex(text, "? yes or no: ")+1:], ": ")
	return after
}

func TestBoardTest(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg, args, input string
		want, edges      string
	}{
		"right": {"relays: [{name: Pump, pin: 17}, {name: Lamp, pin: P1_13, active_low: true}]\n", "", "yes\n\nno\nyes\n\nno\n",
			"\nWhat was tested is as the configuration says.\n",
			"GPIO17 0\nGPIO17 1\nGPIO17 0\nGPIO17 0\nGPIO27 1\nGPIO27 0\nGPIO27 1\nGPIO27 1\nGPIO17 0\nGPIO27 1\n"},
		"changed over, upside down": {"relays: [{name: Pump, pin: 17, min_interval: 5s}, {name: 'Lamp: 2', pin: P1_13, active_low: true}]\n", "",
			"yes\nlamp: 2\nyes\nyes\n1\nno\n",
			`
For the configuration, in place of relays: and of board:, if that is there:

relays:
  - name: Pump
    pin: P1_13 # 17 before
    active_low: true
    min_interval: 5s
  - name: "Lamp: 2"
    pin: "17" # P1_13 before
    active_low: true
`,
			"GPIO17 0\nGPIO17 1\nGPIO17 0\nGPIO17 1\nGPIO27 1\nGPIO27 0\nGPIO27 1\nGPIO27 1\nGPIO17 1\nGPIO27 1\n"},
		"preset": {"relays: [{name: Pump, pin: 17}]\n", "pimoroni-automation-phat", "yes\n\nno\n",
			"\nWhat was tested is as the preset says. For the configuration:\n\nboard: pimoroni-automation-phat\n", "GPIO16 0\nGPIO16 1\nGPIO16 0\nGPIO16 0\nGPIO16 0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				out, err := typed(t.Context(), t, dir, tt.cfg, tt.input, append([]string{"board", "test"}, strings.Fields(tt.args)...)...)
				if err != nil || tail(out) != tt.want {
					t.Errorf("%v\n%s\nwant at the end:\n%s", err, out, tt.want)
				}
				if got := simEdges(t, dir); got != tt.edges {
					t.Errorf("driven:\n%s\nwant:\n%s", got, tt.edges)
				}
			})
		})
	}
}

// simEdges returns what was driven, without the times.
func simEdges(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pins", "edges.log"))
	if err != nil {
		t.Fatal(err)
	}
	var edges strings.Builder
	for line := range strings.Lines(string(text)) {
		_, edge, _ := strings.Cut(line, " ")
		edges.WriteString(edge)
	}
	return edges.String()
}

// TestTriedIsUsable pastes what the test of a board of unknown polarity prints.
func TestTriedIsUsable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const one = "yes\n\nyes\n" // it stays on: low closes it
		out, err := typed(t.Context(), t, dir, "relays: [{name: Pump, pin: 17}]\n", strings.Repeat(one, 6), "board", "test", "waveshare-rpi-zero-relay")
		if err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(out, "\n\nrelays:\n")
		cfg, err := config.Parse(strings.NewReader(onHub+"relays:\n"+section), "f.yaml")
		if err != nil || len(cfg.Relays) != 6 || cfg.Relays[5] != (config.Relay{Name: "CH6", Pin: "GPIO20", ActiveLow: true}) {
			t.Errorf("%v: %+v\n%s", err, cfg.Relays, out)
		}
		// Half of it is refused, for the rest is not known.
		out, err = typed(t.Context(), t, dir, "relays: [{name: Pump, pin: 17}]\n", one+"end\n", "board", "test", "waveshare-rpi-zero-relay")
		_, section, _ = strings.Cut(out, "\n\nrelays:\n")
		_, parsed := config.Parse(strings.NewReader(onHub+"relays:\n"+section), "f.yaml")
		if err != nil || strings.Count(fmt.Sprint(parsed), "pin: is missing") != 5 {
			t.Errorf("%v, %v\n%s", err, parsed, out)
		}
	})
}

func TestBoardTestRefused(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(filepath.Join(dir, "state"), nil)
	if err != nil {
		t.Fatal(err)
	}
	const relays = "relays: [{name: Pump, pin: 17}]\n"
	_, err = typed(t.Context(), t, dir, relays, "yes\n", "board", "test")
	if locked, ok := errors.AsType[*store.LockedError](err); !ok || locked.PID != os.Getpid() || !strings.Contains(err.Error(), "systemctl stop tasmota-azd") {
		t.Errorf("while a daemon runs: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"sequent-8-relays": "hang on I2C", "x": `no relay board is known as "x"`} {
		if _, err := typed(t.Context(), t, dir, relays, "yes\n", "board", "test", name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if _, err := typed(t.Context(), t, dir, "relays: []\n", "yes\n", "board", "test"); exitCode(err) != exitConfig {
		t.Errorf("a file with mistakes: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "pins", "GPIO17")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a pin was touched: %v", err)
	}
}

// TestReserved holds that no daemon can start while relays are tried.
func TestReserved(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	free, err := reserve([]string{filepath.Join(dir, "none"), dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir, nil); err == nil {
		t.Error("a daemon could start")
	}
	free()
	again, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestBoardTestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond) // during the click
		defer cancel()
		dir := t.TempDir()
		_, err := typed(ctx, t, dir, "relays: [{name: Pump, pin: 17, active_low: true}]\n", "yes\n", "board", "test")
		if err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("error %v", err)
		}
		if got := simEdges(t, dir); got != "GPIO17 1\nGPIO17 0\nGPIO17 1\n" {
			t.Errorf("driven:\n%s", got)
		}
	})
}

func TestBootConfig(t *testing.T) {
	relays := []config.Relay{{Name: "Pump", Pin: "P1_11"}, {Name: "Gate", Pin: "GPIO5", ActiveLow: true}, {Name: "Far", Pin: "mcp23017:3"}}
	for name, tt := range map[string]struct {
		cfg   config.Config
		model string
		want  string
	}{
		"Pi": {config.Config{Relays: relays}, "Raspberry Pi 4 Model B Rev 1.4", `[all]
# Pump
gpio=17=op,dl
# Gate
gpio=5=op,dh
# Far on mcp23017:3 is left out: that is no GPIO of the 40-pin header by its name, and the firmware knows no other.
`},
		"desk":  {config.Config{Relays: relays[:1]}, "", "[all]\n# Pump\ngpio=17=op,dl\n"},
		"other": {config.Config{Relays: relays}, "Xunlong Orange Pi Zero", "this is a Xunlong Orange Pi Zero: only"},
		"sim":   {config.Config{Relays: relays, GPIO: config.GPIO{Driver: config.DriverSim}}, "", "gpio.driver is sim"},
		"none":  {config.Config{Relays: relays[2:]}, "Raspberry Pi 5", "no relay of the configuration"},
	} {
		got, err := bootConfig(tt.cfg, tt.model)
		if err != nil {
			got = err.Error()
		} else if _, lines, ok := strings.Cut(got, "than Bookworm.\n"); ok {
			got = lines
		}
		if err == nil && got != tt.want || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s\nwant %s", name, got, tt.want)
		}
	}
}

func TestBoardList(t *testing.T) {
	out, err := typed(t.Context(), t, t.TempDir(), "", "", "board", "list")
	if err != nil || !strings.Contains(out, "waveshare-rpi-zero-relay      6       unknown    Waveshare RPi Zero Relay, 6 channels (20863)\n") ||
		!strings.Contains(out, "\nNot supported:\n") || !strings.Contains(out, "  sequent-8-relays, Sequent Microsystems 8-RELAYS, version 4: its relays hang on I2C") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := typed(t.Context(), t, t.TempDir(), "", "", "board", "show", "pimoroni-automation-phat"); err != nil || !strings.HasSuffix(out, "    pin: GPIO16\n    active_low: false\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := typed(t.Context(), t, t.TempDir(), "", "", "board", "show", "x"); err == nil {
		t.Error("a board of no name is shown")
	}
}
