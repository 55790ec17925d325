package procfs

import (
	"os"
	"strings"
	"testing"
)

func TestParseSleeps(t *testing.T) {
	n, err := parseSleeps("Name:\tx\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t2\n")
	if err != nil || n != 150 {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := parseSleeps("Name:\tx\n"); err == nil {
		t.Error("nothing is no number")
	}
}

// What the kernel says of this process.
func TestOwn(t *testing.T) {
	m, err := MemoryOf(os.Getpid())
	if err != nil || m.Anonymous < 100<<10 || m.Resident <= m.Anonymous || m.Resident > 1<<34 {
		t.Errorf("%+v, %v", m, err)
	}
	if n, err := SleepsOf(os.Getpid()); err != nil || n == 0 {
		t.Errorf("%d sleeps, %v", n, err)
	}
	if used, err := WorkOf(os.Getpid()); err != nil || used == 0 {
		t.Errorf("worked %v, %v", used, err)
	}
	if _, err := SleepsOf(1 << 30); err == nil {
		t.Error("a process slept that there is not")
	}
	if _, err := parseStatus(strings.Repeat("Name:\tx\n", 3)); err == nil {
		t.Error("memory was read where there is none")
	}
}
