package store_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/store"
)

// openLog opens a directory and a log in it until the test ends, and returns its
// records as "<number> <value>".
func openLog(t testing.TB, dir string, after uint64) (*store.Log, []string) {
	t.Helper()
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, records, err := s.OpenLog("journal", after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); s.Close() })
	var texts []string
	for _, r := range records {
		texts = append(texts, fmt.Sprintf("%d %s", r.Number, r.Value))
	}
	return l, texts
}

// copyOf returns a directory with the log as it is now in dir: what a process that
// is killed leaves behind.
func copyOf(t testing.TB, dir string) (to, file string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	to = t.TempDir()
	file = filepath.Join(to, "journal")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return to, file
}

func appendAll(t testing.TB, l *store.Log, values ...any) {
	t.Helper()
	for _, v := range values {
		if err := l.Append(text(t, v)); err != nil {
			t.Fatal(err)
		}
	}
}

func text(t testing.TB, v any) []byte {
	t.Helper()
	value, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestLogGrows(t *testing.T) {
	dir := t.TempDir()
	l, old := openLog(t, dir, 0)
	if len(old) != 0 {
		t.Fatalf("a new log has %q", old)
	}
	appendAll(t, l, "a", map[string]int{"b": 1})
	again, _ := copyOf(t, dir)
	l, got := openLog(t, again, 0)
	if want := []string{`1 "a"`, `2 {"b":1}`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	appendAll(t, l, "c")
	again, _ = copyOf(t, again)
	if _, got := openLog(t, again, 0); !slices.Contains(got, `3 "c"`) {
		t.Errorf("%q, want a third record", got)
	}
}

func TestLogNumbersGoOnBehind(t *testing.T) {
	dir := t.TempDir()
	l, _ := openLog(t, dir, 41)
	appendAll(t, l, "a")
	again, _ := copyOf(t, dir)
	if l, got := openLog(t, again, 7); !slices.Equal(got, []string{`42 "a"`}) || l.Last() != 42 {
		t.Errorf("%q, last %d", got, l.Last())
	}
}

// Cut at any byte, a log has all records before the cut, and takes more.
func TestLogTornAnywhere(t *testing.T) {
	dir := t.TempDir()
	l, _ := openLog(t, dir, 0)
	appendAll(t, l, "first", "second", "third")
	_, file := copyOf(t, dir)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal"), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l, got := openLog(t, dir, 0)
		if want := bytes.Count(whole[:cut], []byte("\n")); len(got) != want {
			t.Fatalf("cut at %d: %q, want %d records", cut, got, want)
		}
		appendAll(t, l, "next")
		again, _ := copyOf(t, dir)
		if _, more := openLog(t, again, 0); len(more) != len(got)+1 || !strings.HasSuffix(more[len(got)], `"next"`) {
			t.Fatalf("cut at %d and gone on: %q", cut, more)
		}
	}
}

// A line that was changed is left out, and only that one.
func TestLogLeavesOutWhatIsBroken(t *testing.T) {
	dir := t.TempDir()
	l, _ := openLog(t, dir, 0)
	appendAll(t, l, "first", "second", "third")
	again, file := copyOf(t, dir)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(data, []byte("second"), []byte("sekond"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, got := openLog(t, again, 0); !slices.Equal(got, []string{`1 "first"`, `3 "third"`}) {
		t.Errorf("%q", got)
	}
}

func TestLogRewrite(t *testing.T) {
	dir := t.TempDir()
	l, _ := openLog(t, dir, 0)
	appendAll(t, l, "a", "b", "c")
	if err := l.Rewrite(slices.Values([][]byte{text(t, "all")})); err != nil {
		t.Fatal(err)
	}
	appendAll(t, l, "d")
	again, file := copyOf(t, dir)
	if _, got := openLog(t, again, 0); !slices.Equal(got, []string{`4 "all"`, `5 "d"`}) {
		t.Errorf("%q", got)
	}
	if info, err := os.Stat(file); err != nil || info.Size() != l.Size() {
		t.Errorf("%v, %v; the log thinks %d", info, err, l.Size())
	}
}

// What is no log of ours is set aside.
func TestLogSetsAside(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "journal", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, got := openLog(t, dir, 0)
	if len(got) != 0 {
		t.Errorf("%q", got)
	}
	appendAll(t, l, "a")
	if _, err := os.Stat(filepath.Join(dir, "journal.broken", "x")); err != nil {
		t.Error(err)
	}
}

// FuzzLog: any file is opened, and takes records that are found again.
func FuzzLog(f *testing.F) {
	dir := f.TempDir()
	l, _ := openLog(f, dir, 0)
	appendAll(f, l, "first", map[string]any{"x": 1})
	_, file := copyOf(f, dir)
	whole, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add([]byte("00000000 1 \"a\"\n\n\n"))
	f.Add([]byte("no log at all"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		l, before := openLog(t, dir, 0)
		if l.Last() == 1<<63-1 {
			return // as many records as there are numbers
		}
		appendAll(t, l, "more")
		again, _ := copyOf(t, dir)
		_, after := openLog(t, again, 0)
		if len(after) != len(before)+1 || !slices.Equal(after[:len(before)], before) {
			t.Errorf("%q, then %q", before, after)
		}
	})
}
