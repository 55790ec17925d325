package device_test

import (
	"os"
	"path/filepath"
	"testing"

	"tasmota-azd/internal/device"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/store"
)

// copied returns a copy of the files in dir as they are now: what a daemon that is
// killed leaves behind.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// peek returns what a restart would find if the daemon were killed now.
func peek(t *testing.T, dir string) device.State {
	t.Helper()
	s, err := store.Open(copied(t, dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	state, j, err := device.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	return state
}

// opened opens what the last run left in dir, until the test ends.
func opened(t testing.TB, dir string) (*store.Store, device.State, *journal.Journal) {
	t.Helper()
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	state, j, err := device.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	return s, state, j
}
