package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/lab"
)

// TestNotifySystemd holds what the daemon says against sd_notify(3): READY once the
// relays stand, which is before there is any network, then WATCHDOG from the loop.
func TestNotifySystemd(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.time.Silent.Store(true) // no clock, so no session: READY must not wait for one
	socket := filepath.Join(b.dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	env := []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=400000", "STATE_DIRECTORY=" + filepath.Join(b.dir, "by-systemd")}
	d, err := lab.Start(daemon, b.keyConfig(), t.Output(), env)
	if err != nil {
		t.Fatal(err)
	}
	b.d = d
	t.Cleanup(func() { d.Stop() })
	heard := listen(t, conn, "WATCHDOG=1", 5)
	if heard[0] != "READY=1" {
		t.Errorf("first word %q, want READY=1", heard[0])
	}
	if got := b.level("GPIO17"); got != "0" {
		t.Errorf("ready with GPIO17 at %s", got)
	}
	b.time.Silent.Store(false)
	listen(t, conn, "STATUS=connected to localhost as pump", 1)
	b.stop()
	listen(t, conn, "STOPPING=1", 1)
	if _, err := os.Stat(filepath.Join(b.dir, "by-systemd", "state")); err != nil {
		t.Errorf("the state is not in $STATE_DIRECTORY: %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "state")); err == nil {
		t.Error("state_dir was used although systemd gave a directory")
	}
}

// listen reads what comes until a word was said n times, and returns it all.
func listen(t *testing.T, conn *net.UnixConn, word string, n int) []string {
	t.Helper()
	var heard []string
	conn.SetReadDeadline(time.Now().Add(lab.Patience))
	for buf := make([]byte, 4096); n > 0; {
		size, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("systemd heard %q and waits for %q: %v", heard, word, err)
		}
		for said := range strings.Lines(string(buf[:size])) {
			said = strings.TrimSpace(said)
			heard = append(heard, said)
			if said == word {
				n--
			}
		}
	}
	return heard
}
