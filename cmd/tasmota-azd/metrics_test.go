package main

import (
	"slices"
	"testing"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/relay"
)

// A relay takes its moves along to another number, and leaves none to who has its old one.
func TestMovesGoWithThePin(t *testing.T) {
	m := new(moves)
	m.add(relay.Edge{Relay: 1, Pin: "GPIO17", From: relay.Unknown, To: relay.On}) // the start
	for _, number := range []int{1, 2} {
		m.add(relay.Edge{Relay: number, Pin: "GPIO17", From: relay.Off, To: relay.On, Cause: cause.Cause{Door: cause.C2D}})
	}
	if all := m.samples(1, "GPIO27"); len(all) != 0 {
		t.Errorf("of a relay that has not moved: %+v", all)
	}
	all := m.samples(2, "GPIO17")
	if len(all) != 1 || all[0].Value != 2 || !slices.Equal(all[0].Labels, []string{"relay", "2", "pin", "GPIO17", "door", "c2d"}) {
		t.Errorf("%+v", all)
	}
}
