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
	if r, err := RestOf(os.Getpid()); err != nil || r.Sleeps == 0 || r.Used == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := parseStatus(strings.Repeat("Name:\tx\n", 3)); err == nil {
		t.Error("memory was read where there is none")
	}
}
