package faultlab

import (
	"fmt"
	"io"
	"time"

	"tasmota-azd/test/document"
)

// A Row is a fault and the verdict on it.
type Row struct {
	Fault
	Verdict
}

// Table writes the rows as a table in Markdown.
func Table(w io.Writer, rows []Row) error {
	table := [][]string{
		{"fault", "times", "sent", "effective", "doubled", "lost", "out of order", "moves without cause", "repeated", "answered in, median", "longest", "recovered in, median", "longest", "the fault"},
	}
	for _, r := range rows {
		wait, longestWait := middle(r.Waits)
		median, longest := middle(r.Recoveries)
		table = append(table, []string{r.Name,
			fmt.Sprint(r.Faults), fmt.Sprint(r.Sent), fmt.Sprint(r.Effective), fmt.Sprint(r.Doubled), fmt.Sprint(r.Lost),
			fmt.Sprint(r.Disordered), fmt.Sprint(r.Uncaused), fmt.Sprint(r.Repeated),
			seconds(wait), seconds(longestWait), seconds(median), seconds(longest), r.Does})
	}
	return document.Table(w, table)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
