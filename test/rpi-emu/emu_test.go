package rpiemu_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	rpiemu "tasmota-azd/test/rpi-emu"
)

func TestParseLog(t *testing.T) {
	got, err := rpiemu.ParseLog(strings.NewReader("   4.883820 GPIO17 high\n   0.382259 GPIO15 pull up\n"))
	want := []rpiemu.Change{{4883820 * time.Microsecond, "GPIO17", "high"}, {382259 * time.Microsecond, "GPIO15", "pull up"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, bad := range []string{"x", "now GPIO17 high"} {
		if _, err := rpiemu.ParseLog(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is no change", bad)
		}
	}
}

// On the registers: the 64-bit and the ARMv6 program each drive a line once to reach
// the first level, taking it again moves nothing, and the console's pins are refused.
func TestRegisters(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, booting a Raspberry Pi takes seconds")
	}
	var bins []string
	for _, arch := range []string{"arm64", "arm"} {
		bin, err := rpiemu.Build(t.TempDir(), "tasmota-azd/test/pins/hold", arch)
		if err != nil {
			t.Fatal(err)
		}
		bins = append(bins, bin)
	}
	r := rpiemu.Run(t, rpiemu.Options{Bins: bins, Cmd: `
		hold-arm64 run GPIO17 open=high level
		hold-arm64 run GPIO17 open=high level close take level
		hold-arm run P1_13 open=high level
		hold-arm run 27 open=high level high low
		su pi -c "hold-arm64 run GPIO22 open=high,high release"
		hold-arm run GPIO23 open=high pause & pid=$!
		until hold-arm find GPIO23 2>&1 | grep -q InUse; do :; done
		kill -9 $pid; wait $pid 2>/dev/null
		hold-arm run GPIO23 take level
		hold-arm64 run SDA1 open=low
		hold-arm find GPIO14 2>&1`})
	want := strings.Repeat("level: High Out/High\n", 6) + `GPIO14 (pinctrl-bcm2835:14) on gpiochip0
InUseError: GPIO14 (pinctrl-bcm2835:14) is in use by "3f215040.serial": that is the kernel's UART: run "sudo raspi-config nonint do_serial_hw 1", or take enable_uart=1 out of config.txt, and restart
hold: not all lines are to be had
`
	if r.Output != want {
		t.Errorf("got\n%s\nwant\n%s", r.Output, want)
	}
	for pin, want := range map[string]string{
		"GPIO17": "[high]", "GPIO27": "[high low]", "GPIO22": "[high]", "GPIO23": "[high]", "GPIO2": "[low]",
	} {
		if got := fmt.Sprint(r.Moves(pin)); got != want {
			t.Errorf("%s: %s, want %s", pin, got, want)
		}
	}
}

// On a kernel that makes a released output an input, it is the kernel that moves it.
func TestRegistersNoPersist(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, booting a Raspberry Pi takes seconds")
	}
	bin, err := rpiemu.Build(t.TempDir(), "tasmota-azd/test/pins/hold", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	r := rpiemu.Run(t, rpiemu.Options{Board: "zero2w", Bins: []string{bin}, Args: []string{"--append", "pinctrl_bcm2835.persist_gpio_outputs=n"},
		Cmd: "hold-arm64 run GPIO17 open=high level; hold-arm64 run GPIO17 open=high,high level high"})
	if got, want := fmt.Sprint(r.Moves("GPIO17")), "[high in high in]"; got != want {
		t.Errorf("GPIO17: %s, want %s\n%s", got, want, r.Output)
	}
}
