package gpiochip_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tasmota-azd/internal/relay/gpiochip"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		name  string
		chips []gpiochip.Chip
		specs string
		want  string // name (address) on chip
	}{
		{"pi 3", pi3, "GPIO17 gpio17 17 P1_11 p1_11 gpiochip0:17 /dev/gpiochip0:17 pinctrl-bcm2835:17", "GPIO17 (pinctrl-bcm2835:17) on gpiochip0"},
		{"pi 3, a line with another name", pi3, "GPIO2 2 P1_3 SDA1", "GPIO2 (pinctrl-bcm2835:2) on gpiochip0"},
		{"pi 3, beside the header", pi3, "WL_ON gpiochip1:1 raspberrypi-exp-gpio:1", "WL_ON (raspberrypi-exp-gpio:1) on gpiochip1"},
		{"pi 4", pi4, "GPIO17 17 P1_11", "GPIO17 (pinctrl-bcm2711:17) on gpiochip0"},
		{"pi 4, the EEPROM's pins", pi4, "GPIO0 0 P1_27 ID_SDA", "GPIO0 (pinctrl-bcm2711:0) on gpiochip0"},
		{"pi 4, the last", pi4, "GPIO21 P1_40", "GPIO21 (pinctrl-bcm2711:21) on gpiochip0"},
		{"cm 4, more pins", cm4, "GPIO45 45", "GPIO45 (pinctrl-bcm2711:45) on gpiochip0"},
		{"pi 5, early", pi5first, "GPIO17 17 P1_11 gpiochip4:17 pinctrl-rp1:17", "GPIO17 (pinctrl-rp1:17) on gpiochip4"},
		{"pi 5", pi5, "GPIO17 17 P1_11 gpiochip0:17 gpiochip4:17 /dev/gpiochip4:17 pinctrl-rp1:17", "GPIO17 (pinctrl-rp1:17) on gpiochip0"},
		{"other, by name", other, "7J1-13 aobus-banks:1 gpiochip1:1", "7J1-13 (aobus-banks:1) on gpiochip1"},
		{"other, by number", other, "GPIO17 17", "GPIO17 (aobus-banks:3) on gpiochip1"},
		{"other, a colon in the label", other, "INT33FF:00:97 gpiochip0:97", "INT33FF:00:97 on gpiochip0"},
		{"twins, by position", twins, "17 P1_11", "GPIO17 (pinctrl-bcm2711:17) on gpiochip0"},
		{"twins, by address", twins, "gpiochip2:1 /dev/gpiochip2:1", "GPIO17 (ftdi-cbus:1) on gpiochip2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for spec := range strings.FieldsSeq(tt.specs) {
				p, err := gpiochip.Match(tt.chips, spec)
				if got := p.String() + " on " + p.Chip; err != nil || got != tt.want {
					t.Errorf("%s: found %s, %v, want %s", spec, got, err, tt.want)
				}
			}
		})
	}
}

func TestNumberIsOfTheHeaderOnly(t *testing.T) {
	for _, tt := range []struct {
		chips []gpiochip.Chip
		spec  string
		want  int
	}{
		{pi5, "GPIO17", 17}, {pi3, "WL_ON", -1}, {other, "GPIO17", -1}, {pi4, "gpiochip0:29", -1}, {cm4, "45", 45},
	} {
		p, err := gpiochip.Match(tt.chips, tt.spec)
		if err != nil {
			t.Fatal(err)
		}
		if p.BCM != tt.want {
			t.Errorf("%s has the number %d, want %d", tt.spec, p.BCM, tt.want)
		}
	}
}

func TestNoMatch(t *testing.T) {
	for _, tt := range []struct {
		name  string
		chips []gpiochip.Chip
		spec  string
		want  string
	}{
		{"a number too high", pi4, "GPIO71", `there is no line "GPIO71": this board brings out no such pin (a 40-pin header has 0 to 27)`},
		{"changed over", pi4, "GPOI17", `there is no line "GPOI17"; nearest: GPIO17, GPIO10, GPIO11`},
		{"a slip", pi4, "GPO17", `there is no line "GPO17"; nearest: GPIO17, GPIO1, GPIO7`},
		{"a slip in another name", other, "7J1_13", `there is no line "7J1_13"; nearest: 7J1-13, 7J1-11, 7J1-15`},
		{"like nothing", pi4, "Pump", `there is no line "Pump"`},
		{"ground", pi4, "P1_6", `there is no line "P1_6": that position of the header is power or ground`},
		{"no such position", pi4, "P1_41", `there is no line "P1_41"`},
		{"the board's own", pi4, "GPIO28", `there is no line "GPIO28": this board brings out no such pin (a 40-pin header has 0 to 27)`},
		{"offset", pi4, "gpiochip0:58", `there is no line "gpiochip0:58": gpiochip0 has the lines 0 to 57`},
		{"chip", pi5, "gpiochip1:17", `there is no line "gpiochip1:17": there is no chip gpiochip1; nearest: gpiochip0, gpiochip10`},
		{"label", pi5, "pinctrl-rp2:17", `there is no line "pinctrl-rp2:17": there is no chip pinctrl-rp2; nearest: pinctrl-rp1`},
		{"global number", pi4, "529", `there is no line "529": this board brings out no such pin (a 40-pin header has 0 to 27)`},
		{"leading zero", pi4, "GPIO017", `there is no line "GPIO017"; nearest: GPIO17, GPIO10, GPIO11`},
		{"empty", pi4, "", `there is no line "": write a line as GPIO17, P1_11 or chip:offset`},
		{"position elsewhere", other, "P1_11", `there is no line "P1_11": this is not a Raspberry Pi, so write the line's name, or chip:offset`},
		{"number elsewhere", other, "18", `there is no line "18": this is not a Raspberry Pi, so write the line's name, or chip:offset`},
		{"two lines", twins, "GPIO17", `"GPIO17" is the name of 2 lines: write which one, pinctrl-bcm2711:17 or ftdi-cbus:1`},
		{"two chips", twins, "ftdi-cbus:0", `"ftdi-cbus:0" is the name of 2 lines: write which one, gpiochip2:0 or gpiochip3:0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := gpiochip.Match(tt.chips, tt.spec)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			_, none := errors.AsType[*gpiochip.NoLineError](err)
			_, two := errors.AsType[*gpiochip.AmbiguousError](err)
			if none == two {
				t.Errorf("%T is neither of the types that Match promises", err)
			}
		})
	}
}

func FuzzMatch(f *testing.F) {
	for spec := range strings.FieldsSeq("GPIO17 17 P1_11 p1_2 gpiochip0:17 INT33FF:00:3 ::: : P1_ GPIO -1 +1 00 65536 GPIO99999999999999999999 7J1-11") {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		for _, chips := range [][]gpiochip.Chip{pi3, pi5, other, twins} {
			p, err := gpiochip.Match(chips, spec)
			if err != nil {
				if _, ok := errors.AsType[*gpiochip.AmbiguousError](err); !ok && p != (gpiochip.Place{}) {
					t.Errorf("%q: a place with an error: %v", spec, p)
				}
				continue
			}
			i := slices.IndexFunc(chips, func(c gpiochip.Chip) bool { return c.Name == p.Chip })
			if p.Offset >= len(chips[i].Lines) || chips[i].Lines[p.Offset].Name != p.Line {
				t.Errorf("%q: there is no such place: %+v", spec, p)
			}
			address := p.Chip + ":" + strconv.Itoa(p.Offset)
			if again, err := gpiochip.Match(chips, address); err != nil || again != p {
				t.Errorf("%q is %v, but %s is %v, %v", spec, p, address, again, err)
			}
		}
	})
}
