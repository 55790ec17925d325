// Table prints the rows that the tests of `make pins` recorded, and puts them into a
// document, between two marks.
//
//	table ROWS DOCUMENT
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
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: table ROWS DOCUMENT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(rows, into string, stdout io.Writer) error {
	f, err := os.Open(rows)
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := pins.ReadRows(f)
	if err != nil {
		return fmt.Errorf("%s: %w", rows, err)
	}
	var table bytes.Buffer
	if err := pins.Table(&table, all); err != nil {
		return err
	}
	if _, err := stdout.Write(table.Bytes()); err != nil {
		return err
	}
	return document.Put(into, "make pins", table.String())
}
