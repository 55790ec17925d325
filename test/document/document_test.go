package document_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/test/document"
)

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := document.Table(&b, [][]string{{"a", "µs"}, {"long", "1"}}); err != nil {
		t.Fatal(err)
	}
	if want := "| a    | µs |\n| ---- | -- |\n| long | 1  |\n"; b.String() != want {
		t.Errorf("got\n%s", &b)
	}
}

func TestPut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doc.md")
	const one, two, end = "<!-- rows: made by one -->\n", "<!-- rows: made by two -->\n", "<!-- end of the rows -->\n"
	if err := os.WriteFile(file, []byte("before\n"+one+"old\n"+end+"between\n"+two+end+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second changes nothing
		if err := document.Put(file, "two", "| new |\n"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := "before\n" + one + "old\n" + end + "between\n" + two + "\n| new |\n\n" + end + "after\n"; string(got) != want {
			t.Errorf("got\n%s", got)
		}
	}
	if err := document.Put(file, "three", "x"); err == nil {
		t.Error("a document without marks is written to")
	}
}
