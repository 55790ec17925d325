package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/config"
)

// canary is in every secret of testdata: as text, and as base64 of it.
var canary = []string{"CANARY", "Q0FOQVJZ"}

// noCanary fails the test if text shows part of a secret.
func noCanary(t *testing.T, text string) {
	t.Helper()
	for _, c := range canary {
		if strings.Contains(text, c) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

// guard goes to a copy of testdata in which the files of keys are closed to others, as
// Git cannot keep them.
func guard(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	files, err := filepath.Glob("testdata/bad/files/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	for _, file := range files {
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBad parses files that hold mistakes. The comment at the head of each is
// the whole error, line by line, without the name of the file.
func TestBad(t *testing.T) {
	guard(t)
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				message, ok := strings.CutPrefix(line, "# ")
				if !ok {
					break
				}
				want = append(want, file+":"+strings.TrimSuffix(message, "\n"))
			}
			_, err = config.Parse(bytes.NewReader(text), file)
			if err == nil {
				t.Fatal("no mistake found")
			}
			if got := err.Error(); got != strings.Join(want, "\n") {
				t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
			}
			noCanary(t, err.Error())
		})
	}
}
