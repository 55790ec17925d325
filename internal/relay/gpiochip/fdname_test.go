package gpiochip_test

import (
	"strings"
	"testing"

	"tasmota-azd/internal/relay/gpiochip"
)

func TestFDName(t *testing.T) {
	for _, tt := range []struct {
		label  string
		offset int
		want   string
	}{
		{"pinctrl-bcm2835", 17, "relay-pinctrl-bcm2835-17"},
		{"gpio-brcmstb@107d508500", 3, "relay-gpio-brcmstb@107d508500-3"},
		{"INT33FF:00", 97, "relay-INT33FF%3a00-97"},
		{"my chip 100%", 0, "relay-my%20chip%20100%25-0"},
		{"", 5, "relay--5"},
		{"-1", 5, "relay--1-5"},
	} {
		if got := (gpiochip.Place{Label: tt.label, Offset: tt.offset}).FDName(); got != tt.want {
			t.Errorf("line %d of %q is %s, want %s", tt.offset, tt.label, got, tt.want)
		}
		if !gpiochip.IsFDName(tt.want) {
			t.Errorf("%s is not taken for the name of a line", tt.want)
		}
	}
	for _, name := range []string{
		"", "stored", "relay-", "relay-5", "relay-chip-", "relay-chip--5x", "relay-chip-017", "relay-chip-99999999",
		"relay-INT33FF:00-97", "relay-a%3A-1", "relay-a%3-1", "relay-a%zz-1", "relay-a%41-1", "relay-a b-1",
		"relay-" + strings.Repeat("a", 250) + "-1",
	} {
		if gpiochip.IsFDName(name) {
			t.Errorf("%q is taken for the name of a line", name)
		}
	}
}

func FuzzFDName(f *testing.F) {
	for _, label := range []string{"pinctrl-rp1", "INT33FF:00", "a-1", "%3a", "ü", "\x00\n", ""} {
		f.Add(label, uint16(17))
	}
	f.Fuzz(func(t *testing.T, label string, offset uint16) {
		if len(label) > 31 {
			return // the kernel's limit
		}
		name := gpiochip.Place{Label: label, Offset: int(offset)}.FDName()
		if !gpiochip.IsFDName(name) {
			t.Errorf("%q does not come back", name)
		}
		for _, c := range []byte(name) { // systemd's rule
			if c < ' ' || c > '~' || c == ':' {
				t.Errorf("systemd does not take %q", name)
			}
		}
	})
}

func FuzzIsFDName(f *testing.F) {
	for _, name := range []string{"relay-pinctrl-bcm2835-17", "relay-INT33FF%3a00-97", "relay-%-1", "relay--1", "connection"} {
		f.Add(name)
	}
	f.Fuzz(func(_ *testing.T, name string) { gpiochip.IsFDName(name) })
}
