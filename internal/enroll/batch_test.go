package enroll

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestCommitAllOrNothing: when the last file cannot be put in its place the ones before it
// are as they were, with their modes.
func TestCommitAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(in("sealed"), []byte("the key that works"), 0o600))
	must(os.WriteFile(in("config"), []byte("old"), 0o640))
	must(os.WriteFile(in("sealed.enroll"), []byte("left by a run that was killed"), 0o400))
	uid, gid := os.Geteuid(), os.Getegid()
	var b batch
	must(b.write(in("sealed"), []byte("new"), 0o644, uid, gid))
	must(b.write(in("drop-in"), []byte("new"), 0o644, uid, gid))
	must(b.replace(in("config"), []byte("new")))
	b.remove(in("config"))
	must(os.Remove(in("config"))) // from now on it is as good as mounted
	must(os.MkdirAll(in("config/busy"), 0o700))
	if err := b.commit(); err == nil {
		t.Fatal("a folder was replaced")
	}
	b.forget()
	text, err := os.ReadFile(in("sealed"))
	if info, _ := os.Stat(in("sealed")); err != nil || string(text) != "the key that works" || info.Mode() != 0o600 {
		t.Errorf("%q, %v, %v", text, info.Mode(), err)
	}
	all, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil || len(all) != 2 { // config and sealed
		t.Errorf("%q, %v", all, err)
	}
}
