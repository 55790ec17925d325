package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestProper(t *testing.T) {
	t.Chdir(t.TempDir())
	known, err := filepath.Abs("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.yaml", "other.yaml"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(known, "link.yaml"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		known: known, "config.yaml": known, "./config.yaml": known, "link.yaml": known, "/" + known: known,
		"other.yaml": "other.yaml", "none.yaml": "none.yaml",
	} {
		if got := proper(path, known); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := proper("other.yaml", "none.yaml"); got != "other.yaml" {
		t.Error(got)
	}
}
