package pins

import (
	"slices"
	"strings"
	"time"

	"tasmota-azd/test/uml"
)

// Section returns the events between the marks "want -=NAME" and "want -=end" of the
// steps.
func Section(events []uml.Event, name string) []uml.Event {
	from := slices.IndexFunc(events, func(e uml.Event) bool { return e.Line == "-" && e.What == "want "+name })
	if from < 0 {
		return nil
	}
	events = events[from+1:]
	to := slices.IndexFunc(events, func(e uml.Event) bool { return e.Line == "-" })
	if to < 0 {
		return events
	}
	return events[:to+1]
}

// Moves makes moves of events of a small kernel, which begin with lines that are
// inputs, and tells when the last one was.
func Moves(events []uml.Event) (moves []Move, end time.Duration) {
	latch, output := map[string]string{}, map[string]bool{}
	for _, e := range events {
		end = e.At
		m := Move{At: e.At, Line: e.Line}
		switch what, value, _ := strings.Cut(e.What, " "); what {
		case "want":
			m.To, m.Want = value, true
		case "set":
			if latch[e.Line] = value; !output[e.Line] {
				continue // the kernel tells the level before the direction
			}
			m.To = value
		case "out":
			output[e.Line], m.To = true, latch[e.Line]
		case "in":
			output[e.Line], m.To = false, Free
		}
		if e.Line != "-" && m.To != "" {
			moves = append(moves, m)
		}
	}
	return moves, end
}
