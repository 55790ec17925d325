package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/uml"
)

// TestPairEdges: what a guest printed and its kernel's trace become the time that each
// command and each ioctl took; an edge that is missing is an error, not a longer time.
func TestPairEdges(t *testing.T) {
	const ms = time.Millisecond
	events := []uml.Event{
		{At: 1 * ms, Line: "GPIO17", What: "set 0"}, {At: 1 * ms, Line: "GPIO17", What: "out"}, // the start
		{At: 12 * ms, Line: "GPIO17", What: "set 1"}, {At: 15 * ms, Line: "GPIO27", What: "set 1"},
		{At: 23 * ms, Line: "GPIO17", What: "set 0"}, {At: 26 * ms, Line: "GPIO27", What: "set 0"},
	}
	printed := "begin GPIO17 10000000\nbegin GPIO27 15000900\nbegin GPIO17 20000000\nbegin GPIO27 25000000\n"
	took, err := pairEdges(strings.NewReader(printed), events, 2)
	if got, want := fmt.Sprint(took), "map[bare:[0s 1ms] daemon:[2ms 3ms]]"; got != want || err != nil {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	for name, list := range map[string][]uml.Event{"of the first command": append(events[:2:2], events[3:]...), "of the last ioctl": events[:5]} {
		if took, err := pairEdges(strings.NewReader(printed), list, 2); err == nil {
			t.Errorf("the edge %s is missing, and it took %v", name, took)
		}
	}
	// Of simulated pins the guest prints the edges too.
	took, err = pairEdges(strings.NewReader("begin GPIO17 1000\nbegin GPIO27 11000000\nedge GPIO17 5000\n"),
		[]uml.Event{{At: 12 * ms, Line: "GPIO27", What: "set 1"}}, 1)
	if got, want := fmt.Sprint(took), "map[bare:[1ms] daemon:[4µs]]"; got != want || err != nil {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if _, err := pairEdges(strings.NewReader("nonsense\n"), nil, 0); err == nil {
		t.Error("nonsense was taken for a beginning")
	}
}
