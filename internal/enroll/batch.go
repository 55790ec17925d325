package enroll

import (
	"errors"
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

type step struct{ from, to string }

// write prepares a file with a mode and an owner.
func (b *batch) write(path string, data []byte, mode fs.FileMode, uid, gid int) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".enroll-*")
	if err != nil {
		return err
	}
	b.steps = append(b.steps, step{f.Name(), path})
	_, err = f.Write(data)
	if uid != os.Geteuid() || gid != os.Getegid() {
		err = errors.Join(err, f.Chown(uid, gid))
	}
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
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

// commit puts everything in its place.
func (b *batch) commit() error {
	for _, s := range b.steps {
		if err := os.Rename(s.from, s.to); err != nil {
			return err
		}
	}
	for _, path := range b.gone {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	dirs := map[string]bool{}
	for _, s := range b.steps {
		dirs[filepath.Dir(s.to)] = true
	}
	for dir := range dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
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
		os.Remove(s.from) // it is gone if all went well
	}
}
