package faultlab

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A Row is a fault and the verdict on it.
type Row struct {
	Fault
	Verdict
}

// Table writes the rows as a table in Markdown.
func Table(w io.Writer, rows []Row) error {
	table := [][]string{
		{"fault", "times", "sent", "effective", "doubled", "lost", "out of order", "moves without cause", "repeated", "recovered in, median", "longest"},
		nil, // the rule
	}
	for _, r := range rows {
		median, longest := r.Recovery()
		table = append(table, []string{r.Name,
			fmt.Sprint(r.Faults), fmt.Sprint(r.Sent), fmt.Sprint(r.Effective), fmt.Sprint(r.Doubled), fmt.Sprint(r.Lost),
			fmt.Sprint(r.Disordered), fmt.Sprint(r.Uncaused), fmt.Sprint(r.Repeated), seconds(median), seconds(longest)})
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

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
