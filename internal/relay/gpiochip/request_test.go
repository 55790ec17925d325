package gpiochip

import (
	"testing"

	"github.com/warthog618/go-gpiocdev/uapi"
)

// A chip that comes back may have another name, and its lines other places.
func TestAgain(t *testing.T) {
	used := Info{Name: "CBUS1", Flags: uapi.LineFlagV2Used}
	was := Place{Chip: "gpiochip2", Label: "ftdi-cbus", Offset: 1, Line: "CBUS1", BCM: -1}
	for _, tt := range []struct {
		name  string
		place Place
		chips []Chip
		want  string // chip and offset, or the error
	}{
		{"as before", was, []Chip{{Name: "gpiochip2", Label: "ftdi-cbus", Lines: []Info{{}, {Name: "CBUS1"}}}}, "gpiochip2:1"},
		{"elsewhere", was, []Chip{{Name: "gpiochip3", Label: "ftdi-cbus", Lines: []Info{{Name: "CBUS1"}, {}}}}, "gpiochip3:0"},
		{"beside another", was, []Chip{
			{Name: "gpiochip2", Label: "ftdi-cbus", Lines: []Info{{}, used}},
			{Name: "gpiochip3", Label: "ftdi-cbus", Lines: []Info{{}, {Name: "CBUS1"}}},
		}, "gpiochip3:1"},
		{"two came back", was, []Chip{
			{Name: "gpiochip2", Label: "ftdi-cbus", Lines: []Info{{Name: "CBUS1"}}},
			{Name: "gpiochip3", Label: "ftdi-cbus", Lines: []Info{{Name: "CBUS1"}}},
		}, `"ftdi-cbus:1" is the name of 2 lines: write which one, gpiochip2:0 or gpiochip3:0`},
		{"not yet", was, []Chip{{Name: "gpiochip0", Label: "pinctrl-rp1", Lines: []Info{{}, {Name: "CBUS1"}}}}, "CBUS1 (ftdi-cbus:1): its chip is gone"},
		{"a line without a name", Place{Label: "x", Offset: 1, BCM: -1}, []Chip{{Name: "gpiochip5", Label: "x", Lines: make([]Info, 4)}}, "gpiochip5:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.place.again(tt.chips)
			got := p.Chip + ":" + p.Address()[len(p.Label)+1:]
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
