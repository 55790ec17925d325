// Package e2e runs the built daemon against the stand-in, over real TLS, real UDP
// and real signals. A test here says what an owner sees.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/lab"
)

// daemon and standIn are the built programs.
var daemon, standIn string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	if programs := os.Getenv(envPrograms); programs != "" {
		daemon, standIn, _ = strings.Cut(programs, ":")
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if daemon, err = lab.Build(dir, "cmd/tasmota-azd", true); err == nil {
		standIn, err = lab.Build(dir, "cmd/hubsim", true)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// A bench is one board on a table: its files, its cloud, its time server.
type bench struct {
	t     *testing.T
	dir   string
	cloud *lab.Cloud
	time  *lab.TimeServer
	env   []string    // more of it for the daemon
	d     *lab.Daemon // the daemon that was started last
}

func newBench(t *testing.T, o hubsim.Options, ahead time.Duration) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	var err error
	if b.cloud, err = lab.NewCloud(b.dir, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.check(b.cloud.Close()) })
	if b.time, err = lab.NewTimeServer(ahead); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.check(b.time.Close()) })
	return b
}

// keyConfig makes the device "pump" with a key and a configuration for it.
func (b *bench) keyConfig() string {
	b.t.Helper()
	if _, err := b.cloud.AddKeyDevice(b.dir, "pump"); err != nil {
		b.t.Fatal(err)
	}
	return b.config(fmt.Sprintf(`hub:
  host: localhost
  port: %d
  device_id: pump
  key_file: pump.key
  keep_alive: 2s
  ca_file: cloud-ca.pem
`, b.cloud.HubPort))
}

// dpsConfig makes an enrollment group and a configuration for it.
func (b *bench) dpsConfig() string {
	b.t.Helper()
	key := hubsim.NewKey()
	if err := b.cloud.CreateEnrollment(hubsim.Enrollment{ID: "boards", Group: true}, key); err != nil {
		b.t.Fatal(err)
	}
	b.write("group.key", key)
	return b.config(fmt.Sprintf(`hub:
  port: %d
  device_id: board-7
  keep_alive: 2s
  ca_file: cloud-ca.pem
dps:
  scope_id: 0ne00000001
  endpoint: localhost:%d
  key_file: group.key
  ca_file: cloud-ca.pem
`, b.cloud.HubPort, b.cloud.DPSPort))
}

// config writes a configuration with two relays behind the given head.
func (b *bench) config(head string) string {
	b.t.Helper()
	return b.write("config.yaml", head+fmt.Sprintf(`ntp:
  servers: ["%s"]
gpio:
  driver: sim
  sim_dir: %s
  on_stop: hold
  max_per_minute: 0
relays:
  - {name: Pump, pin: GPIO17}
  - {name: Gate, pin: P1_13, active_low: true}
state_dir: %s
log: {level: debug, format: text}
`, b.time.Addr, b.pins(), filepath.Join(b.dir, "state")))
}

func (b *bench) write(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func (b *bench) pins() string { return filepath.Join(b.dir, "pins") }

// start runs the daemon; it is stopped at the end of the test if it still runs.
func (b *bench) start(config string, args ...string) *lab.Daemon {
	b.t.Helper()
	d, err := lab.Start(daemon, config, b.t.Output(), b.env, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.d = d
	b.t.Cleanup(func() {
		_, err := d.Stop()
		b.check(err)
		for _, line := range d.Log() {
			if strings.Contains(line, "DATA RACE") || strings.Contains(line, "panic:") {
				b.t.Errorf("the daemon: %s", line)
			}
		}
	})
	return d
}

// stop ends the daemon in good order.
func (b *bench) stop() {
	b.t.Helper()
	status, err := b.d.Stop()
	if err != nil {
		b.t.Fatal(err)
	}
	if status != 0 {
		b.t.Errorf("exit status %d after SIGTERM, want 0 (%v)", status, b.d.Err())
	}
}

func (b *bench) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Error(err)
	}
}

func (b *bench) waitLog(texts ...string) string {
	b.t.Helper()
	line, err := b.d.WaitLog(texts...)
	if err != nil {
		b.t.Fatal(err)
	}
	return line
}

// patience bounds what a test waits for.
func (b *bench) patience() context.Context {
	ctx, cancel := context.WithTimeout(b.t.Context(), lab.Patience)
	b.t.Cleanup(cancel)
	return ctx
}

// online waits until the hub has accepted n connections of a device.
func (b *bench) online(n int) {
	b.t.Helper()
	err := b.cloud.Wait(b.patience(), func() bool { return b.logins(0) >= n })
	if err != nil {
		b.t.Fatalf("%d accepted connections, want %d: %v", b.logins(0), n, err)
	}
}

// logins counts the CONNECTs that were answered with a code.
func (b *bench) logins(code int) int {
	n := 0
	for _, l := range b.cloud.Logins() {
		if l.Code == code {
			n++
		}
	}
	return n
}

// send queues a command for a device.
func (b *bench) send(device, id, topic, body string) {
	b.t.Helper()
	_, err := b.cloud.Send(device, hubsim.C2D{
		MessageID: id, Body: []byte(body), Properties: []hubsim.Property{{Name: "Topic", Value: topic}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// answer waits for the answer to the command with a message id.
func (b *bench) answer(id string) hubsim.Record {
	b.t.Helper()
	r, err := b.cloud.WaitRecord(b.patience(), func(r hubsim.Record) bool { return r.System["correlation-id"] == id })
	if err != nil {
		b.t.Fatalf("no answer to %s: %v", id, err)
	}
	return r
}

// subscribed waits for the first STATE of the device, which comes after its SUBSCRIBE.
func (b *bench) subscribed(device string) {
	b.t.Helper()
	_, err := b.cloud.WaitRecord(b.patience(), func(r hubsim.Record) bool {
		return r.Device == device && r.Properties["topic"] == device+"/STATE"
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// command sends one and holds its answer against what is wanted.
func (b *bench) command(device, id, topic, body, want string) {
	b.t.Helper()
	b.send(device, id, topic, body)
	if got := string(b.answer(id).Body); got != want {
		b.t.Errorf("%s %q answered %s, want %s", topic, body, got, want)
	}
}

// completed waits until the hub has nothing left for a device.
func (b *bench) completed(device string) {
	b.t.Helper()
	if err := b.cloud.Wait(b.patience(), func() bool { return len(b.cloud.Queue(device)) == 0 }); err != nil {
		b.t.Fatalf("not acknowledged: %+v", b.cloud.Queue(device))
	}
}

func (b *bench) moves(pin string) int {
	b.t.Helper()
	edges, err := lab.Edges(b.pins())
	if err != nil {
		b.t.Fatal(err)
	}
	return lab.Moves(edges, pin)
}

// level reads the electrical level of a pin.
func (b *bench) level(pin string) string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.pins(), pin))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}
