package boards_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/boards"
)

// facts are what the survey of relay boards says, written down a second time:
// the BCM numbers of the relays in the order of the board, and the level that
// closes them.
var facts = map[string]struct {
	pins   []int
	active boards.Polarity
}{
	"waveshare-rpi-relay-board":    {[]int{26, 20, 21}, boards.Low},
	"waveshare-rpi-relay-board-b":  {[]int{5, 6, 13, 16, 19, 20, 21, 26}, boards.Low},
	"waveshare-rpi-zero-relay":     {[]int{5, 6, 13, 16, 19, 20}, boards.Unknown},
	"pimoroni-automation-hat":      {[]int{13, 19, 16}, boards.High},
	"pimoroni-automation-phat":     {[]int{16}, boards.High},
	"pimoroni-automation-hat-mini": {[]int{16}, boards.High},
	"keyestudio-ks0212":            {[]int{4, 22, 6, 26}, boards.High},
	"sb-components-pirelay":        {[]int{22, 27, 17, 4}, boards.High},
	"sb-components-pirelay-8":      {[]int{26, 19, 13, 6, 5, 11, 9, 10}, boards.High},
	"modmypi-piot-relay-board":     {[]int{5, 6, 13, 19}, boards.High},

	// These are not wired to plain GPIO lines.
	"seeed-relay-board-v1":         {},
	"seeed-grove-4-channel-spdt":   {},
	"sequent-8-relays":             {},
	"dockerpi-4-channel-relay":     {},
	"piface-digital-2":             {},
	"plasmadan-30a-relay-hat":      {},
	"plasmadan-appliance-hat-mini": {},
	"generic-optocoupler":          {},
}

// positions are those of the 40-pin header that the makers of two boards give.
var positions = map[string]map[string]string{
	"sb-components-pirelay":   {"RELAY1": "15", "RELAY2": "13", "RELAY3": "11", "RELAY4": "7"},
	"sb-components-pirelay-8": {"RELAY1": "37", "RELAY2": "35", "RELAY3": "33", "RELAY4": "31", "RELAY5": "29", "RELAY6": "23", "RELAY7": "21", "RELAY8": "19"},
}

// header has the BCM numbers of the positions that boards use.
var header = map[string]string{"29": "GPIO5", "31": "GPIO6", "33": "GPIO13", "35": "GPIO19", "37": "GPIO26", "7": "GPIO4", "11": "GPIO17",
	"13": "GPIO27", "15": "GPIO22", "19": "GPIO10", "21": "GPIO9", "23": "GPIO11"}

func TestPresets(t *testing.T) {
	for _, b := range boards.All() { // which panics at a preset that is not whole
		fact, known := facts[b.Name]
		if !known {
			t.Errorf("%s: nothing is known of this board", b.Name)
			continue
		}
		var pins []string
		for _, n := range fact.pins {
			pins = append(pins, fmt.Sprintf("GPIO%d", n))
		}
		var got []string
		for _, c := range b.Channels {
			got = append(got, c.Pin)
		}
		if !slices.Equal(got, pins) || b.Active != fact.active {
			t.Errorf("%s: %v active %q, want %v active %q", b.Name, got, b.Active, pins, fact.active)
		}
		for _, c := range b.Channels {
			if at := positions[b.Name][c.Label]; at != "" && header[at] != c.Pin {
				t.Errorf("%s: %s is %s, want position %s, %s", b.Name, c.Label, c.Pin, at, header[at])
			}
		}
	}
	if len(boards.All()) != len(facts) {
		t.Errorf("%d presets, want %d", len(boards.All()), len(facts))
	}
}

// TestConflicts: whatever a Raspberry Pi may do with a pin of a board is told.
func TestConflicts(t *testing.T) {
	for function, pins := range map[string][]string{
		"1-Wire": {"GPIO4"}, "I2C": {"GPIO2", "GPIO3"}, "UART": {"GPIO14", "GPIO15"},
		"SPI":       {"GPIO7", "GPIO8", "GPIO9", "GPIO10", "GPIO11"},
		"I2S sound": {"GPIO18", "GPIO19", "GPIO20", "GPIO21"},
	} {
		for _, b := range boards.All() {
			var want, got []string
			for _, c := range b.Channels {
				if slices.Contains(pins, c.Pin) {
					want = append(want, c.Pin)
				}
			}
			for _, c := range b.Conflicts {
				if c.Function == function {
					got = c.Pins
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %s on %v, want %v", b.Name, function, got, want)
			}
		}
	}
}

func TestFind(t *testing.T) {
	b, ok := boards.Find("keyestudio-ks0212")
	if !ok || b.Channels[3].Label != "J5" {
		t.Errorf("%v %+v", ok, b)
	}
	for _, name := range []string{"", "..", "keyestudio-ks0212.yaml", "../boards/keyestudio-ks0212", "Keyestudio-ks0212", "x\x00"} {
		if b, ok := boards.Find(name); ok {
			t.Errorf("%q: %+v", name, b)
		}
	}
}

func TestChannel(t *testing.T) {
	b, _ := boards.Find("keyestudio-ks0212") // J2 to J5
	for text, want := range map[string]int{"J2": 0, "j5": 3, "1": 0, "4": 3, "5": -1, "0": -1, "": -1, "J1": -1, "01": -1} {
		if i, ok := b.Channel(text); ok != (want >= 0) || ok && i != want {
			t.Errorf("%q: %d, %v; want %d", text, i, ok, want)
		}
	}
}

func TestParse(t *testing.T) {
	const good = "title: T\nactive: high\nchannels: [{label: A, pin: GPIO4}, {label: B, pin: GPIO5}]\nsources: [S]\n"
	if _, err := boards.Parse("x", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for old, new := range map[string]string{
		"title: T": "title:", "active: high": "active: on", "sources: [S]": "", "label: B": "label: a", "GPIO5": "GPIO4", "GPIO4": "GPIO28",
		"active: high\n": "activ: high\n", "channels: ": "channels: []\nx: ", "title: T\n": "title: T\nunsupported: why\n",
		"sources: ": "conflicts: [{function: f, off: o, pins: [GPIO6]}]\nsources: ", "{label: A": "{label: ''",
		"sources:": "conflicts: [{function: f, pins: [GPIO4]}]\nsources:",
	} {
		if b, err := boards.Parse("x", []byte(strings.Replace(good, old, new, 1))); err == nil {
			t.Errorf("%q for %q passes: %+v", new, old, b)
		}
	}
}

func TestShow(t *testing.T) {
	for name, want := range map[string]string{
		"keyestudio-ks0212": `# Keyestudio KS0212, 4 channels
# A relay closes when its pin is high.
# 1-Wire uses GPIO4 as well. To switch it off: sudo raspi-config nonint do_onewire 1
# Sources differ in the order: one (coopserver, RelayHat.hpp) numbers the channels the other way round.
# Source: https://github.com/JohnFunkCode/keyestudio-ks02120-python-sample
# Source: a note on the Rock Pi E with a table of J2 to J5
#
# Either write this line alone:
#
#board: keyestudio-ks0212
#
# or paste all of this:
relays:
  - name: J2
    pin: GPIO4
    active_low: false
  - name: J3
    pin: GPIO22
    active_low: false
  - name: J4
    pin: GPIO6
    active_low: false
  - name: J5
    pin: GPIO26
    active_low: false
`,
		"piface-digital-2": `# PiFace Digital 2, 2 relays
# Not supported: its relays hang on SPI (an MCP23S17), and only GPIO lines are driven.
# Source: https://github.com/piface/pifacedigitalio (core.py, docs/pifacedigital.rst)
`,
	} {
		b, _ := boards.Find(name)
		var got strings.Builder
		if err := b.Show(&got); err != nil || got.String() != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got.String(), want)
		}
	}
}
