package clock_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"tasmota-azd/internal/clock"
)

// startBus runs a dbus-daemon of the test's own as the system bus, and returns
// its address.
func startBus(t *testing.T) string {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: the system's word over D-Bus needs dbus-daemon (package dbus)")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "bus.conf")
	err = os.WriteFile(conf, []byte(`<busconfig><listen>unix:path=`+filepath.Join(dir, "bus")+`</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow receive_sender="*" eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--config-file="+conf, "--nofork", "--nopidfile", "--nosyslog", "--print-address")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n') // printed when it listens
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
	return strings.TrimSpace(address)
}

// timedate1 answers for org.freedesktop.DBus.Properties.
type timedate1 struct {
	get func() (dbus.Variant, *dbus.Error)
}

func (p timedate1) Get(iface, name string) (dbus.Variant, *dbus.Error) {
	if iface != "org.freedesktop.timedate1" || name != "NTPSynchronized" {
		return dbus.Variant{}, dbus.MakeFailedError(errors.New("no such property: " + iface + "." + name))
	}
	return p.get()
}

// serveTimedate puts a timedate1 on the bus until the test ends.
func serveTimedate(t *testing.T, address string, get func() (dbus.Variant, *dbus.Error)) {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.Export(timedate1{get}, "/org/freedesktop/timedate1", "org.freedesktop.DBus.Properties"); err != nil {
		t.Fatal(err)
	}
	if r, err := conn.RequestName("org.freedesktop.timedate1", dbus.NameFlagDoNotQueue); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(r, err)
	}
}

func TestSystemSynchronised(t *testing.T) {
	value := func(v any) func() (dbus.Variant, *dbus.Error) {
		return func() (dbus.Variant, *dbus.Error) { return dbus.MakeVariant(v), nil }
	}
	for _, tt := range []struct {
		name string
		get  func() (dbus.Variant, *dbus.Error)
		want bool
		err  string
	}{
		{"yes", value(true), true, ""},
		{"no", value(false), false, ""},
		{"not a boolean", value("yes"), false, "timedate1"},
		{"an error", func() (dbus.Variant, *dbus.Error) { return dbus.Variant{}, dbus.MakeFailedError(errors.New("sorry")) }, false, "sorry"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			serveTimedate(t, startBus(t), tt.get)
			got, err := clock.SystemSynchronised(t.Context())
			if got != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v, %v, want %v, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestSystemWithoutTimedate(t *testing.T) {
	startBus(t)
	if ok, err := clock.SystemSynchronised(t.Context()); ok || err == nil || !strings.Contains(err.Error(), "timedate1") {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestSystemWithoutBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	if ok, err := clock.SystemSynchronised(t.Context()); ok || err == nil || !strings.Contains(err.Error(), "system bus") {
		t.Errorf("%v, %v", ok, err)
	}
}

// TestSystemStuck: a bus that accepts and says nothing holds nobody up, and a
// service that does not answer neither.
func TestSystemStuck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // what connects waits in the backlog
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+path)
	stuck(t, t.Context())

	release := make(chan struct{})
	serveTimedate(t, startBus(t), func() (dbus.Variant, *dbus.Error) {
		<-release
		return dbus.MakeVariant(true), nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	stuck(t, ctx)
	close(release)
}

func stuck(t *testing.T, ctx context.Context) {
	t.Helper()
	start := time.Now()
	if ok, err := clock.SystemSynchronised(ctx); ok || err == nil || time.Since(start) > 4*time.Second {
		t.Errorf("%v, %v after %v", ok, err, time.Since(start))
	}
}

// TestSystemLeavesNothing: asked again and again, it leaves no goroutine.
func TestSystemLeavesNothing(t *testing.T) {
	serveTimedate(t, startBus(t), func() (dbus.Variant, *dbus.Error) { return dbus.MakeVariant(true), nil })
	before := runtime.NumGoroutine()
	for range 20 {
		if ok, err := clock.SystemSynchronised(t.Context()); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
