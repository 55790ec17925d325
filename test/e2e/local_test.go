package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/hubsim"
)

// ask runs the program against the daemon's socket, and returns what it prints.
func (b *bench) ask(args ...string) (string, error) {
	b.t.Helper()
	cmd := exec.Command(daemon, append(args, "--socket", b.socket())...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (b *bench) socket() string { return filepath.Join(b.dir, "state", "control.sock") }

// asked is ask, of something that must succeed, and with certain texts in the answer.
func (b *bench) asked(args []string, wants ...string) string {
	b.t.Helper()
	out, err := b.ask(args...)
	if err != nil {
		b.t.Errorf("%q: %v\n%s", args, err, out)
	}
	for _, want := range wants {
		if !strings.Contains(out, want) {
			b.t.Errorf("%q does not say %q:\n%s", args, want, out)
		}
	}
	return out
}

// What an operator asks at the machine.
func TestControlSocket(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.keyConfig())
	b.subscribed("pump")
	if info, err := os.Stat(b.socket()); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	watch := exec.Command(daemon, "events", "--json", "--socket", b.socket())
	pipe, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		watch.Process.Kill()
		watch.Wait()
	}()
	events := bufio.NewScanner(pipe)
	b.asked([]string{"cmd", "State"}, `"POWER1":"OFF"`)
	// The watcher may have come later than State: it is asked until it is there.
	seen := make(chan string, 100)
	go func() {
		for events.Scan() {
			seen <- events.Text()
		}
		close(seen)
	}()
	for there := false; !there; {
		b.asked([]string{"cmd", "TelePeriod"}, `{"TelePeriod":300}`)
		select {
		case line := <-seen:
			there = strings.Contains(line, "TelePeriod") || strings.Contains(line, "STATE")
		default:
		}
	}

	b.asked([]string{"cmd", "Power1", "toggle"}, `{"POWER1":"ON"}`)
	if b.level("GPIO17") != "1" {
		t.Error("the relay has not moved")
	}
	var s struct {
		Relays []struct {
			On    bool
			Cause string
		}
		Session struct{ Connected bool }
		Clock   struct{ Proven bool }
		Token   struct {
			Renews string `json:"renews_at"`
		}
	}
	if err := json.Unmarshal([]byte(b.asked([]string{"status", "--json"})), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Relays) != 2 || !s.Relays[0].On || !strings.HasPrefix(s.Relays[0].Cause, "local ") ||
		!s.Session.Connected || !s.Clock.Proven || s.Token.Renews == "" {
		t.Errorf("status %+v", s)
	}
	b.asked([]string{"status"}, "connected to localhost as pump", "Pump", "GPIO17", "ON", "clock", "proven by")

	if _, err := b.cloud.Send("pump", hubsim.C2D{MessageID: "m7", Body: []byte("off"), Properties: []hubsim.Property{
		{Name: "Topic", Value: "/power1"}, {Name: "sender", Value: "dashboard"}, {Name: "iothub-creation-time-utc", Value: "2026-01-02T03:04:05Z"},
	}}); err != nil {
		t.Fatal(err)
	}
	b.answer("m7")
	b.asked([]string{"why", "pump"}, "went ON: local ", "command      POWER1 toggle",
		"went off: c2d m7", "command      POWER1 off", "sender = dashboard", "made", "arrived", "took effect", `answered     pump/RESULT {"POWER1":"OFF"}, which the hub has`)
	for _, name := range []string{"1", "relay1", "GPIO17"} {
		b.asked([]string{"why", name, "-n", "1"}, "c2d m7")
	}
	for line := range seen {
		if strings.Contains(line, `"cause":"c2d m7"`) {
			break
		}
	}

	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"why", "relay3"}, "name one by its number"},
		{[]string{"why", "1", "-n", "0"}, "last must be a number from 1 to 256"},
		{[]string{"cmd", "Foo", "1"}, `{"Command":"Unknown","Input":"FOO 1"}`},
		{[]string{"cmd", "Power9", "on"}, `{"Command":"Error","Input":"POWER9 on"}`},
	} {
		if out, err := b.ask(tt.args...); err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("%q: %v, %s, want %s", tt.args, err, out, tt.want)
		}
	}

	// After a restart it is still known why.
	b.stop()
	if out, err := b.ask("status"); err == nil || !strings.Contains(out, "no daemon answers at") {
		t.Errorf("%v: %s", err, out)
	}
	b.start(filepath.Join(b.dir, "config.yaml"))
	b.waitLog("connected")
	b.asked([]string{"why", "Pump"}, "went off: c2d m7", "sender = dashboard")
}
