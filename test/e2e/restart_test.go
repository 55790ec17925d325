package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/lab"
)

// A hubsim is the built stand-in as a process that can be killed.
type standInProcess struct {
	t    *testing.T
	dir  string
	args []string
	cmd  *exec.Cmd

	Control, CAFile string
	HubPort         int
}

func startStandIn(t *testing.T) *standInProcess {
	t.Helper()
	s := &standInProcess{t: t, dir: t.TempDir()}
	s.args = []string{"--control", "127.0.0.1:0", "serve", "--data", filepath.Join(s.dir, "cloud"), "--dps-port", "0", "--quiet"}
	s.start(0)
	t.Cleanup(s.kill)
	return s
}

// start runs the stand-in, with the port it had before or a free one (0).
func (s *standInProcess) start(port int) {
	s.t.Helper()
	ready := filepath.Join(s.dir, "ready.json")
	os.Remove(ready) // the first time there is none
	s.cmd = exec.Command(standIn, append(s.args, "--hub-port", fmt.Sprint(port), "--ready-file", ready)...)
	s.cmd.Stderr = s.t.Output()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(lab.Patience); ; {
		data, err := os.ReadFile(ready)
		if err == nil && json.Unmarshal(data, s) == nil {
			return
		}
		if time.Now().After(end) {
			s.t.Fatal("hubsim does not begin to listen")
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s *standInProcess) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait() // ends with the signal
}

// command runs one of hubsim's commands and returns what it prints.
func (s *standInProcess) command(args ...string) string {
	s.t.Helper()
	out, err := exec.Command(standIn, append([]string{"--control", s.Control}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("hubsim %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// until waits for an event that holds text.
func (s *standInProcess) until(text string) {
	s.t.Helper()
	for end := time.Now().Add(lab.Patience); ; {
		events := s.events()
		if strings.Contains(events, text) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("no event has %q:\n%s", text, events)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// events are all that devices have sent.
func (s *standInProcess) events() string {
	s.t.Helper()
	res, err := http.Get("http://" + s.Control + "/v1/events?since=0")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

// The hub is killed with a command in its queue, and comes back.
func TestKilledHubLosesNothing(t *testing.T) {
	hub := startStandIn(t)
	hub.command("device", "create", "pump")
	b := &bench{t: t, dir: hub.dir}
	var err error
	if b.time, err = lab.NewTimeServer(0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.check(b.time.Close()) })
	b.write("pump.connection", hub.command("device", "show", "pump"))
	config := b.config(fmt.Sprintf("hub:\n  port: %d\n  connection_string_file: pump.connection\n  keep_alive: 2s\n  ca_file: %s\n", hub.HubPort, hub.CAFile))
	b.start(config)
	hub.until("pump/STATE")

	b.stop()
	hub.command("c2d", "send", "--device", "pump", "--message-id", "m1", "--topic", "/power1", "--body", "on")
	hub.kill()
	b.start(config)
	b.waitLog("WARN", "refuses connections")
	hub.start(hub.HubPort)
	hub.until("m1")
	if got := b.level("GPIO17"); got != "1" {
		t.Errorf("GPIO17 is %s, want 1", got)
	}
	hub.kill()
	b.waitLog("WARN", "retry_in")
	hub.start(hub.HubPort)
	hub.command("c2d", "send", "--device", "pump", "--message-id", "m2", "--topic", "/power1", "--body", "toggle")
	hub.until("m2")
	if b.moves("GPIO17") != 2 {
		t.Errorf("%d moves, want 2", b.moves("GPIO17"))
	}
}
