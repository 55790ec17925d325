package commands_test

import (
	"testing"

	"tasmota-azd/internal/commands"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		topic, payload string
		want           commands.Command
	}{
		{"power", "on", commands.Command{Name: "POWER", Index: 1, Arg: "on"}},
		{"/power", "on", commands.Command{Name: "POWER", Index: 1, Arg: "on"}},
		{"cmnd/foo/POWER2", "", commands.Command{Name: "POWER", Index: 2, Indexed: true}},
		{"a//Power0", "0", commands.Command{Name: "POWER", Index: 0, Indexed: true, Arg: "0"}},
		{"power01", "", commands.Command{Name: "POWER", Index: 1, Indexed: true}},
		{"power", " \t\r\n on ", commands.Command{Name: "POWER", Index: 1, Arg: "on "}},
		{"power", "?", commands.Command{Name: "POWER", Index: 1}},
		{"power", "? ", commands.Command{Name: "POWER", Index: 1, Arg: "? "}},
		{"_Power2", "on", commands.Command{Name: "POWER", Index: 2, Indexed: true, Silent: true, Arg: "on"}},
		{"_", "", commands.Command{Name: "_", Index: 1}},
		{"foo299", " x", commands.Command{Name: "FOO", Index: 299, Indexed: true, Arg: "x"}},
		{"foo300", " ?", commands.Command{Name: "FOO", Index: 300, Indexed: true, Arg: " ?"}},
		{"foo99999999999999999999", "", commands.Command{Name: "FOO", Index: 2147483647, Indexed: true}},
		{"", "", commands.Command{Index: 1}},
		{"power/", "on", commands.Command{Index: 1, Arg: "on"}},
		{"12", "", commands.Command{Index: 12, Indexed: true}},
		{"größe1", "", commands.Command{Name: "GRößE", Index: 1, Indexed: true}},
		{"po2wer3", "", commands.Command{Name: "PO2WER", Index: 3, Indexed: true}},
	} {
		if got := commands.Parse(tt.topic, tt.payload); got != tt.want {
			t.Errorf("Parse(%q, %q)\n  got  %+v\n  want %+v", tt.topic, tt.payload, got, tt.want)
		}
	}
}

// TestNumbers asks TelePeriod, which shows the number it understood.
func TestNumbers(t *testing.T) {
	for arg, want := range map[string]string{
		"20": "20", "+20": "20", "20foo": "20", "020": "16", "0x20": "32", "0X2f": "47", "0x": "0", "0xg": "0",
		"08": "0", "0": "0", "20.9": "20", "1e2": "300", "2147483648": "60", "99999999999999999999": "60",
		"-20": "60", "foo": "60", "-": "60", "+": "60", "": "60", "- 20": "60", "--20": "60", "x20": "60",
		"ON": "300", "true": "300", "Start": "300", "USER": "300", "fahrenheit": "300",
		"OFF": "0", "false": "0", "stop": "0", "down": "0", "close": "0", "celsius": "0",
		"toggle": "10", "admin": "10", "blink": "10", "BlinkOff": "10",
		"up": "100", "open": "100", "all": "255", "hold": "60", "toggle ": "60", "on\x00": "60",
	} {
		d := pair(t, false, false)
		d.run("TelePeriod 60")
		equal(t, "TelePeriod "+arg, d.run("TelePeriod "+arg), result(`{"TelePeriod":`+want+`}`))
	}
}

// TestBinaryArgument: behind an index of 300 and more a number is none.
func TestBinaryArgument(t *testing.T) {
	d := pair(t, false, false)
	equal(t, "TelePeriod299", d.run("TelePeriod299 20"), result(`{"TelePeriod":20}`))
	equal(t, "TelePeriod300", d.run("TelePeriod300 30"), result(`{"TelePeriod":20}`))
}

func TestGenericReplies(t *testing.T) {
	const quote = `"`
	for _, tt := range []struct{ topic, arg, want string }{
		{"foo", "", `{"Command":"Unknown","Input":"FOO"}`},
		{"foo1", "1", `{"Command":"Unknown","Input":"FOO 1"}`},
		{"foo2", "bar", `{"Command":"Unknown","Input":"FOO2 bar"}`},
		{"foo0", "  bar ", `{"Command":"Unknown","Input":"FOO0 bar "}`},
		{"foo", "?", `{"Command":"Unknown","Input":"FOO"}`},
		{"foo300", " x", `{"Command":"Unknown","Input":"FOO300  x"}`},
		{"_foo", "1", `{"Command":"Unknown","Input":"FOO 1"}`},
		{"_power9", "1", `{"Command":"Error","Input":"POWER9 1"}`},
		{"", "", `{"Command":"Unknown","Input":""}`},
		{"", "x", `{"Command":"Unknown","Input":" x"}`},
		{"nodelay", "", `{"Command":"Unknown","Input":"NODELAY"}`},
		{"foo", `a"b\c/<&>`, `{"Command":"Unknown","Input":"FOO a\"b\\c/<&>"}`},
		{"foo", "a\nb\tc\rd\be\ff\x01g\x7f", `{"Command":"Unknown","Input":"FOO a\nb\tc\rd\be\ff\u0001g` + "\x7f" + `"}`},
		{"foo", "\xff", `{"Command":"Unknown","Input":"FOO ` + "\ufffd" + `"}`},
		// 63 bytes: four of the word and its blank, 59 of the argument
		{"foo", repeat("x", 59), `{"Command":"Unknown","Input":"FOO ` + repeat("x", 59) + `"}`},
		{"foo", repeat("x", 60), `{"Command":"Unknown","Input":"FOO ` + repeat("x", 59) + `"}`},
		{"foo", repeat("x", 58) + "ü", `{"Command":"Unknown","Input":"FOO ` + repeat("x", 58) + `"}`},
		{"foo", repeat("x", 57) + "ü", `{"Command":"Unknown","Input":"FOO ` + repeat("x", 57) + `ü"}`},
		{"foo", repeat("x", 58) + quote, `{"Command":"Unknown","Input":"FOO ` + repeat("x", 58) + `"}`},
		{"foo", repeat("x", 57) + quote, `{"Command":"Unknown","Input":"FOO ` + repeat("x", 57) + `\""}`},
		{"foo", repeat("€", 40), `{"Command":"Unknown","Input":"FOO ` + repeat("€", 19) + `"}`},
		{repeat("w", 99), "1", `{"Command":"Unknown","Input":"` + repeat("W", 63) + `"}`},
		{"power", repeat("x", 1+commands.MaxArg), `{"Command":"Error","Input":"POWER ` + repeat("x", 57) + `"}`},
	} {
		d := pair(t, false, false)
		replies, err := d.Run(d.now, commands.Parse(tt.topic, tt.arg))
		equal(t, tt.topic+" "+tt.arg, lines(replies), result(tt.want))
		if err == nil {
			t.Errorf("%s %s: no error", tt.topic, tt.arg)
		}
	}
}
