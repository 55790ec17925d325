// Package store keeps the daemon's state: one JSON value in one file, and logs
// that grow record by record.
//
// A Store owns one directory, readable by its owner only, and holds a lock on
// it, so that two daemons never work from the same state. A file is replaced
// as a whole, by a temporary file and a rename inside an os.Root: whoever is
// killed, or fills the disk, finds either the old value or the new one. After a
// loss of power that is certain for what was synced; a file system that does
// not write data before the rename may have emptied a later one.
//
// State is precious but never worth a daemon that does not start: what cannot
// be read is moved out of the way with a warning, and counts as missing.
package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
)

// Version is the version of the files this release writes. It is raised when
// the meaning of a stored member changes; a new member needs no new version.
const Version = 1

// MaxSize is the size of the largest file that is read or written, in bytes.
const MaxSize = 1 << 20

const maxAside = 5 // broken files kept under each name

// A Store is one locked directory. Its methods may be called by several
// goroutines; each name belongs to one of them.
type Store struct {
	dir  string
	root *os.Root
	lock *os.File
	log  *slog.Logger

	mu     sync.Mutex
	dirty  map[string]bool    // files changed and not yet synced; true: renamed into place
	others map[string]*others // of each file: what a later release wrote there
}

// envelope is a stored file. An older release reads a newer file as far as it
// understands it, and saves it with the members that it does not know.
type envelope struct {
	Version int             `json:"version"`
	Value   json.RawMessage `json:"value"`
}

// Load reads the file called name into v, a pointer. It returns false and
// leaves v alone if there is nothing usable: no file, an empty one, or one
// that is broken, which is moved aside with a warning. An error means that the
// file is there but the system would not let it be read.
func (s *Store) Load(name string, v any) (bool, error) {
	if err := checkName(name); err != nil {
		return false, err
	}
	data, err := s.read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, errUnusable):
		s.setAside(name, err)
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading the state: %w", err)
	case len(data) == 0:
		s.log.Warn("state file is empty and counts as missing", "file", name)
		return false, nil
	}
	e, err := decode(data, v)
	if err != nil {
		s.setAside(name, err)
		return false, nil
	}
	if e.Version > Version {
		s.copyAside(name, e.Version, data)
	}
	s.Keep(name, e.Value, v)
	return true, nil
}

// decode unpacks data into v. It tries a value of its own first: v is either
// filled from a sound file or not touched.
func decode(data []byte, v any) (e envelope, err error) {
	if err := json.Unmarshal(data, &e); err != nil {
		return e, err
	}
	if e.Version < 1 || len(e.Value) == 0 {
		return e, errors.New("no version or no value in it")
	}
	err = json.Unmarshal(e.Value, reflect.New(reflect.TypeOf(v).Elem()).Interface())
	if _, other := errors.AsType[*json.UnmarshalTypeError](err); other && e.Version > Version {
		_ = json.Unmarshal(e.Value, v) // leaves out just the members of another type
		return e, nil
	}
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(e.Value, v)
}

// Save writes v as the file called name and reports whether it had to: a file
// that holds these bytes already is left alone. After an error the old file
// stands. What Save wrote survives the end of the process at once, and a loss
// of power after Sync.
func (s *Store) Save(name string, v any) (bool, error) {
	if err := checkName(name); err != nil {
		return false, err
	}
	value, err := s.Pack(name, v)
	if err != nil {
		return false, fmt.Errorf("saving %s: %w", name, err)
	}
	data := append(fmt.Appendf(nil, `{"version":%d,"value":`, Version), value...)
	data = append(data, "}\n"...)
	if len(data) > MaxSize {
		return false, fmt.Errorf("saving %s: %d bytes are more than the %d a state file may have", name, len(data), MaxSize)
	}
	if old, err := s.read(name); err == nil && bytes.Equal(old, data) {
		return false, nil
	}
	if err := s.replace(name, data); err != nil {
		return false, fmt.Errorf("saving the state: %w", err)
	}
	return true, nil
}

// replace puts data in the place of the file called name.
func (s *Store) replace(name string, data []byte) error {
	temp := tempName(name)
	err := s.root.WriteFile(temp, data, 0o600)
	if err == nil {
		err = s.root.Rename(temp, name)
	}
	if err != nil {
		_ = s.root.Remove(temp) // it may not exist; the first error counts
		return err
	}
	s.soil(name, true)
	return nil
}

// soil notes that a file has changed since it was synced.
func (s *Store) soil(name string, renamed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty[name] = renamed || s.dirty[name]
}

var errUnusable = errors.New("unusable")

// read returns the bytes of a file, or errUnusable if it is none of ours: too
// large, or a directory, a pipe, a link.
func (s *Store) read(name string) ([]byte, error) { return s.readUpTo(name, MaxSize) }

func (s *Store) readUpTo(name string, most int64) ([]byte, error) {
	info, err := s.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file but %v", errUnusable, info.Mode())
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, fmt.Errorf("%w: larger than %d bytes", errUnusable, most)
	}
	return data, err
}

// setAside renames a file that cannot be used to name.broken, .broken-2 and so
// on; the last of maxAside names is used again and again.
func (s *Store) setAside(name string, cause error) {
	aside := name + ".broken"
	for i := 2; i <= maxAside; i++ {
		if _, err := s.root.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s.broken-%d", name, i)
	}
	if err := s.root.Rename(name, aside); err != nil {
		s.log.Warn("state file is broken and counts as missing", "file", name, "err", cause, "set_aside", err)
		return
	}
	s.log.Warn("state file is broken and was set aside", "file", name, "set_aside", aside, "err", cause)
}

// copyAside keeps a file of a later version as it is, in name.v2 or the like: members that
// mean something else there cannot be saved along.
func (s *Store) copyAside(name string, version int, data []byte) {
	aside := fmt.Sprintf("%s.v%d", name, version)
	err := s.replace(aside, data)
	s.log.Warn("state file of a newer release: what this one does not know stays in it",
		"file", name, "version", version, "known", Version, "copy", aside, "err", err)
}

// Sync makes what was saved since the last Sync survive a loss of power. It
// waits for the disk.
func (s *Store) Sync() error {
	s.mu.Lock()
	names := s.dirty
	s.dirty = make(map[string]bool)
	s.mu.Unlock()
	if len(names) == 0 {
		return nil
	}
	var errs []error
	renames := false
	for name, renamed := range names {
		errs = append(errs, s.syncFile(name))
		renames = renames || renamed
	}
	if renames {
		errs = append(errs, s.syncFile(".")) // which holds the names
	}
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	for name, renamed := range names {
		s.soil(name, renamed)
	}
	return fmt.Errorf("syncing the state: %w", err)
}

func (s *Store) syncFile(name string) error {
	f, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// checkName refuses names that would meet the store's own files.
func checkName(name string) error {
	for _, r := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r) {
			return fmt.Errorf("store: %q is no name for a state file", name)
		}
	}
	if name == "" || name == lockName || name[0] == '.' || strings.Contains(name, ".broken") {
		return fmt.Errorf("store: %q is no name for a state file", name)
	}
	return nil
}

// tempName is where a file is written before it takes its name.
func tempName(name string) string { return "." + name + ".tmp" }

func isTemp(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp")
}
