package gpiochip

import (
	"testing"

	"github.com/warthog618/go-gpiocdev/uapi"
)

func TestOurs(t *testing.T) {
	const output = uapi.LineFlagV2Used | uapi.LineFlagV2Output
	for _, tt := range []struct {
		info Info
		want string
	}{
		{Info{Consumer: consumer, Flags: output}, ""},
		{Info{Consumer: consumer, Flags: output | uapi.LineFlagV2ActiveLow}, ""},
		{Info{Consumer: "gpioset", Flags: output}, `"gpioset" holds that line`},
		{Info{Flags: uapi.LineFlagV2Output}, `"" holds that line`},
		{Info{Consumer: consumer, Flags: uapi.LineFlagV2Used | uapi.LineFlagV2Input}, "that line is not a plain output (flags 0x5)"},
		{Info{Consumer: consumer, Flags: output | uapi.LineFlagV2OpenDrain}, "that line is not a plain output (flags 0x49)"},
	} {
		got := ""
		if err := ours(tt.info); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.info, got, tt.want)
		}
	}
}

func TestParseFDInfo(t *testing.T) {
	for _, tt := range []struct {
		name, text, chip string
		offset           int
	}{
		{"a line", "pos:\t0\nflags:\t02000000\nmnt_id:\t16\nino:\t10\ngpio-chip:\tgpiochip0\ngpio-line:\t17\n", "gpiochip0", 17},
		{"two lines", "gpio-chip:\tgpiochip0\ngpio-line:\t17\ngpio-line:\t18\n", "gpiochip0", -1},
		{"before Linux 6.1", "pos:\t0\nflags:\t02000000\nmnt_id:\t16\n", "", -1},
	} {
		if chip, offset := parseFDInfo([]byte(tt.text)); chip != tt.chip || offset != tt.offset {
			t.Errorf("%s: %q, %d, want %q, %d", tt.name, chip, offset, tt.chip, tt.offset)
		}
	}
}
