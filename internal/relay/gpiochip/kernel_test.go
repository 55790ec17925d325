package gpiochip_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"tasmota-azd/test/uml"
)

// These tests boot a small kernel with simulated chips, work its lines with
// test/pins/hold, and compare all that the kernel did with each line.

// hold builds the program once for all tests.
var hold func() (string, error)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gpiochip")
	if err != nil {
		panic(err)
	}
	hold = sync.OnceValues(func() (string, error) { return uml.Build(dir, "tasmota-azd/test/pins/hold") })
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// boot runs the command in the kernel, with hold.
func boot(t *testing.T, o uml.Options) uml.Result {
	t.Helper()
	uml.Need(t, o.Systemd)
	bin, err := hold()
	if err != nil {
		t.Fatal(err)
	}
	o.Bins = append(o.Bins, bin)
	return uml.Run(t, o)
}

// same compares what a line went through, or what was printed.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s:\ngot  %s\nwant %s", what, g, w)
	}
}

// The first level that a line ever has is the one that was asked for, on each board
// and for either polarity.
func TestKernelColdStart(t *testing.T) {
	odroid := []string{"label=INT33FF:00,lines=20", "label=aobus-banks,lines=6,names=7J1-3:7J1-5:7J1-7:7J1-11:7J1-13:7J1-15"}
	for _, tt := range []struct {
		board string
		chips []string
		lines []string // as written; the first four are tried with each level and polarity
		names []string // in the trace
	}{
		{"pi3", nil, strings.Fields("GPIO17 27 P1_15 gpiochip0:23"), strings.Fields("GPIO17 GPIO27 GPIO22 GPIO23")},
		{"pi4", nil, strings.Fields("GPIO17 27 P1_15 pinctrl-bcm2711:23"), strings.Fields("GPIO17 GPIO27 GPIO22 GPIO23")},
		{"pi5", nil, strings.Fields("GPIO17 27 P1_15 pinctrl-rp1:23"), strings.Fields("GPIO17 GPIO27 GPIO22 GPIO23")},
		{"pi5-2023", nil, strings.Fields("GPIO17 27 P1_15 gpiochip4:23"), strings.Fields("GPIO17 GPIO27 GPIO22 GPIO23")},
		{"none", odroid, strings.Fields("7J1-11 7J1-13 gpiochip1:5 INT33FF:00:3"), strings.Fields("7J1-11 7J1-13 7J1-15 gpiochip0:3")},
	} {
		t.Run(tt.board, func(t *testing.T) {
			outputs := []string{"high", "low", "high,high", "low,high"}
			var cmd []string
			for i, line := range tt.lines {
				cmd = append(cmd, fmt.Sprintf("hold run %s open=%s level || exit 1", line, outputs[i]))
			}
			r := boot(t, uml.Options{Board: tt.board, Chips: tt.chips, Cmd: strings.Join(cmd, "\n")})
			same(t, "output", r.Stdout+r.Stderr, "level: High Out/High\nlevel: Low Out/Low\nlevel: High Out/High\nlevel: Low Out/Low\n")
			for i, line := range tt.names {
				want := []string{"[set 1 out]", "[set 0 out]"}[i%2]
				same(t, line, r.Moves(line), want)
			}
		})
	}
}

// What a kernel does with a line when its holder dies, and that we take it again
// without an edge where it stays.
func TestKernelKill(t *testing.T) {
	cmd := `hold run GPIO17 open=high pause & gpio wait GPIO17 1; kill -9 $!; wait $!
		hold run GPIO17 take level high release`
	for _, tt := range []struct {
		noPersist bool
		want      string
	}{
		{false, "[set 1 out get 1 set 1 out get 1 set 1 set 0]"},
		{true, "[set 1 out in get 0 get 0 set 0 out get 0 set 1 set 0 in get 0]"},
	} {
		r := boot(t, uml.Options{NoPersist: tt.noPersist, Cmd: cmd})
		same(t, "GPIO17", r.Events("GPIO17"), tt.want)
	}
}

func TestKernelWork(t *testing.T) {
	r := boot(t, uml.Options{NoPersist: true, Cmd: `
		hold run GPIO17 open=low high level low level configure=high,high level release
		hold run GPIO22 open=high close high`})
	same(t, "output", r.Stdout, `level: High Out/High
level: Low Out/Low
level: High Out/High
high: driving GPIO22 (pinctrl-bcm2711:22): use of closed file
`)
	same(t, "GPIO17", r.Moves("GPIO17"), "[set 0 out set 1 set 0 set 1 out set 1 in]")
	same(t, "GPIO22", r.Moves("GPIO22"), "[set 1 out in]")
}

// A line that something else has is not touched, and its holder is named.
func TestKernelInUse(t *testing.T) {
	r := boot(t, uml.Options{Cmd: `
		hold run GPIO17 open=high pause & gpio wait GPIO17 1
		echo 476 >/sys/class/gpio/export
		cd /sys/kernel/config/gpio-sim/chip1 && echo 0 >live && mkdir bank/line2/hog &&
			echo onewire@4 >bank/line2/hog/name && echo output-high >bank/line2/hog/direction && echo 1 >live
		hold find GPIO17 GPIO22 PWR_LED_OFF GPIO23
		for line in GPIO17 GPIO22 PWR_LED_OFF; do hold run $line open=low level; done`})
	inUse := `InUseError: GPIO17 (pinctrl-bcm2711:17) is in use by "tasmota-azd": another tasmota-azd has it, or systemd keeps it for one (see "systemctl status tasmota-azd")
InUseError: GPIO22 (pinctrl-bcm2711:22) is in use by "sysfs": something exported it in /sys/class/gpio; stop that, or restart
InUseError: PWR_LED_OFF (raspberrypi-exp-gpio:2) is in use by "onewire@4": that is the kernel's 1-Wire
`
	found := "GPIO17 (pinctrl-bcm2711:17) on gpiochip0\nGPIO22 (pinctrl-bcm2711:22) on gpiochip0\n" +
		"PWR_LED_OFF (raspberrypi-exp-gpio:2) on gpiochip1\nGPIO23 (pinctrl-bcm2711:23) on gpiochip0\n"
	opened := strings.NewReplacer("InUseError", "open: InUseError", "\n", "\nlevel: no line is held\n").Replace(inUse)
	same(t, "output", r.Stdout, found+inUse+opened)
	same(t, "GPIO17", r.Events("GPIO17"), "[set 1 out]")
	same(t, "GPIO22", r.Events("GPIO22"), "[]")
}

func TestKernelSameName(t *testing.T) {
	r := boot(t, uml.Options{
		Chips: []string{"label=pinctrl-bcm2711,lines=58,names=ID_SDA:ID_SCL:GPIO2..GPIO27", "label=ftdi-cbus,lines=4,names=-:GPIO17"},
		Cmd:   "hold run GPIO17 open=high; ln -s gpiochip0 /dev/gpiochip7; hold run pinctrl-bcm2711:17 open=high; hold find gpiochip7:17",
	})
	same(t, "output", r.Stdout, `AmbiguousError: "GPIO17" is the name of 2 lines: write which one, pinctrl-bcm2711:17 or ftdi-cbus:1
GPIO17 (pinctrl-bcm2711:17) on gpiochip0
`)
	same(t, "both lines of that name", r.Events("GPIO17"), "[set 1 out]")
}

func TestKernelPermission(t *testing.T) {
	r := boot(t, uml.Options{Cmd: `
		su pi -c 'hold run GPIO17 open=high level'
		su -s /bin/sh nobody -c 'hold find GPIO17'
		chown root:root /dev/gpiochip0
		su pi -c 'hold run GPIO17 open=low'`})
	same(t, "output", r.Stdout, `level: High Out/High
PermissionError: no permission to open /dev/gpiochip0, /dev/gpiochip1: run "sudo usermod -aG gpio nobody" and log in again
NoLineError: there is no line "GPIO17"
PermissionError: no permission to open /dev/gpiochip0: only root may, as long as udev has no rule like SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"
NoLineError: there is no line "GPIO17"
`)
	same(t, "GPIO17", r.Moves("GPIO17"), "[set 1 out]")
}

func TestKernelNoChip(t *testing.T) {
	r := boot(t, uml.Options{Board: "none", Cmd: "hold list"})
	same(t, "no GPIO", r.Stdout, "NoChipError: there is no /dev/gpiochip*: this machine has no GPIO that Linux knows "+
		"(a computer without a device tree, so not a Raspberry Pi)\n")
	r = boot(t, uml.Options{Board: "pi5", Cmd: "rm /dev/gpiochip*; touch /.dockerenv; hold list"})
	same(t, "hidden", r.Stdout, "NoChipError: there is no /dev/gpiochip*: the kernel has gpiochip0, but it is not to be seen here: "+
		"a systemd unit must not have PrivateDevices=yes, a container needs --device /dev/gpiochip0\n")
}

// A chip that goes away takes its lines along; they are taken again, with the level
// that is wanted by then, when it is back.
func TestKernelChipGone(t *testing.T) {
	r := boot(t, uml.Options{Cmd: `
		live=/sys/kernel/config/gpio-sim/chip1/live
		hold run GPIO17 open=high pause & gpio wait GPIO17 1
		hold run WL_ON open=high "sh=echo 0 >$live" low level reopen=low,low "sh=echo 1 >$live" \
			reopen=low,low level high`})
	same(t, "output", r.Stdout, `low: GoneError: WL_ON (raspberrypi-exp-gpio:1): its chip is gone: no such device
level: GoneError: WL_ON (raspberrypi-exp-gpio:1): its chip is gone: no such device
reopen: GoneError: WL_ON (raspberrypi-exp-gpio:1): its chip is gone
level: Low Out/Low
`)
	same(t, "WL_ON", r.Moves("WL_ON"), "[set 1 out]")
	same(t, "WL_ON, as the kernel numbers it when it is back", r.Moves("439"), "[set 0 out set 1]")
	same(t, "GPIO17", r.Events("GPIO17"), "[set 1 out]")
}

// A chip that became another after it was listed is left alone.
func TestKernelOtherChip(t *testing.T) {
	change := func(what string) string {
		return `"sh=cd /sys/kernel/config/gpio-sim/chip1; echo 0 >live; ` + what + `; echo 1 >live" open=high`
	}
	r := boot(t, uml.Options{Cmd: "hold run WL_ON " + change("echo other >bank/line1/name") +
		"\nhold run other " + change("echo 1 >bank/num_lines; rmdir bank/line[1-9]") +
		"\nhold run BT_ON " + change("echo other >bank/label")})
	same(t, "output", r.Stdout, `open: GoneError: WL_ON (raspberrypi-exp-gpio:1): its chip is gone: its line 1 is now "other"
open: GoneError: other (raspberrypi-exp-gpio:1): its chip is gone: /dev/gpiochip1 is now raspberrypi-exp-gpio with 1 lines
open: GoneError: BT_ON (raspberrypi-exp-gpio:0): its chip is gone: /dev/gpiochip1 is now other with 1 lines
`)
	same(t, "all events", len(r.Trace), 0)
}

// A file from the store is believed only if the kernel says the same.
func TestKernelAdopt(t *testing.T) {
	r := boot(t, uml.Options{NoPersist: true, Cmd: `
		hold run GPIO22 open=low pause & until hold find GPIO22 | grep -q InUse; do :; done
		hold run GPIO17 open=high,high adopt=relay-pinctrl-bcm2711-17 adopt=relay-pinctrl-bcm2711-18 \
			adopt=relay-pinctrl-bcm2711-22 adopt=relay-raspberrypi-exp-gpio-1 adopt=relay-pinctrl-rp1-17 adopt=connection`})
	same(t, "output", r.Stdout, `adopted: GPIO17 (pinctrl-bcm2711:17) Out/High off High
adopt: AdoptError: relay-pinctrl-bcm2711-18 from the store: it is line 17 of gpiochip0
adopt: AdoptError: relay-pinctrl-bcm2711-22 from the store: it is line 17 of gpiochip0
adopt: AdoptError: relay-raspberrypi-exp-gpio-1 from the store: it is line 17 of gpiochip0
adopt: AdoptError: relay-pinctrl-rp1-17 from the store: it is line 17 of gpiochip0, which has another label
adopt: AdoptError: connection from the store: that is not the name of a line
`)
	same(t, "GPIO17, to its end", r.Moves("GPIO17"), "[set 1 out in]")
}
