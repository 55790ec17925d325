package spread_test

import (
	"fmt"
	"slices"
	"testing"

	"tasmota-azd/internal/spread"
)

// ids are names as fleets have them.
var ids = map[string]func(i int) string{
	"numbers": func(i int) string { return fmt.Sprintf("rpi-%05d", i) },
	"MAC":     func(i int) string { return fmt.Sprintf("dca632%06x", 0x1a2b00+i) },
	"front":   func(i int) string { return fmt.Sprintf("%d.pump.example", i) },
}

// crowd is how many of all lie in the fullest hundredth.
func crowd(all []float64) int {
	var in [100]int
	for _, v := range all {
		in[int(v*100)]++
	}
	return slices.Max(in[:])
}

// A hundredth of 10,000 devices is 100; by chance alone the fullest has about 125.
func TestFleetIsSpread(t *testing.T) {
	for kind, id := range ids {
		fleet := make([]spread.Turns, 10_000)
		all := make([]float64, len(fleet))
		for i := range fleet {
			fleet[i].Of(id(i))
		}
		for turn := range 5 {
			for i := range fleet {
				all[i] = fleet[i].Next()
				if all[i] < 0 || all[i] >= 1 {
					t.Fatalf("%v is no place", all[i])
				}
			}
			if n := crowd(all); n > 150 {
				t.Errorf("%s, turn %d: %d devices in one hundredth", kind, turn, n)
			}
		}
	}
}

// A device is neither always early nor always late.
func TestTurnsOfOneDevice(t *testing.T) {
	for i := range 100 {
		var turns spread.Turns
		turns.Of(ids["numbers"](i))
		sum, small := 0.0, 0
		for range 10 {
			v := turns.Next()
			sum += v
			if v < 0.1 {
				small++
			}
		}
		if sum < 3.5 || sum > 6.5 || small > 3 {
			t.Errorf("device %d waits %.1f of 10, and %d times hardly at all", i, sum, small)
		}
	}
}

func TestPlaceLasts(t *testing.T) {
	var a, b spread.Turns
	a.Of("rpi-0001")
	b.Of("rpi-0001")
	if got := a.Place(); fmt.Sprintf("%.6f", got) != "0.430563" {
		t.Errorf("the place of rpi-0001 is %.6f now", got)
	}
	for range 10 {
		x, y := a.Next(), b.Next()
		if d := x - y; d > 0.05 && d < 0.95 || d < -0.05 && d > -0.95 {
			t.Errorf("the same device is at %v and at %v", x, y)
		}
	}
	a.Of("rpi-0001") // which it is
	if x, y := a.Next(), b.Next(); x-y > 0.05 && x-y < 0.95 || x-y < -0.05 && x-y > -0.95 {
		t.Error("a device starts anew when it is named again")
	}
}

// Without an id, two devices differ.
func TestNobody(t *testing.T) {
	var a, b spread.Turns
	if a.Next() == b.Next() {
		t.Error("two devices without a name have the same place")
	}
}
