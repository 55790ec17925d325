package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const lockName = "lock"

// A LockedError says that another daemon holds the directory.
type LockedError struct {
	Dir string
	PID int // of the other daemon, 0 if it could not be read
}

func (e *LockedError) Error() string {
	who := "another tasmota-azd"
	if e.PID != 0 {
		who += fmt.Sprintf(" (process %d)", e.PID)
	}
	return fmt.Sprintf("state directory %s is in use by %s: stop that one first, or give this one a state_dir of its own", e.Dir, who)
}

// Open takes the directory for this process, creating it if need be, and
// removes what an interrupted Save left in it. The error is a *LockedError if
// another daemon has it, and says what to do if it cannot be written to: that
// shows now and not at the first change. A nil log discards.
func Open(dir string, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, denied(dir, err)
	}
	if info, err := root.Stat("."); err == nil && info.Mode().Perm()&0o022 != 0 {
		log.Warn("others may change the state directory: run chmod 700 on it", "dir", dir, "mode", info.Mode())
	}
	s := &Store{dir: dir, root: root, log: log, dirty: make(map[string]bool), others: make(map[string]*others)}
	if err := s.takeLock(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if err := s.probe(); err != nil {
		return nil, errors.Join(denied(dir, err), s.Close())
	}
	s.removeTemps()
	return s, nil
}

// Close syncs what was saved and gives the directory free.
func (s *Store) Close() error {
	err := s.Sync()
	_ = s.lock.Truncate(0) // a stale pid would mislead no one: the lock counts
	return errors.Join(err, s.lock.Close(), s.root.Close())
}

// makeDir creates dir for its owner only. An existing directory keeps its mode:
// state_dir may be a mistake, and /tmp must not become private.
func makeDir(dir string) error {
	err := os.MkdirAll(filepath.Dir(dir), 0o755)
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	me := userName(os.Geteuid())
	return fmt.Errorf("state directory %s cannot be made by %s: %w: run 'sudo install -d -m 0700 -o %s %s', or set state_dir to another directory",
		dir, me, err, me, dir)
}

// takeLock locks the lock file for as long as the process lives. The file
// itself stays for ever: removing it would let two daemons lock two files.
func (s *Store) takeLock() error {
	f, err := s.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return denied(s.dir, err)
	}
	if err := flock(f); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return &LockedError{Dir: s.dir, PID: readPID(f)}
		}
		return fmt.Errorf("locking the state directory %s: %w", s.dir, err)
	}
	s.lock = f
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		s.log.Warn("process id not written to the lock file", "err", err) // as on a full disk
	}
	return nil
}

func flock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = conn.Control(func(fd uintptr) {
		locked = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB)
	})
	return errors.Join(err, locked)
}

// readPID returns the process id in the lock file, or 0: its writer may be
// between taking the lock and writing.
func readPID(f io.ReaderAt) int {
	var b [20]byte
	n, _ := f.ReadAt(b[:], 0) // a short file is an error, and usual
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// probe finds out whether files can be made here. A full disk is no reason not
// to start: the relays and the last state are worth more than the next one.
func (s *Store) probe() error {
	f, err := s.root.OpenFile(tempName("probe"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		s.log.Warn("no room for a new state: changes will be lost at the next start", "dir", s.dir, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close() // removeTemps takes it away
}

// removeTemps clears away what a Save that was cut short has left.
func (s *Store) removeTemps() {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		s.log.Warn("leftovers in the state directory not looked for", "err", err)
	}
	for _, e := range entries {
		if !isTemp(e.Name()) {
			continue
		}
		if err := s.root.Remove(e.Name()); err != nil {
			s.log.Warn("leftover in the state directory not removed", "file", e.Name(), "err", err)
		}
	}
}

// denied words the error of a directory that is there but of no use.
func denied(dir string, cause error) error {
	if e, ok := errors.AsType[*fs.PathError](cause); ok {
		cause = e.Err // the path is said already
	}
	remedy := "set state_dir to another directory"
	switch me := userName(os.Geteuid()); {
	case errors.Is(cause, fs.ErrPermission):
		remedy = fmt.Sprintf("if it is meant for this daemon, which runs as %s, run 'sudo chown -R %s %s', else %s", me, me, dir, remedy)
	case errors.Is(cause, syscall.ENOSPC), errors.Is(cause, syscall.EDQUOT):
		remedy = "make room on that disk"
	}
	return fmt.Errorf("state directory %s%s cannot be used: %w: %s", dir, ownedBy(dir), cause, remedy)
}

// ownedBy describes a path, such as " (of root, drwxr-xr-x)", or says nothing.
func ownedBy(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf(" (of %s, %v)", userName(int(st.Uid)), info.Mode())
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
