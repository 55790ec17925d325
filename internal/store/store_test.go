package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/store"
)

// settings stands for what the daemon keeps.
type settings struct {
	Relays []bool         `json:"relays"`
	Period int            `json:"period"`
	Names  map[string]int `json:"names,omitempty"`
}

// open returns a store, its directory, and what it logs.
func open(t testing.TB) (*store.Store, string, *bytes.Buffer) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	log := new(bytes.Buffer)
	s, err := store.Open(dir, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, dir, log
}

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func files(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestRoundTrip(t *testing.T) {
	s, dir, log := open(t)
	want := settings{Relays: []bool{true, false}, Period: 300}
	if wrote, err := s.Save("settings.json", want); !wrote || err != nil {
		t.Fatalf("first Save: %v, %v", wrote, err)
	}
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	var got settings
	if ok, err := s.Load("settings.json", &got); !ok || err != nil || got.Period != 300 || !got.Relays[0] || got.Relays[1] {
		t.Errorf("Load: %v, %v, %+v", ok, err, got)
	}
	for path, want := range map[string]fs.FileMode{
		dir:                                 fs.ModeDir | 0o700,
		filepath.Join(dir, "settings.json"): 0o600,
		filepath.Join(dir, "lock"):          0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, want %v (%v)", path, info.Mode(), want, err)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log)
	}
}

func TestSaveOnlyWhatChanged(t *testing.T) {
	s, dir, _ := open(t)
	path := filepath.Join(dir, "a.json")
	for i, step := range []struct {
		value settings
		spoil func() error
		wrote bool
	}{
		{settings{Period: 1}, nil, true},
		{settings{Period: 1}, nil, false},
		{settings{Period: 2}, nil, true},
		{settings{Period: 2}, func() error { return os.Remove(path) }, true},
		{settings{Period: 2}, func() error { return os.Truncate(path, 0) }, true},
		{settings{Period: 2}, nil, false},
	} {
		if step.spoil != nil {
			if err := step.spoil(); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := os.Stat(path) // nil the first time
		wrote, err := s.Save("a.json", step.value)
		after, _ := os.Stat(path)
		if err != nil || wrote != step.wrote {
			t.Errorf("step %d: Save: %v, %v, want %v", i, wrote, err, step.wrote)
		}
		if replaced := before == nil || !os.SameFile(before, after); replaced != step.wrote {
			t.Errorf("step %d: file replaced: %v, want %v", i, replaced, step.wrote)
		}
	}
}

func TestLoadNothing(t *testing.T) {
	s, dir, _ := open(t)
	write(t, dir, "empty.json", nil)
	for _, name := range []string{"missing.json", "empty.json"} {
		v := settings{Period: 7}
		if ok, err := s.Load(name, &v); ok || err != nil || v.Period != 7 {
			t.Errorf("Load(%s) = %v, %v, %+v", name, ok, err, v)
		}
	}
	if got := files(t, dir); got != "empty.json lock" {
		t.Errorf("directory holds %q", got)
	}
}

func TestLoadBroken(t *testing.T) {
	whole := `{"version":1,"value":{"relays":[true],"period":300}}`
	for name, data := range map[string]string{
		"truncated":  whole[:len(whole)-9],
		"zeros":      strings.Repeat("\x00", 64), // seen after a loss of power
		"text":       "relays: on\n",
		"other type": `{"version":1,"value":{"relays":[true],"period":"long"}}`,
		"no version": `{"value":{"period":1}}`,
		"no value":   `{"version":1}`,
		"two values": whole + whole,
		"oversized":  `{"version":1,"value":{"period":1}}` + strings.Repeat(" ", store.MaxSize),
		"a list":     `[1]`,
	} {
		t.Run(name, func(t *testing.T) {
			s, dir, log := open(t)
			write(t, dir, "a.json", []byte(data))
			v := settings{Period: 7}
			if ok, err := s.Load("a.json", &v); ok || err != nil || v.Period != 7 || v.Relays != nil {
				t.Errorf("Load: %v, %v, %+v", ok, err, v)
			}
			if got := files(t, dir); got != "a.json.broken lock" {
				t.Errorf("directory holds %q", got)
			}
			if kept, _ := os.ReadFile(filepath.Join(dir, "a.json.broken")); string(kept) != data {
				t.Error("what was set aside is not what was there")
			}
			if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "a.json.broken") {
				t.Errorf("logged %q", log)
			}
			if wrote, err := s.Save("a.json", v); !wrote || err != nil {
				t.Errorf("Save after it: %v, %v", wrote, err)
			}
		})
	}
}

func TestLoadNotAFile(t *testing.T) {
	s, dir, _ := open(t)
	secret := filepath.Join(t.TempDir(), "outside.json")
	if err := os.WriteFile(secret, []byte(`{"version":1,"value":{"period":9}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "dir.json"), 0o700), os.Symlink(secret, filepath.Join(dir, "link.json"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dir.json", "link.json"} {
		var v settings
		if ok, err := s.Load(name, &v); ok || err != nil || v.Period != 0 {
			t.Errorf("Load(%s): %v, %v, %+v", name, ok, err, v)
		}
		if wrote, err := s.Save(name, v); !wrote || err != nil {
			t.Errorf("Save(%s): %v, %v", name, wrote, err)
		}
	}
	if data, _ := os.ReadFile(secret); !bytes.Contains(data, []byte("9")) {
		t.Error("a link was followed out of the directory")
	}
}

func TestBrokenFilesAreBounded(t *testing.T) {
	s, dir, _ := open(t)
	for range 9 {
		write(t, dir, "a.json", []byte("?"))
		if ok, err := s.Load("a.json", new(settings)); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	want := "a.json.broken a.json.broken-2 a.json.broken-3 a.json.broken-4 a.json.broken-5 lock"
	if got := files(t, dir); got != want {
		t.Errorf("directory holds %q, want %q", got, want)
	}
}

func TestNewerRelease(t *testing.T) {
	s, dir, log := open(t)
	write(t, dir, "a.json", []byte(`{"version":2,"since":"v2","value":{"relays":[true],"period":{"every":"5m"},"extra":1}}`))
	v := settings{Period: 7}
	ok, err := s.Load("a.json", &v)
	if !ok || err != nil || len(v.Relays) != 1 || v.Period != 7 {
		t.Errorf("Load: %v, %v, %+v", ok, err, v)
	}
	if !strings.Contains(log.String(), "version=2") {
		t.Errorf("logged %q", log)
	}
	if got := files(t, dir); got != "a.json a.json.v2 lock" {
		t.Errorf("directory holds %q", got)
	}
	if _, err := s.Save("a.json", v); err != nil {
		t.Fatal(err)
	}
	var later struct {
		Period int `json:"period"`
		Extra  int `json:"extra"`
	}
	if ok, err := s.Load("a.json", &later); !ok || err != nil || later.Period != 7 || later.Extra != 1 {
		t.Errorf("the newer release finds %v, %v, %+v", ok, err, later)
	}
	if kept, _ := os.ReadFile(filepath.Join(dir, "a.json.v2")); !strings.Contains(string(kept), `"every":"5m"`) {
		t.Errorf("kept %s", kept)
	}
}

func TestBadNames(t *testing.T) {
	s, _, _ := open(t)
	for _, name := range []string{"", "lock", ".a.tmp", ".", "..", "a/b", "../a", "A.json", "a.json.broken", "a b"} {
		if _, err := s.Save(name, 1); err == nil {
			t.Errorf("Save(%q) was let through", name)
		}
		if _, err := s.Load(name, new(int)); err == nil {
			t.Errorf("Load(%q) was let through", name)
		}
	}
}

func TestSaveFails(t *testing.T) {
	s, dir, _ := open(t)
	if _, err := s.Save("a.json", "old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".a.json.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if wrote, err := s.Save("a.json", "new"); wrote || err == nil {
		t.Errorf("Save: %v, %v", wrote, err)
	}
	if _, err := s.Save("a.json", func() {}); err == nil || !strings.Contains(err.Error(), "a.json") {
		t.Errorf("saving a function: %v", err)
	}
	if _, err := s.Save("a.json", strings.Repeat("x", store.MaxSize)); err == nil {
		t.Error("a value too large to be read back was saved")
	}
	var got string
	if ok, err := s.Load("a.json", &got); !ok || err != nil || got != "old" {
		t.Errorf("Load: %v, %v, %q", ok, err, got)
	}
}

// TestSyncRemembers: what could not be synced is tried again.
func TestSyncRemembers(t *testing.T) {
	s, dir, _ := open(t)
	for _, name := range []string{"a.json", "b.json"} {
		if _, err := s.Save(name, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Sync(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "a.json") {
			t.Errorf("Sync of a lost file: %v", err)
		}
	}
	if _, err := s.Save("a.json", 1); err != nil {
		t.Error(err)
	}
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, "b.json")); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(); err != nil {
		t.Errorf("Sync of nothing new: %v", err)
	}
}

// FuzzLoad: whatever the bytes, Load neither fails nor panics, and what it
// returns can be saved and loaded again.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"version":1,"value":{"relays":[true,false],"period":300,"names":{"a":1}}}`))
	f.Add([]byte(`{"version":9,"value":{"relays":"x","period":3}}`))
	f.Add([]byte(`{"version":1,"value":null}`))
	f.Add([]byte(`{"version":1,"value":`))
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add([]byte{})
	s, dir, _ := open(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, dir, "f.json", data)
		var v settings
		ok, err := s.Load("f.json", &v)
		if err != nil {
			t.Fatal(err)
		}
		if !ok && (v.Relays != nil || v.Period != 0 || v.Names != nil) {
			t.Fatalf("nothing loaded, yet %+v", v)
		}
		if _, err := s.Save("f.json", v); err != nil {
			t.Fatal(err)
		}
		var again settings
		if ok, err := s.Load("f.json", &again); !ok || err != nil || again.Period != v.Period || len(again.Relays) != len(v.Relays) {
			t.Fatalf("saved %+v, loaded %+v (%v, %v)", v, again, ok, err)
		}
	})
}
