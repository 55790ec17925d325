package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Peek reads the file called name in a directory that may be in use, into v, and changes
// nothing there. It returns the version of the release that wrote the file, 0 if there is
// none. The error says that it may not be read, or is broken.
func Peek(dir, name string, v any) (version int, err error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer root.Close()
	s := &Store{dir: dir, root: root}
	data, err := s.read(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	e, err := decode(data, v)
	if err != nil {
		return 0, fmt.Errorf("%s is broken: %w", filepath.Join(dir, name), err)
	}
	return e.Version, nil
}

// Holder returns the process that has a directory, 0 for none. It does not try the lock,
// which a daemon might need just then, but reads the kernel's list.
func Holder(dir string) (pid int, err error) {
	info, err := os.Stat(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	list, err := os.ReadFile("/proc/locks")
	if err != nil || !ok {
		return 0, err
	}
	return holder(string(list), st.Ino), nil
}

// holder finds "1: FLOCK  ADVISORY  WRITE 4711 08:02:131077 0 EOF" of an inode. The
// device before it is left out: some file systems show another one there.
func holder(list string, inode uint64) int {
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], ":"+strconv.FormatUint(inode, 10)) {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil {
			return pid
		}
	}
	return 0
}
