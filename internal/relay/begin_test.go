package relay_test

import (
	"testing"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/relay"
)

// A relay that a command had decided about when the daemon was killed is driven by that
// command, and the others by the start.
func TestCauseOfTheFirstState(t *testing.T) {
	command := cause.Cause{Door: cause.C2D, ID: "m1", Seq: 7}
	var got []cause.Cause
	_, err := relay.New([]relay.Wire{{Pin: &pin{name: "A"}}, {Pin: &pin{name: "B"}}}, relay.Setup{
		On: []bool{true, true}, Cause: start, Causes: map[int]cause.Cause{1: command},
		Edges: func(e relay.Edge) { got = append(got, e.Cause) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != start || got[1] != command {
		t.Errorf("edges by %v, want by %v and %v", got, start, command)
	}
}
