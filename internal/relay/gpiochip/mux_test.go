package gpiochip

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/warthog618/go-gpiocdev/uapi"
)

// The parts of a device tree and of /sys that say who has which pins: on a Pi 4 a
// device names groups of numbered pins, on a Pi 5 groups (or groups of groups) of
// named pins.
const tree = "sys/firmware/devicetree/base/"

func TestCheck(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		tree + "gpio/phandle":               "\x00\x00\x00\x01",
		tree + "gpio/pinctrl-0":             "\x00\x00\x00\x12",
		tree + "gpio/i2c1/phandle":          "\x00\x00\x00\x10",
		tree + "gpio/i2c1/brcm,pins":        "\x00\x00\x00\x02\x00\x00\x00\x03",
		tree + "gpio/uart/phandle":          "\x00\x00\x00\x11",
		tree + "gpio/uart/pin_tx/pins":      "gpio14\x00",
		tree + "gpio/uart/pin_rx/pins":      "gpio15\x00",
		tree + "gpio/own/phandle":           "\x00\x00\x00\x12",
		tree + "gpio/own/brcm,pins":         "\x00\x00\x00\x06",
		tree + "gpio/spi/phandle":           "\x00\x00\x00\x13",
		tree + "gpio/spi/brcm,pins":         "\x00\x00\x00\x09\x00\x00\x00\x0a\x00\x00\x00\x0b",
		tree + "i2c/pinctrl-0":              "\x00\x00\x00\x10",
		tree + "serial/pinctrl-0":           "\x00\x00\x00\x99\x00\x00\x00\x11",
		tree + "spi/pinctrl-0":              "\x00\x00\x00\x13",
		"sys/bus/platform/drivers/any/bind": "",
	} {
		write(t, filepath.Join(root, path), text)
	}
	link(t, root, "sys/bus/gpio/devices/gpiochip0/of_node", tree+"gpio")
	for path, node := range map[string]string{
		"sys/bus/platform/devices/fe200000.gpio": "gpio",
		"sys/bus/platform/devices/fe804000.i2c":  "i2c",
		"sys/bus/amba/devices/fe201000.serial":   "serial",
		"sys/bus/platform/devices/fe204000.spi":  "spi",
	} {
		link(t, root, path+"/of_node", tree+node)
		if node != "spi" { // which no driver has
			link(t, root, path+"/driver", "sys/bus/platform/drivers/any")
		}
	}
	chips := []Chip{{Name: "gpiochip0", Label: "pinctrl-bcm2711", Lines: make([]Info, 28)}}
	chips[0].Lines[4] = Info{Consumer: "onewire@4", Flags: uapi.LineFlagV2Used}

	for bcm := range chips[0].Lines {
		want := map[int]string{2: "fe804000.i2c", 3: "fe804000.i2c", 4: "onewire@4", 14: "fe201000.serial", 15: "fe201000.serial"}[bcm]
		err := check(root, chips, []Place{chips[0].place(bcm)})
		if e, _ := errors.AsType[*InUseError](err); e == nil && want != "" || e != nil && e.Consumer != want {
			t.Errorf("GPIO%d: %v, want %q", bcm, err, want)
		}
	}
	all := check(root, chips, []Place{chips[0].place(2), chips[0].place(17), chips[0].place(4)})
	if list, ok := all.(interface{ Unwrap() []error }); !ok || len(list.Unwrap()) != 2 {
		t.Errorf("GPIO2 and GPIO4 of three lines are in use, but this is said: %v", all)
	}
}

func link(t *testing.T, root, from, to string) {
	t.Helper()
	from = filepath.Join(root, from)
	if err := os.MkdirAll(filepath.Dir(from), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, to), from); err != nil {
		t.Fatal(err)
	}
}
