package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
	"tasmota-azd/test/canary"
	"tasmota-azd/test/lab"
)

// An enrollee is a board whose cloud knows all kinds of keys.
type enrollee struct {
	*bench
	group, single, device canary.Canary
	other                 canary.Canary // that the cloud does not know
	said                  string        // by enroll, since the beginning
}

func newEnrollee(t *testing.T) *enrollee {
	e := &enrollee{bench: newBench(t, hubsim.Options{DPSRetryAfter: time.Second}, 0), group: canary.New("the group's key"),
		single: canary.New("the individual key"), device: canary.New("the device's key"), other: canary.New("nobody's key")}
	e.check(e.cloud.CreateEnrollment(hubsim.Enrollment{ID: "boards", Group: true}, e.group.Text()))
	e.check(e.cloud.CreateEnrollment(hubsim.Enrollment{ID: "single-1"}, e.single.Text()))
	key, err := token.ParseKey(e.device.Text())
	e.check(err)
	e.check(e.cloud.AddDevice(hubsim.Device{ID: "pump", Key: key}))
	return e
}

// blank is a configuration that config init has left: everything but the key. The hub is
// reached by WebSocket on the port where it also answers to HTTPS.
func (e *enrollee) blank(dps, hub string) string {
	e.t.Helper()
	web, err := e.cloud.ListenWeb(0)
	e.check(err)
	return e.config(fmt.Sprintf("# ours\nhub:\n  transport: websocket\n  port: %d\n  ca_file: cloud-ca.pem\n%s"+
		"dps:\n  endpoint: localhost:%d\n  ca_file: cloud-ca.pem\n%s", web, hub, e.cloud.DPSPort, dps))
}

// enroll runs the program, and returns its exit status and what it said.
func (e *enrollee) enroll(stdin io.Reader, args ...string) (status int, said string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, daemon, append([]string{"enroll", "--config", filepath.Join(e.dir, "config.yaml")}, args...)...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent")
	cmd.Stdin = stdin
	out, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		e.t.Fatal(err)
	}
	e.t.Logf("enroll %q: %v\n%s", args, err, out)
	e.said += string(out)
	return cmd.ProcessState.ExitCode(), string(out)
}

// works starts the daemon with what enroll wrote, and tries a relay.
func (e *enrollee) works(device string) {
	e.t.Helper()
	e.start(filepath.Join(e.dir, "config.yaml"))
	e.subscribed(device)
	e.command(device, "m-"+device, "/power1", "on", `{"POWER1":"ON"}`)
	e.stop()
}

func TestEnroll(t *testing.T) {
	for name, tt := range map[string]struct {
		dps, hub string // of the configuration
		secret   func(*enrollee) string
		args     []string
		device   string
		want     string
		tokens   int // sessions that enroll begins
	}{
		"group": {"  scope_id: 0ne00000001\n  registration_id: board-7\n", "", func(e *enrollee) string { return e.group.Text() }, nil, "board-7", "group was not kept", 0},
		"individual": {"", "  host:\n", func(e *enrollee) string { return e.single.Text() + "\n" }, []string{"--scope-id", "0ne00000001", "--registration-id", "single-1"},
			"single-1", `as the key of "single-1" alone, in scope 0ne00000001 … yes`, 0},
		"device": {"", "  host: localhost\n", func(e *enrollee) string { return e.device.Text() }, []string{"--device-id", "pump"}, "pump", "the hub knows it", 0},
		"device, both places": {"", "", func(e *enrollee) string { return e.device.Text() }, []string{"--device-id", "pump", "--scope-id", "0ne00000001", "--hub", "localhost"},
			"pump", `as the key of "pump" alone, in scope 0ne00000001 … no: HTTP 401`, 0},
		"connection string": {"  scope_id: 0ne00000001\n", "", func(e *enrollee) string {
			return "HostName=localhost;DeviceId=pump;SharedAccessKey=" + e.device.Text()
		}, nil, "pump", "the hub knows it", 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnrollee(t)
			e.blank(tt.dps, tt.hub)
			status, said := e.enroll(strings.NewReader(tt.secret(e)), tt.args...)
			if status != 0 || !strings.Contains(said, tt.want) {
				t.Fatalf("exit status %d", status)
			}
			if n := len(e.cloud.Logins()); n != tt.tokens {
				t.Errorf("%d sessions began", n)
			}
			e.works(tt.device)
			text, err := os.ReadFile(filepath.Join(e.dir, "config.yaml"))
			if err != nil || !strings.HasPrefix(string(text), "# ours\n") {
				t.Errorf("%v\n%s", err, text)
			}
			// The key of the group is nowhere, that of the device in its file alone.
			e.check(os.Remove(filepath.Join(e.dir, "device.key")))
			canary.Look(t, e.said+strings.Join(e.d.Log(), "\n")+e.files(e.dir), e.group, e.single, e.device, e.group.Derived("board-7"))
		})
	}
}

// While it runs, nobody sees the secret in arguments or environment.
func TestEnrollHidesWhatItIsGiven(t *testing.T) {
	e := newEnrollee(t)
	config := e.blank("  scope_id: 0ne00000001\n  registration_id: board-7\n", "")
	e.check(e.cloud.Inject(hubsim.Fault{Kind: hubsim.RefuseRegister, Code: 503, Count: hubsim.Always}))
	said := newHeard()
	cmd := exec.Command(daemon, "enroll", "--config", config)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(e.group.Text()), said, said
	e.check(cmd.Start())
	said.wait(t, "DPS did not decide yet")
	for _, file := range []string{"cmdline", "environ"} {
		if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, file)); err == nil { // else nobody but root sees it
			said.Write(data)
		}
	}
	e.check(cmd.Process.Signal(syscall.SIGINT))
	if err := cmd.Wait(); err == nil {
		t.Error("exit status 0 after SIGINT")
	}
	canary.Look(t, said.String(), e.group, e.group.Derived("board-7"))
	if _, err := os.Stat(filepath.Join(e.dir, "device.key")); err == nil {
		t.Error("there is a key")
	}
}

func TestEnrollChangesNothingWithoutAYes(t *testing.T) {
	connection := func(e *enrollee, key string) string { return "HostName=localhost;DeviceId=pump;SharedAccessKey=" + key }
	for name, tt := range map[string]struct {
		secret func(*enrollee) string
		args   []string
		spoil  func(*enrollee) error
		status int
		want   string
	}{
		"wrong key":        {func(e *enrollee) string { return e.other.Text() }, nil, nil, 1, "does not take this key"},
		"wrong scope":      {func(e *enrollee) string { return e.group.Text() }, []string{"--scope-id", "0ne00000002"}, nil, 1, "does not take this key"},
		"wrong device key": {func(e *enrollee) string { return connection(e, e.other.Text()) }, nil, nil, 1, "does not take this key"},
		"no such device":   {func(e *enrollee) string { return e.device.Text() }, []string{"--hub", "localhost", "--device-id", "gate"}, nil, 1, "does not take this key"},
		"disabled": {func(e *enrollee) string { return connection(e, e.device.Text()) }, nil,
			func(e *enrollee) error { return e.cloud.Disable("pump") }, 1, "disabled"},
		"no hub for it": {func(e *enrollee) string { return e.group.Text() }, nil,
			func(e *enrollee) error { return e.cloud.Inject(hubsim.Fault{Kind: hubsim.FailRegister, Code: 400208}) }, 1, "link an IoT hub"},
		"throttled": {func(e *enrollee) string { return e.group.Text() }, nil, func(e *enrollee) error {
			return e.cloud.Inject(hubsim.Fault{Kind: hubsim.RefuseRegister, Code: 429, Delay: 10 * time.Minute})
		}, 75, "try again later"},
		"unreachable": {func(e *enrollee) string { return e.group.Text() }, nil, func(e *enrollee) error {
			e.cloud.DPSPort = 1
			e.blank("  scope_id: 0ne00000001\n", "")
			return nil
		}, 75, "cannot be reached"},
		"a mistake": {func(e *enrollee) string { return e.group.Text() }, nil, func(e *enrollee) error {
			e.write("config.yaml", "relays: []\ndps: {scope_id: 0ne00000001}\n")
			return nil
		}, 78, "config.yaml:1: relays"},
		"no file": {func(e *enrollee) string { return e.group.Text() }, nil, func(e *enrollee) error { return os.Remove(filepath.Join(e.dir, "config.yaml")) },
			78, "config init"},
		"nothing":     {func(*enrollee) string { return "" }, nil, nil, 1, "there is no key"},
		"as argument": {func(*enrollee) string { return "" }, []string{canary.New("the group's key").Text()}, nil, 1, "get a new one"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnrollee(t)
			e.blank("  scope_id: 0ne00000001\n  registration_id: board-7\n  key_file: device.key\n  key_kind: individual\n", "")
			e.write("device.key", e.group.Derived("board-7").Text()+"\n")
			if tt.spoil != nil {
				e.check(tt.spoil(e))
			}
			before := e.files(e.dir)
			status, said := e.enroll(strings.NewReader(tt.secret(e)), tt.args...)
			if status != tt.status || !strings.Contains(said, tt.want) {
				t.Errorf("exit status %d, want %d and %q", status, tt.status, tt.want)
			}
			if after := e.files(e.dir); before != after {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			canary.Look(t, said, e.group, e.single, e.device, e.other)
		})
	}
}

// A session that stands goes on, and a login is made only where HTTPS is blocked.
func TestEnrollBesideTheDaemon(t *testing.T) {
	e := newEnrollee(t)
	config := e.blank("", "  host: localhost\n  device_id: pump\n  key_file: pump.key\n")
	e.write("pump.key", e.device.Text())
	e.start(config)
	e.subscribed("pump")
	if status, _ := e.enroll(strings.NewReader(e.device.Text())); status != 0 {
		t.Errorf("exit status %d", status)
	}
	e.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)
	if n := len(e.cloud.Logins()); n != 1 {
		t.Errorf("%d logins", n)
	}
	e.stop()

	e.config(fmt.Sprintf("hub:\n  port: %d\n  host: localhost\n  device_id: pump\n  ca_file: cloud-ca.pem\n", e.cloud.HubPort))
	for secret, want := range map[string]int{e.device.Text(): 0, e.other.Text(): 1} {
		if status, said := e.enroll(strings.NewReader(secret)); status != want || !strings.Contains(said, "so by a login") {
			t.Errorf("exit status %d, want %d", status, want)
		}
	}
}

// A heard is what a program has said so far.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed and replaced with each word
}

func newHeard() *heard { return &heard{more: make(chan struct{})} }

// Write hears more.
func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.more)
	h.more = make(chan struct{})
	return h.text.Write(p)
}

// String is all of it.
func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// wait waits for a text.
func (h *heard) wait(t *testing.T, text string) {
	t.Helper()
	for late := time.After(lab.Patience); ; {
		h.mu.Lock()
		more, found := h.more, strings.Contains(h.text.String(), text)
		h.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("%q is not said, but\n%s", text, h)
		}
	}
}

// At a terminal the secret is not shown, and what is not known is asked for.
func TestEnrollAtATerminal(t *testing.T) {
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("SKIPPED, there is no script(1), which gives a program a terminal: apt-get install bsdutils")
	}
	e := newEnrollee(t)
	config := e.blank("", "")
	cmd := exec.Command(script, "-qec", daemon+" enroll --config "+config, "/dev/null")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := newHeard()
	cmd.Stdout, cmd.Stderr = said, said
	e.check(cmd.Start())
	for _, turn := range [][2]string{{"(it is not shown): ", e.group.Text()}, {"host name of the hub: ", "0ne00000001"}, {"Id of this device", "board-7"}} {
		said.wait(t, turn[0])
		fmt.Fprintln(in, turn[1])
	}
	said.wait(t, "Next:")
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said.String())
	}
	t.Log(said.String())
	canary.Look(t, said.String(), e.group, e.group.Derived("board-7"))
	e.works("board-7")
}
