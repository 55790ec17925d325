package pins

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"tasmota-azd/test/document"
)

// A group is rows of one scenario and driver whose edges are the same. The times are
// the longest of them.
type group struct {
	Row
	boards, places []string
}

func (g *group) add(r Row) {
	if !slices.Contains(g.boards, r.Board) {
		g.boards = append(g.boards, r.Board)
	}
	if !slices.Contains(g.places, r.place()) {
		g.places = append(g.places, r.place())
	}
	g.Wrong, g.LetGo = max(g.Wrong, r.Wrong), max(g.LetGo, r.LetGo)
}

// takes tells whether a row belongs to the group.
func (g *group) takes(r Row) bool {
	return g.Scenario == r.Scenario && g.Driver == r.Driver && g.Note == r.Note && g.Commanded == r.Commanded &&
		g.Seen == r.Seen && g.Kernel == r.Kernel && g.Unexpected == r.Unexpected
}

func groups(rows []Row) []*group {
	var list []*group
	for _, r := range sorted(rows) {
		i := slices.IndexFunc(list, func(g *group) bool { return g.takes(r) })
		if i < 0 {
			i, list = len(list), append(list, &group{Row: r})
		}
		list[i].add(r)
	}
	return list
}

// Head are the names of the columns.
var Head = []string{"scenario", "driver", "boards", "started, kernel", "commanded", "seen", "by the kernel", "unexpected", "wrong level, µs", "let go, ms", "note"}

// Cells makes the lines of the table. Rows with the same edges are put together.
func Cells(rows []Row) (table [][]string) {
	for _, g := range groups(rows) {
		table = append(table, []string{g.Scenario, g.Driver, strings.Join(g.boards, ", "), strings.Join(g.places, ", "),
			fmt.Sprint(g.Commanded), fmt.Sprint(g.Seen), fmt.Sprint(g.Kernel), fmt.Sprint(g.Unexpected),
			fmt.Sprint(g.Wrong.Microseconds()), fmt.Sprint(g.LetGo.Milliseconds()), g.Note})
	}
	return table
}

// Merge puts lines into a table in the place of all whose scenario begins in this way.
func Merge(table, lines [][]string, scenarios string) [][]string {
	table = slices.DeleteFunc(table, func(cells []string) bool { return strings.HasPrefix(cells[0], scenarios) })
	table = append(table, lines...)
	slices.SortStableFunc(table, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return table
}

// Table writes lines as a table in Markdown.
func Table(w io.Writer, lines [][]string) error {
	return document.Table(w, append([][]string{Head}, lines...))
}
