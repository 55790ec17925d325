package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"tasmota-azd/test/document"
)

var head = []string{"figure", "measured", "target", "", "measured at", "command"}

// put writes the rows into a document. Figures of commands that were not run stay.
func put(file string, all []row) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	commit, err := exec.Command("git", "rev-parse", "--short=10", "HEAD").Output()
	if err != nil {
		return err
	}
	at := time.Now().UTC().Format("2006-01-02 15:04") + ", " + strings.TrimSpace(string(commit))
	var b strings.Builder
	fmt.Fprintf(&b, "On a machine with %d processors (%s), with %s; times are UTC.\n\n", runtime.NumCPU(), runtime.GOARCH, runtime.Version())
	if err := document.Table(&b, append([][]string{head}, merged(string(old), all, at)...)); err != nil {
		return err
	}
	return document.Put(file, "make report", b.String())
}

// merged are the new rows, and those of the document whose commands are measured by none
// of them, in the order of the measurements.
func merged(old string, all []row, at string) (table [][]string) {
	var before [][]string
	for line := range strings.Lines(old) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) == len(head) && strings.HasPrefix(line, "| ") {
			for i := range cells {
				cells[i] = strings.TrimSpace(strings.Trim(strings.TrimSpace(cells[i]), "|"))
			}
			before = append(before, cells)
		}
	}
	for _, m := range measurements {
		command := "`" + m.command + "`"
		for _, f := range m.figures {
			is := func(name string) bool { return name == f.name }
			if i := slices.IndexFunc(all, func(r row) bool { return is(r.name) }); i >= 0 {
				r := all[i]
				table = append(table, []string{r.name, r.value, r.target, string(r.verdict), at, command})
			} else if i := slices.IndexFunc(before, func(cells []string) bool { return is(cells[0]) }); i >= 0 {
				table = append(table, before[i])
			}
		}
	}
	return table
}
