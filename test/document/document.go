// Package document writes tables in Markdown, and puts what a test has measured into a
// document, between two marks.
package document

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Table writes rows of cells, of which the first is the head.
func Table(w io.Writer, rows [][]string) error {
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, c := range cells {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	for n, cells := range rows {
		if err := line(w, widths, cells); err != nil {
			return err
		}
		if n == 0 {
			if err := line(w, widths, rule); err != nil {
				return err
			}
		}
	}
	return nil
}

func line(w io.Writer, widths []int, cells []string) error {
	padded := make([]string, len(cells))
	for i, c := range cells {
		padded[i] = c + strings.Repeat(" ", widths[i]-len([]rune(c)))
	}
	_, err := fmt.Fprintf(w, "| %s |\n", strings.Join(padded, " | "))
	return err
}

// Rows returns the cells of the table that a file has between the marks of that name,
// without the head.
func Rows(file, maker string) ([][]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, inside, _, err := cut(file, string(text), maker)
	var all [][]string
	for row := range strings.Lines(inside) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(row), "| "); ok {
			var cells []string
			for c := range strings.SplitSeq(strings.TrimSuffix(text, " |"), " | ") {
				cells = append(cells, strings.TrimSpace(c))
			}
			all = append(all, cells)
		}
	}
	return all[min(len(all), 2):], err // head and rule
}

// Put replaces what a file has between the marks of that name:
//
//	<!-- rows: made by make pins -->
//	<!-- end of the rows -->
func Put(file, maker, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, _, after, err := cut(file, string(old), maker)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(before+"\n"+text+"\n"+after), 0o644)
}

// cut cuts a text at its marks, which stay with what is around.
func cut(file, text, maker string) (before, inside, after string, err error) {
	begin, end := "<!-- rows: made by "+maker+" -->\n", "<!-- end of the rows -->\n"
	before, rest, ok := strings.Cut(text, begin)
	inside, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		err = fmt.Errorf("%s: %w", file, errors.New("there are no marks for the rows of "+maker))
	}
	return before + begin, inside, end + after, err
}
