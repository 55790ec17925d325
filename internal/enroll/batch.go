package enroll

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A batch is files that are to change together: each is written beside its place, and
// only when all of them are on the disk they are renamed.
type batch struct {
	steps []step
	gone  []string
}

// A step puts a prepared file in its place. What stood there is kept in memory until all
// is done: a copy on the disk could stay there, with an old key in it.
type step struct {
	to  string
	was *content // nil: nothing stood there
}

// from is where the file is prepared. The name is always the same, so that the next run
// uses up what one that was killed has left, and a purge finds it.
func (s step) from() string { return s.to + ".enroll" }

type content struct {
	data     []byte
	mode     fs.FileMode
	uid, gid int
}

// write prepares a file with a mode and an owner.
func (b *batch) write(path string, data []byte, mode fs.FileMode, uid, gid int) error {
	was, err := standing(path)
	if err != nil {
		return err
	}
	s := step{path, was}
	b.steps = append(b.steps, s)
	return put(s.from(), content{data, mode, uid, gid})
}

// replace prepares a file that has the mode and the owner of the one before. A link to it
// stays one.
func (b *batch) replace(path string, data []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	uid, gid := owner(info)
	return b.write(path, data, info.Mode().Perm(), uid, gid)
}

// remove prepares that a file, if it is there, goes.
func (b *batch) remove(path string) { b.gone = append(b.gone, path) }

// commit puts everything in its place, or leaves it all as it was: a file that is mounted
// or immutable cannot be replaced, and shows it only now. What is to go goes last, and
// an error says so.
func (b *batch) commit() error {
	for i, s := range b.steps {
		if err := os.Rename(s.from(), s.to); err != nil {
			return errors.Join(err, b.undo(i))
		}
	}
	dirs := map[string]bool{}
	for _, s := range b.steps {
		dirs[filepath.Dir(s.to)] = true
	}
	for _, path := range b.gone {
		switch err := os.Remove(path); {
		case err == nil:
			dirs[filepath.Dir(path)] = true
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("the new files are in place, but an old one stays; remove it yourself: %w", err)
		}
	}
	for dir := range dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// undo puts back what stood in the places of the first n files.
func (b *batch) undo(n int) error {
	var failed error
	for _, s := range b.steps[:n] {
		if s.was == nil {
			failed = errors.Join(failed, os.Remove(s.to))
			continue
		}
		err := put(s.from(), *s.was)
		if err == nil {
			err = os.Rename(s.from(), s.to)
		}
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return fmt.Errorf("and what is changed already stays so: %w", failed)
	}
	return nil
}

// standing is what stands at a path, nil if nothing does.
func standing(path string) (*content, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	uid, gid := owner(info)
	data, err := os.ReadFile(path)
	return &content{data, info.Mode().Perm(), uid, gid}, err
}

// put writes a file onto the disk. Nobody else can open it before it has its owner.
func put(path string, c content) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(c.data)
	if c.uid != os.Geteuid() || c.gid != os.Getegid() {
		err = errors.Join(err, f.Chown(c.uid, c.gid))
	}
	return errors.Join(err, f.Chmod(c.mode), f.Sync(), f.Close())
}

// syncDir makes renames last over a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// forget removes what was prepared and not put in its place.
func (b *batch) forget() {
	for _, s := range b.steps {
		os.Remove(s.from()) // it is gone if all went well
	}
}
