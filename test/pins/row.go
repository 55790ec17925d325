package pins

import (
	"encoding/json"
	"errors"
	"fmt"
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

// rowsFile is the environment variable that names the file of rows.
const rowsFile = "PINS_ROWS"

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

// Merge makes one row of those that differ in the board only, and puts them in order:
// scenarios as they first came, in each of them by driver. The times are the longest.
func Merge(rows []Row) []Row {
	var merged []Row
	var scenarios []string
	for _, r := range rows {
		if !slices.Contains(scenarios, r.Scenario) {
			scenarios = append(scenarios, r.Scenario)
		}
		i := slices.IndexFunc(merged, func(m Row) bool {
			a, b := m, r
			a.Board, a.Wrong, a.LetGo, b.Board, b.Wrong, b.LetGo = "", 0, 0, "", 0, 0
			return a == b
		})
		if i < 0 {
			merged = append(merged, r)
			continue
		}
		if m := &merged[i]; !slices.Contains(strings.Split(m.Board, ", "), r.Board) {
			m.Board += ", " + r.Board
		}
		merged[i].Wrong, merged[i].LetGo = max(merged[i].Wrong, r.Wrong), max(merged[i].LetGo, r.LetGo)
	}
	slices.SortStableFunc(merged, func(a, b Row) int {
		if s := slices.Index(scenarios, a.Scenario) - slices.Index(scenarios, b.Scenario); s != 0 {
			return s
		}
		return strings.Compare(a.Driver, b.Driver)
	})
	return merged
}

// Table writes the rows as a table in Markdown.
func Table(w io.Writer, rows []Row) error {
	table := [][]string{
		{"scenario", "driver", "board", "started", "kernel", "commanded", "seen", "by the kernel", "unexpected", "wrong level, µs", "let go, ms", "note"},
		nil, // the rule
	}
	for _, r := range rows {
		started, kernel := "bare", "lets go"
		if r.Systemd {
			started = "by systemd"
		}
		if r.Keeps {
			kernel = "keeps"
		}
		table = append(table, []string{r.Scenario, r.Driver, r.Board, started, kernel,
			fmt.Sprint(r.Commanded), fmt.Sprint(r.Seen), fmt.Sprint(r.Kernel), fmt.Sprint(r.Unexpected),
			fmt.Sprint(r.Wrong.Microseconds()), fmt.Sprint(r.LetGo.Milliseconds()), r.Note})
	}
	widths := make([]int, len(table[0]))
	for _, cells := range table {
		for i, c := range cells {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	for _, width := range widths {
		table[1] = append(table[1], strings.Repeat("-", width))
	}
	for _, cells := range table {
		for i, c := range cells {
			cells[i] = c + strings.Repeat(" ", widths[i]-len([]rune(c)))
		}
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")); err != nil {
			return err
		}
	}
	return nil
}
