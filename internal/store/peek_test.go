package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"tasmota-azd/internal/store"
)

// TestPeekBesideAHolder reads what another one has, and learns who that is.
func TestPeekBesideAHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var v struct{ A int }
	if version, err := store.Peek(dir, "x", &v); version != 0 || err != nil {
		t.Errorf("without a directory: %d, %v", version, err)
	}
	if pid, err := store.Holder(dir); pid != 0 || err != nil {
		t.Errorf("without a directory: %d, %v", pid, err)
	}
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save("x", struct{ A int }{7}); err != nil {
		t.Fatal(err)
	}
	if version, err := store.Peek(dir, "x", &v); version != store.Version || err != nil || v.A != 7 {
		t.Errorf("%d, %v, %+v", version, err, v)
	}
	if pid, err := store.Holder(dir); pid != os.Getpid() || err != nil {
		t.Errorf("held by %d, %v; want %d", pid, err, os.Getpid())
	}
	if err := os.WriteFile(filepath.Join(dir, "y"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Peek(dir, "y", &v); err == nil {
		t.Error("a broken file was read")
	}
	if _, err := os.Stat(filepath.Join(dir, "y")); err != nil {
		t.Errorf("a broken file was moved: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if pid, err := store.Holder(dir); pid != 0 || err != nil {
		t.Errorf("still held by %d, %v", pid, err)
	}
}
