package gpiochip

import (
	"cmp"
	"encoding/binary"
	"errors"
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
// what everyone may read, and no more than it must: this is on the way from the
// start of the daemon to its first relay.
func muxed(root string, c Chip) map[int]string {
	if !isHeader(c) {
		return nil
	}
	tree, err := filepath.EvalSymlinks(filepath.Join(root, "sys/bus/gpio/devices", c.Name, "of_node"))
	if err != nil {
		return nil // no device tree
	}
	m := mux{users: groupUsers(root, tree), pins: map[int]string{}}
	if len(m.users) > 0 {
		m.walk(tree, "")
	}
	return m.pins
}

// A mux goes through the pin groups of a chip.
type mux struct {
	users map[uint32]string // the device that has a group, by the group's handle
	pins  map[int]string    // what was found
}

// walk looks at a node and those below it. A device may name a group, or the one
// that this is a part of, so user is who has the node above.
func (m mux) walk(node, user string) {
	entries, err := os.ReadDir(node)
	if err != nil {
		return // what cannot be read tells nothing
	}
	var pins []string
	for _, e := range entries {
		switch e.Name() {
		case "phandle":
			for _, handle := range cells(node, "phandle") {
				user = cmp.Or(m.users[handle], user)
			}
		case "brcm,pins", "pins":
			pins = append(pins, e.Name())
		}
	}
	for _, property := range pins {
		if user == "" {
			break
		}
		for _, pin := range groupPins(node, property) {
			m.pins[pin] = user
		}
	}
	for _, e := range entries {
		if e.IsDir() {
			m.walk(filepath.Join(node, e.Name()), user)
		}
	}
}

// groupUsers finds the devices with a driver and the handles of the pin groups
// that are theirs, leaving out the chip itself.
func groupUsers(root, chip string) map[uint32]string {
	users := map[uint32]string{}
	for _, bus := range []string{"platform", "amba"} {
		devices, _ := filepath.Glob(filepath.Join(root, "sys/bus", bus, "devices/*")) // the pattern is good
		for _, device := range devices {
			node := filepath.Join(device, "of_node")
			handles := cells(node, "pinctrl-0")
			if len(handles) == 0 {
				continue // as most have
			}
			_, idle := os.Lstat(filepath.Join(device, "driver"))
			if node, err := filepath.EvalSymlinks(node); idle != nil || err != nil || node == chip {
				continue
			}
			for _, handle := range handles {
				users[handle] = filepath.Base(device)
			}
		}
	}
	return users
}

// groupPins reads the pins of a group: numbers on the Raspberry Pi up to 4
// ("brcm,pins"), names on the 5 ("pins").
func groupPins(node, property string) []int {
	var pins []int
	if property == "brcm,pins" {
		for _, n := range cells(node, property) {
			pins = append(pins, int(n))
		}
		return pins
	}
	names, err := os.ReadFile(filepath.Join(node, property))
	if err != nil {
		return nil
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
