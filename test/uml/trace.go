package uml

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// An Event is something that the kernel did with a line.
type Event struct {
	At   time.Duration // CLOCK_MONOTONIC of the guest
	Line string        // its name, GPIO17, or chip:offset for one without
	What string        // "set 0", "set 1", "out", "in"; a read: "get 0"; a mark of the command: "want 1"
	Task string        // who did it, with the process id: "hold-63"
}

// ParseTrace reads what run.sh --trace writes: "0.510483 GPIO17 set 1 hold-63".
func ParseTrace(r io.Reader) ([]Event, error) {
	var events []Event
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		fields := strings.Fields(s.Text())
		if len(fields) < 4 {
			return events, fmt.Errorf("trace, line %d: %q", n, s.Text())
		}
		seconds, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return events, fmt.Errorf("trace, line %d: %w", n, err)
		}
		last := len(fields) - 1
		events = append(events, Event{
			At:   time.Duration(seconds * float64(time.Second)),
			Line: fields[1],
			What: strings.Join(fields[2:last], " "),
			Task: fields[last],
		})
	}
	return events, s.Err()
}

// Events lists all that happened to a line, such as "set 1", "out", "get 1".
func (r Result) Events(line string) []string {
	return r.list(line, func(string) bool { return true })
}

// Moves lists what happened to a line apart from its being read, and from marks. No move means
// that the level on the wire did not change.
func (r Result) Moves(line string) []string {
	return r.list(line, func(what string) bool {
		return !strings.HasPrefix(what, "get ") && !strings.HasPrefix(what, "want ")
	})
}

func (r Result) list(line string, keep func(string) bool) []string {
	var list []string
	for _, e := range r.Trace {
		if e.Line == line && keep(e.What) {
			list = append(list, e.What)
		}
	}
	return list
}
