package pins

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// A Row is one line of the table: what a scenario did to the lines of the relays.
type Row struct {
	Scenario string
	Driver   string // "gpiochip", "periph gpioioctl", "periph bcm283x"
	Board    string // "Pi 4", "emulated Pi 3B"
	Systemd  bool   // the daemon ran under the shipped unit; else it was started bare
	Keeps    bool   // the kernel keeps an output that is let go; else it becomes an input
	Counts
	Note string // what the figures do not say
}

// Counts are edges: changes of what a pin does. It drives high, drives low, or
// lets go.
type Counts struct {
	Commanded  int           // that were asked for
	Seen       int           // all
	Kernel     int           // the kernel let the pin go, and the daemon took it back to where it was
	Unexpected int           // all others that were not asked for
	Wrong      time.Duration // the longest time that a level was driven that was not asked for
	LetGo      time.Duration // the longest time that nothing was driven, although it was asked for
}

// Missing is how many edges were asked for and did not come.
func (c Counts) Missing() int { return c.Commanded + c.Kernel + c.Unexpected - c.Seen }

// rowsFile is the environment variable that names the file of rows, and scenarios the one
// that says how the names of scenarios begin which are to be played, if not all are.
const (
	rowsFile  = "PINS_ROWS"
	scenarios = "PINS_SCENARIOS"
)

// Wanted tells whether a scenario is to be played.
func Wanted(scenario string) bool { return strings.HasPrefix(scenario, os.Getenv(scenarios)) }

// Full tells whether the whole table is to be made, as `make pins` does, which takes
// many minutes, or the short form of it.
func Full() bool { return os.Getenv(rowsFile) != "" }

// Record adds a row to the table that `make pins` prints, and logs it.
func Record(t *testing.T, r Row) {
	t.Helper()
	t.Logf("%+v", r)
	if !Full() {
		return
	}
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(os.Getenv(rowsFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(append(line, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// ReadRows reads what Record has written.
func ReadRows(r io.Reader) ([]Row, error) {
	var rows []Row
	for d := json.NewDecoder(r); ; {
		var row Row
		if err := d.Decode(&row); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

// place names where a row was seen, but for the board.
func (r Row) place() string {
	started, kernel := "bare", "lets go"
	if r.Systemd {
		started = "systemd"
	}
	if r.Keeps {
		kernel = "keeps"
	}
	return started + " " + kernel
}

// sorted puts rows in order, whichever was played first.
func sorted(rows []Row) []Row {
	return slices.SortedFunc(slices.Values(rows), func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Driver, b.Driver),
			cmp.Compare(a.place(), b.place()), cmp.Compare(a.Board, b.Board))
	})
}
