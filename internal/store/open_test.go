package store_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"tasmota-azd/internal/store"
)

// TestMain lets a test run this binary again as a daemon of its own.
func TestMain(m *testing.M) {
	switch dir := os.Getenv("STORE_TEST_DIR"); os.Getenv("STORE_TEST_ROLE") {
	case "hold":
		hold(dir)
	case "fill":
		fill(dir)
	default:
		os.Exit(m.Run())
	}
}

// child runs this test binary in a role and returns it with its standard input.
func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "STORE_TEST_ROLE="+role, "STORE_TEST_DIR="+dir)
	cmd.Stderr = t.Output()
	return cmd
}

// hold opens the store, says so, and lives until its input ends.
func hold(dir string) {
	if _, err := store.Open(dir, nil); err != nil {
		panic(err)
	}
	os.Stdout.WriteString("!")
	os.Stdin.Read(make([]byte, 1))
}

func TestSecondDaemon(t *testing.T) {
	dir := t.TempDir()
	first := child(t, "hold", dir)
	in, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal("the first daemon does not hold the directory:", err)
	}

	_, err = store.Open(dir, nil)
	locked, ok := errors.AsType[*store.LockedError](err)
	if !ok || locked.PID != first.Process.Pid || locked.Dir != dir {
		t.Fatalf("second Open: %v, want a LockedError with pid %d", err, first.Process.Pid)
	}
	if msg := err.Error(); !strings.Contains(msg, strconv.Itoa(locked.PID)) || !strings.Contains(msg, dir) {
		t.Errorf("message %q", msg)
	}

	in.Close()
	first.Wait() // it ends without Close, as after kill -9
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal("Open after the first one died:", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "lock")); len(got) > 0 {
		t.Errorf("lock file holds %q after Close", got)
	}
}

func TestLockedWithoutPID(t *testing.T) {
	s, dir, _ := open(t)
	if _, err := store.Open(dir, nil); !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("second Open in one process: %v", err)
	}
	for _, content := range []string{"", "-3\n", "x", strings.Repeat("9", 40)} {
		write(t, dir, "lock", []byte(content))
		_, err := store.Open(dir, nil)
		if locked, ok := errors.AsType[*store.LockedError](err); !ok || locked.PID != 0 || strings.Contains(err.Error(), "process") {
			t.Errorf("lock file %q: %v", content, err)
		}
	}
	if _, err := s.Save("a.json", 1); err != nil {
		t.Error(err)
	}
}

func TestOpenRemovesLeftovers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".a.json.tmp", []byte("half"))
	write(t, dir, ".keep", nil)
	write(t, dir, "a.tmp", nil)
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := files(t, dir); got != ".keep a.tmp lock" {
		t.Errorf("directory holds %q", got)
	}
}

func TestOpenWarnsOfOpenDoor(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o775); err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	s, err := store.Open(dir, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.Contains(log.String(), "chmod 700") {
		t.Errorf("logged %q", log)
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o775 {
		t.Error("the mode of a directory that is not ours was changed")
	}
}

func TestOpenNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "state")} {
		if _, err := store.Open(dir, nil); err == nil || !strings.Contains(err.Error(), "not a directory") || !strings.Contains(err.Error(), "set state_dir") {
			t.Errorf("Open(%s): %v", dir, err)
		}
	}
}

func TestOpenUnwritable(t *testing.T) {
	parent, err := os.MkdirTemp("/", "store-test-") // t.TempDir is private to root
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: needs root, to make a directory that somebody else cannot write to:", err)
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "state")
	if err := errors.Join(os.Chmod(parent, 0o755), os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "lock"), nil, 0o666), os.Chmod(filepath.Join(dir, "lock"), 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dir, want string }{
		{dir, "state directory " + dir + " (of root, drwxr-xr-x) cannot be used: "},
		{dir, "'sudo chown -R nobody " + dir + "'"},
		{filepath.Join(parent, "new"), "cannot be made by nobody"},
		{filepath.Join(parent, "new"), "'sudo install -d -m 0700 -o nobody " + filepath.Join(parent, "new") + "'"},
	} {
		err := asNobody(func() error {
			s, err := store.Open(tt.dir, nil)
			if err == nil {
				s.Close()
			}
			return err
		})
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open(%s): %v\nwant %s", tt.dir, err, tt.want)
		}
	}
}

// asNobody runs f on a thread that has become nobody and dies afterwards.
func asNobody(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			result <- errno
			return
		}
		result <- f()
	}()
	return <-result
}

// TestDiskFull: a write that is cut short leaves the old value, and the store
// works on when there is room again.
func TestDiskFull(t *testing.T) {
	cmd := child(t, "fill", t.TempDir())
	out, err := cmd.Output()
	if err != nil || string(out) != "old value stands\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// fill saves more than the process may write to one file: to the store this
// looks like a full disk, and needs neither root nor a disk.
func fill(dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := store.Open(dir, nil)
	if err != nil {
		panic(err)
	}
	if _, err := s.Save("a.json", "old"); err != nil {
		panic(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 100, Max: limit.Max}); err != nil {
		panic(err)
	}
	if wrote, err := s.Save("a.json", strings.Repeat("new", 100)); wrote || !errors.Is(err, syscall.EFBIG) {
		panic(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 { // a.json, lock
		panic(entries)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	var got string
	if ok, err := s.Load("a.json", &got); !ok || err != nil || got != "old" {
		panic(got)
	}
	if wrote, err := s.Save("a.json", "new"); !wrote || err != nil {
		panic(err)
	}
	os.Stdout.WriteString("old value stands\n")
}
