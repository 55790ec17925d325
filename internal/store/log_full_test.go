package store_test

import (
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"
)

// TestLogOnAFullDisk runs itself where no file may grow beyond some bytes, which
// cuts a write short as a full disk does.
func TestLogOnAFullDisk(t *testing.T) {
	dir := os.Getenv("LOG_ON_A_FULL_DISK")
	if dir == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLogOnAFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), "LOG_ON_A_FULL_DISK="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	l, _ := openLog(t, dir, 0)
	appendAll(t, l, "first")
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := func(n uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
	}
	limit(uint64(l.Size()) + 5) // five bytes of the line fit
	err := l.Append([]byte(`"second"`))
	limit(old.Cur)
	if err == nil {
		t.Fatal("a write that was cut short is no error")
	}
	appendAll(t, l, "third")
	again, _ := copyOf(t, dir)
	if _, got := openLog(t, again, 0); !slices.Equal(got, []string{`1 "first"`, `2 "third"`}) {
		t.Errorf("%q", got)
	}
}
