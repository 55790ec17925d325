package clock_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/clock"
)

// timedatectl puts a program of that name, a shell script, before all others.
func timedatectl(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "timedatectl"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestSystemSynchronised(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         bool
		err          string
	}{
		{"yes", `[ "$*" = "show --property=NTPSynchronized --value" ] && echo yes`, true, ""},
		{"no", "echo no", false, ""},
		{"another word", "echo maybe", false, `"maybe" is neither yes nor no`},
		{"nothing", ":", false, "neither yes nor no"},
		{"an error", "echo Failed to connect to bus >&2; exit 1", false, "timedatectl: Failed to connect to bus"},
		{"an error after all", "echo yes; exit 1", false, "exit status 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			timedatectl(t, tt.script)
			got, err := clock.SystemSynchronised(t.Context())
			if got != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v, %v, want %v, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestSystemWithoutSystemd(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if ok, err := clock.SystemSynchronised(t.Context()); ok || err == nil || !strings.Contains(err.Error(), "timedatectl") {
		t.Errorf("%v, %v", ok, err)
	}
}

// The real program understands the question, whatever it answers on this machine.
func TestSystemRealProgram(t *testing.T) {
	if _, err := exec.LookPath("timedatectl"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: the real timedatectl (package systemd) is not installed")
	}
	_, err := clock.SystemSynchronised(t.Context())
	if err != nil && (strings.Contains(err.Error(), "option") || strings.Contains(err.Error(), "neither")) {
		t.Error(err)
	}
}

// A program that hangs holds nobody up, nor does one that it has started.
func TestSystemStuck(t *testing.T) {
	timedatectl(t, "sleep 100")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	ok, err := clock.SystemSynchronised(ctx)
	if ok || err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) || time.Since(start) > 20*time.Second {
		t.Errorf("%v, %v after %v", ok, err, time.Since(start))
	}
}
