package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/store"
)

// TestRecordsOfALaterRelease are there after this one has compacted the journal, the
// newest of them.
func TestRecordsOfALaterRelease(t *testing.T) {
	const size, many = 64 << 10, 6 // of which four fit
	dir := filepath.Join(t.TempDir(), "state")
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	log, _, err := s.OpenLog(journal.File, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range many {
		if err := log.Append(fmt.Appendf(nil, `{"rule":{"n":%d,"text":"%s"}}`, i, strings.Repeat("x", size-100))); err != nil {
			t.Fatal(err)
		}
	}
	log.Close()
	s.Close()

	j := open(t, dir, 0)
	done(t, j, journal.Outcome{At: noon, Commands: []journal.Command{{Cause: message("m1")}}})
	for range 2 {
		if err := j.Compact(); err != nil {
			t.Fatal(err)
		}
	}
	j, dir = killed(t, dir)
	if _, ok := j.Known("m1", noon); !ok {
		t.Error("what this release wrote is lost")
	}
	if err := j.Compact(); err != nil {
		t.Fatal(err)
	}
	_, to := killed(t, dir)
	got := records(t, to)
	for i := range many {
		n := strings.Count(got, fmt.Sprintf(`{"rule":{"n":%d,`, i))
		if fits := i >= many-4; fits != (n == 1) || n > 1 {
			t.Errorf("record %d is there %d times", i, n)
		}
	}
}

// records are the values in the log.
func records(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, journal.File))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
