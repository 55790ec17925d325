package header_test

import (
	"slices"
	"testing"

	"tasmota-azd/internal/relay/header"
)

func TestProper(t *testing.T) {
	for name, want := range map[string]string{
		"17": "GPIO17", "GPIO17": "GPIO17", "P1_11": "GPIO17",
		"0": "GPIO0", "P1_27": "GPIO0", "GPIO27": "GPIO27", "P1_13": "GPIO27", "P1_40": "GPIO21", "P1_3": "GPIO2",
		"": "", "28": "", "GPIO28": "", "-1": "", "GPIO-1": "", "+5": "", "017": "", "GPIO017": "", "gpio17": "", "GPIO": "",
		"P1_0": "", "P1_1": "", "P1_2": "", "P1_6": "", "P1_39": "", "P1_41": "", "P1_-3": "", "P1_011": "", "P1_": "", "P2_11": "",
		"GPIOP1_11": "", "P1_GPIO17": "", "GPIOGPIO17": "", " 17": "", "1e1": "", "99999999999999999999": "",
	} {
		if got, ok := header.Proper(name); got != want || ok != (want != "") {
			t.Errorf("Proper(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
}

// TestNames: 28 pins, each at one place.
func TestNames(t *testing.T) {
	seen := make(map[string]int)
	for _, name := range header.Names() {
		proper, ok := header.Proper(name)
		if !ok {
			t.Errorf("%s is not its own pin", name)
		}
		seen[proper]++
	}
	for name, n := range seen {
		if n != 2 {
			t.Errorf("%s has %d names, want 2", name, n)
		}
	}
	if len(seen) != 28 {
		t.Errorf("%d pins, want 28", len(seen))
	}
}

// FuzzProper: what comes out is a proper name, and its own.
func FuzzProper(f *testing.F) {
	for _, name := range append(header.Names(), "17", "028", "P1_1", "P1_", "GPIO", "-0", "\x00") {
		f.Add(name)
	}
	all := header.Names()
	f.Fuzz(func(t *testing.T, name string) {
		proper, ok := header.Proper(name)
		if !ok {
			if proper != "" || slices.Contains(all, name) {
				t.Fatalf("Proper(%q) = %q, false", name, proper)
			}
			return
		}
		if again, ok := header.Proper(proper); !ok || again != proper || !slices.Contains(all[:28], proper) {
			t.Fatalf("Proper(%q) = %q, which is %q, %v", name, proper, again, ok)
		}
	})
}
