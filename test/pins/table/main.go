// Table prints the rows that the tests of `make pins` recorded, and puts them into a
// document, between two marks. With the beginning of the names of scenarios the others
// stay in the document as they are.
//
//	table ROWS DOCUMENT [SCENARIOS]
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"tasmota-azd/test/document"
	"tasmota-azd/test/pins"
)

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: table ROWS DOCUMENT [SCENARIOS]")
		os.Exit(2)
	}
	scenarios := ""
	if len(os.Args) == 4 {
		scenarios = os.Args[3]
	}
	if err := run(os.Args[1], os.Args[2], scenarios, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

const maker = "make pins"

func run(rows, into, scenarios string, stdout io.Writer) error {
	f, err := os.Open(rows)
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := pins.ReadRows(f)
	if err != nil {
		return fmt.Errorf("%s: %w", rows, err)
	}
	lines := pins.Cells(all)
	if scenarios != "" {
		old, err := document.Rows(into, maker)
		if err != nil {
			return err
		}
		lines = pins.Merge(old, lines, scenarios)
	}
	var table bytes.Buffer
	if err := pins.Table(&table, lines); err != nil {
		return err
	}
	if _, err := stdout.Write(table.Bytes()); err != nil {
		return err
	}
	return document.Put(into, maker, table.String())
}
