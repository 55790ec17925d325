package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	const begin, end = "<!-- rows: made by make pins -->\n", "<!-- end of the rows -->\n"
	rows, document := filepath.Join(t.TempDir(), "rows"), filepath.Join(t.TempDir(), "doc.md")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(rows, `{"Scenario":"restart","Driver":"gpiochip","Commanded":3}`+"\n")
	write(document, "before\n"+begin+"old\n"+end+"after\n")
	for range 2 { // the second changes nothing
		var out strings.Builder
		if err := run(rows, document, "", &out); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		if want := "before\n" + begin + "\n" + out.String() + "\n" + end + "after\n"; string(got) != want || !strings.Contains(want, "| restart ") {
			t.Errorf("got\n%s", got)
		}
	}
	write(rows, `{"Scenario":"reload: A","Driver":"gpiochip","Commanded":7}`+"\n")
	for range 2 {
		var out strings.Builder
		if err := run(rows, document, "reload", &out); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(out.String(), "\n"); len(lines) != 5 || !strings.HasPrefix(lines[2], "| reload: A | gpiochip |") || !strings.HasPrefix(lines[3], "| restart ") || !strings.Contains(lines[3], " | 3 ") {
			t.Errorf("merged:\n%s", out.String())
		}
	}
	write(document, "no marks")
	if err := run(rows, document, "", new(strings.Builder)); err == nil {
		t.Error("a document without marks is written to")
	}
}
