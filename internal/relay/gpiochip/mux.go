package gpiochip

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Check tells what would have to go before all these lines can be ours: an
// *InUseError, or several joined, for each line that something holds and each pin
// that works for a device of the kernel. The Raspberry Pi's drivers would let us
// have such a pin without a word, and I2C or the console would be dead, or switch
// our relay until we come.
func Check(chips []Chip, places ...Place) error {
	return check("/", chips, places)
}

func check(root string, chips []Chip, places []Place) error {
	var errs []error
	for _, c := range chips {
		here := slices.DeleteFunc(slices.Clone(places), func(p Place) bool {
			return p.Chip != c.Name || p.Offset >= len(c.Lines)
		})
		if len(here) == 0 {
			continue
		}
		devices := muxed(root, c)
		for _, p := range here {
			info := c.Lines[p.Offset]
			if info.Flags.IsUsed() {
				errs = append(errs, &InUseError{Place: p, Consumer: info.Consumer})
			} else if device := devices[p.Offset]; device != "" {
				errs = append(errs, &InUseError{Place: p, Consumer: device})
			}
		}
	}
	return errors.Join(errs...)
}

// muxed finds the pins of a Raspberry Pi's chip that have been given to a device,
// such as fe804000.i2c: by the device tree, where a driver is at work. It reads
// what everyone may read.
func muxed(root string, c Chip) map[int]string {
	if !isHeader(c) {
		return nil
	}
	tree, err := filepath.EvalSymlinks(filepath.Join(root, "sys/bus/gpio/devices", c.Name, "of_node"))
	if err != nil {
		return nil // no device tree
	}
	users := groupUsers(root, tree)
	pins := map[int]string{}
	_ = filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // what cannot be read tells nothing
		}
		for _, pin := range groupPins(path) {
			// A device may name the group, or the one that this is a part of.
			for node := path; len(node) > len(tree); node = filepath.Dir(node) {
				for _, handle := range cells(node, "phandle") {
					if user := users[handle]; user != "" {
						pins[pin] = user
					}
				}
			}
		}
		return nil
	})
	return pins
}

// groupUsers finds the devices with a driver and the handles of the pin groups
// that are theirs, leaving out the chip itself.
func groupUsers(root, chip string) map[uint32]string {
	users := map[uint32]string{}
	for _, bus := range []string{"platform", "amba"} {
		drivers, _ := filepath.Glob(filepath.Join(root, "sys/bus", bus, "devices/*/driver")) // the pattern is good
		for _, driver := range drivers {
			device := filepath.Dir(driver)
			node, err := filepath.EvalSymlinks(filepath.Join(device, "of_node"))
			if err != nil || node == chip {
				continue
			}
			for _, handle := range cells(node, "pinctrl-0") {
				users[handle] = filepath.Base(device)
			}
		}
	}
	return users
}

// groupPins reads the pins of a group: numbers on the Raspberry Pi up to 4
// ("brcm,pins"), names on the 5 ("pins").
func groupPins(group string) []int {
	var pins []int
	for _, n := range cells(group, "brcm,pins") {
		pins = append(pins, int(n))
	}
	names, err := os.ReadFile(filepath.Join(group, "pins"))
	if err != nil {
		return pins
	}
	for name := range strings.SplitSeq(string(names), "\x00") {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "gpio")); err == nil {
			pins = append(pins, n)
		}
	}
	return pins
}

// cells reads a property of the device tree that is a list of numbers.
func cells(node, property string) []uint32 {
	data, err := os.ReadFile(filepath.Join(node, property))
	if err != nil {
		return nil
	}
	var list []uint32
	for ; len(data) >= 4; data = data[4:] {
		list = append(list, binary.BigEndian.Uint32(data))
	}
	return list
}
