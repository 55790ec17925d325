// Table prints the rows that the tests of `make pins` recorded, and puts them into a
// document, between two marks.
//
//	table ROWS DOCUMENT
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"tasmota-azd/test/pins"
)

const begin, end = "<!-- rows: made by make pins -->\n", "<!-- end of the rows -->\n"

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

func run(rows, document string, stdout io.Writer) error {
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
	old, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	text, err := replace(string(old), table.String())
	if err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	return os.WriteFile(document, []byte(text), 0o644)
}

// replace puts the table between the marks.
func replace(document, table string) (string, error) {
	before, rest, ok := strings.Cut(document, begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return "", errors.New("there are no marks for the rows")
	}
	return before + begin + "\n" + table + "\n" + end + after, nil
}
