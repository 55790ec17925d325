package boards_test

import (
	"testing"

	"gopkg.in/yaml.v3"

	"tasmota-azd/internal/boards"
)

// FuzzScalar: what is written is read as the same text.
func FuzzScalar(f *testing.F) {
	for _, s := range []string{
		"Pump", "Lamp: 2", "17", "P1_13", "on", "Null", "y", "", "~", "1-Wire", "a # b", "it's", "say \"hi\"", "ö", "\x00\a\b\f\v\x1b", "a\nb", "-", "x ", "0x1F", "1e3", ".inf", "NaN", "é\u2028\U0001F600", "=", "<<",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range text {
			if r == '\uFFFD' {
				t.Skip("not a text")
			}
		}
		var got any
		if err := yaml.Unmarshal([]byte("name: "+boards.Scalar(text)+" # comment\n"), &got); err != nil {
			t.Fatalf("%q is written as %s: %v", text, boards.Scalar(text), err)
		}
		if got := got.(map[string]any)["name"]; got != text {
			t.Errorf("%q is written as %s and read as %#v", text, boards.Scalar(text), got)
		}
	})
}
