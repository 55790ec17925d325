package lasting_test

import (
	"testing"
	"time"

	"tasmota-azd/internal/lasting"
)

func TestFault(t *testing.T) {
	var f lasting.Fault
	begin := time.Unix(1e9, 0)
	if _, was := f.Over(begin); was || f.Lasts() || f.For(begin) != 0 {
		t.Error("a fault that never was")
	}
	var said []int // minutes
	for m := range 48 * 60 {
		if f.Say(begin.Add(time.Duration(m)*time.Minute), "full") {
			said = append(said, m)
		}
	}
	if n := len(said); n < 48 || n > 56 || said[0] != 0 || said[1] != 1 || said[2] != 3 {
		t.Errorf("said %d times in two days: %v", n, said)
	}
	if end := begin.Add(48 * time.Hour); !f.Say(end.Add(-time.Minute), "read-only") || f.Say(end.Add(-time.Second), "read-only") {
		t.Error("another reason is news, once")
	}
	if lasted, was := f.Over(begin.Add(48 * time.Hour)); lasted != 48*time.Hour || !was || f.Lasts() {
		t.Errorf("%v, %v", lasted, was)
	}
	if !f.Say(begin, "read-only") {
		t.Error("the next one begins unsaid")
	}
}
