package system_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/system"
)

// The clock is the one of /proc/uptime, but for time in suspension.
func TestMonotonic(t *testing.T) {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Skip("SKIPPED, needs /proc/uptime:", err)
	}
	up, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	first := system.Monotonic()
	if most := time.Duration((up + 60) * float64(time.Second)); first <= 0 || first > most {
		t.Errorf("%v since the machine was started %v s ago", first, up)
	}
	if later := system.Monotonic(); later < first {
		t.Errorf("%v after %v", later, first)
	}
}
