package packages_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// work is the folder of this run.
var work string

// first builds the packages of the tree as it is, with what has not been committed yet,
// once for all tests, and for the machine of the guest only.
var first = sync.OnceValues(func() (string, error) {
	return build(building{dir: filepath.Join(work, "first")})
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "packages")
	if err != nil {
		panic(err)
	}
	work = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// built returns the folder with the first build of the packages.
func built(t *testing.T) string {
	t.Helper()
	need(t, "dpkg-deb", "dpkg")
	dist, err := first()
	if err != nil {
		t.Fatal(err)
	}
	return dist
}

// A building is where and how packages are built, and of what: of the project as it lies
// here or, with a commit, as it was then; the version is the Makefile's if it is empty.
type building struct{ dir, umask, zone, commit, version string }

// build copies the project to the folder, and builds the packages there. The copy is no
// repository, so the date of the release is given.
func build(b building) (dist string, err error) {
	script := `
		umask "$UMASK"
		mkdir -p "$DIR"
		if [ "$COMMIT" ]; then git archive "$COMMIT"
		else git ls-files -co --exclude-standard | while read -r f; do [ ! -e "$f" ] || echo "$f"; done | tar -cf - -T -
		fi | tar -xf - -C "$DIR"
		cd "$DIR"
		make packages DEBS=amd64 ${VERSION:+VERSION=$VERSION}`
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "DIR="+b.dir, "UMASK="+cmp.Or(b.umask, "022"), "TZ="+cmp.Or(b.zone, "UTC"),
		"COMMIT="+b.commit, "VERSION="+b.version, "SOURCE_DATE_EPOCH=1800000000", "MAKEFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building packages: %w\n%s", err, out)
	}
	return filepath.Join(b.dir, "dist"), nil
}

// deb is the only package in dist.
func deb(t *testing.T, dist string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dist, "tasmota-azd_*_amd64.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("packages: %v, %v", found, err)
	}
	return found[0]
}

// need skips the test where a program is missing, and says how to get it.
func need(t *testing.T, program, pkg string) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED, building packages takes a minute")
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIPPED, there is no %s here: apt-get install %s", program, pkg)
	}
}

// output runs a program that must succeed and returns what it prints.
func output(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", program, args, err, out, stderr.Bytes())
	}
	return string(out)
}
