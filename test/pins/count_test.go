package pins_test

import (
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/pins"
)

func TestCount(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name  string
		moves string // of one line, 1 ms apart; a capital W is what it is to be
		want  pins.Counts
	}{
		{"cold start", "W1 1", pins.Counts{Commanded: 1, Seen: 1}},
		{"nothing is wanted yet", "0 1 W1", pins.Counts{}},
		{"a command", "W0 0 W1 1 1 W0 0", pins.Counts{Commanded: 3, Seen: 3}},
		{"low first", "W1 0 1", pins.Counts{Commanded: 1, Seen: 2, Unexpected: 1, Wrong: ms}},
		{"low first, where it is wanted", "W0 0", pins.Counts{Commanded: 1, Seen: 1}},
		{"a glitch at a restart", "W1 1 0 0 0 1", pins.Counts{Commanded: 1, Seen: 3, Unexpected: 2, Wrong: 3 * ms}},
		{"let go at the end", "W1 1 free", pins.Counts{Commanded: 1, Seen: 2, Kernel: 1, LetGo: ms}},
		{"let go and taken back", "W1 1 free free 1", pins.Counts{Commanded: 1, Seen: 3, Kernel: 2, LetGo: 2 * ms}},
		{"let go and taken back with a glitch", "W1 1 free 0 1", pins.Counts{Commanded: 1, Seen: 4, Kernel: 1, Unexpected: 2, Wrong: ms, LetGo: ms}},
		{"a command is not obeyed", "W0 0 W1", pins.Counts{Commanded: 2, Seen: 1}},
		{"an edge before it was asked for", "W0 0 1 W1 W0 0", pins.Counts{Commanded: 2, Seen: 3, Unexpected: 1, Wrong: ms}},
		{"wrong to the end", "W0 0 1", pins.Counts{Commanded: 1, Seen: 2, Unexpected: 1, Wrong: ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var moves []pins.Move
			for word := range strings.FieldsSeq(tt.moves) {
				to, want := strings.CutPrefix(word, "W")
				moves = append(moves, pins.Move{At: time.Duration(len(moves)) * ms, Line: "GPIO17", To: to, Want: want})
			}
			if got := pins.Count(moves, time.Duration(len(moves))*ms); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	rows := []pins.Row{
		{Scenario: "b", Driver: "periph", Board: "Pi 4", Counts: pins.Counts{Seen: 2, Unexpected: 2, Wrong: 7 * time.Microsecond}},
		{Scenario: "b", Driver: "gpiochip", Board: "Pi 4", Systemd: true},
		{Scenario: "a", Driver: "gpiochip", Board: "Pi 4", Keeps: true},
		{Scenario: "b", Driver: "periph", Board: "Pi 5", Systemd: true, Keeps: true, Counts: pins.Counts{Seen: 2, Unexpected: 2, Wrong: 9 * time.Microsecond}},
	}
	var text strings.Builder
	if err := pins.Table(&text, pins.Cells(rows)); err != nil {
		t.Fatal(err)
	}
	const want = `| scenario | driver   | boards     | started, kernel             | commanded | seen | by the kernel | unexpected | wrong level, µs | let go, ms | note |
| -------- | -------- | ---------- | --------------------------- | --------- | ---- | ------------- | ---------- | --------------- | ---------- | ---- |
| a        | gpiochip | Pi 4       | bare keeps                  | 0         | 0    | 0             | 0          | 0               | 0          |      |
| b        | gpiochip | Pi 4       | systemd lets go             | 0         | 0    | 0             | 0          | 0               | 0          |      |
| b        | periph   | Pi 4, Pi 5 | bare lets go, systemd keeps | 0         | 2    | 0             | 2          | 9               | 0          |      |
`
	if text.String() != want {
		t.Errorf("got\n%s", text.String())
	}
}
