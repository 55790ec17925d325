package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/gorilla/websocket"

	"tasmota-azd/internal/token"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cloud is a "hubsim serve" that runs inside the test.
type cloud struct {
	t  *testing.T
	at addresses
	// stop ends it as Ctrl-C does and returns what serve returns.
	stop func() error
}

// serve starts one on free ports and waits until it is ready.
func serve(t *testing.T, args ...string) *cloud {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	ended := make(chan error, 1)
	cmd := command(out, t.Output())
	cmd.SetArgs(append([]string{"serve", "--hub-port", "0", "--dps-port", "0", "--control", "127.0.0.1:0", "--ready-file", ready}, args...))
	go func() {
		ended <- cmd.ExecuteContext(ctx)
		out.Close()
	}()
	c := &cloud{t: t}
	c.stop = func() error { cancel(); return <-ended }
	lines := bufio.NewScanner(in)
	for lines.Scan() && lines.Text() != "Ctrl-C ends it." {
	}
	data, err := os.ReadFile(ready)
	if err != nil {
		t.Fatal(err, c.stop())
	}
	must(t, json.Unmarshal(data, &c.at))
	t.Cleanup(func() { cancel() })
	return c
}

// run runs one command against the cloud and returns what it prints.
func (c *cloud) run(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("hubsim %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (c *cloud) try(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := command(&out, c.t.Output())
	cmd.SetArgs(append(args, "--control", c.at.Control))
	err := cmd.ExecuteContext(c.t.Context())
	return out.String(), err
}

// connect connects the device whose connection string "device show" prints.
func (c *cloud) connect(id string) net.Conn {
	c.t.Helper()
	text := strings.TrimSpace(c.run("device", "show", id))
	host, rest, _ := strings.Cut(strings.TrimPrefix(text, "HostName="), ";DeviceId="+id+";SharedAccessKey=")
	key, err := token.ParseKey(rest)
	must(c.t, err)
	conn, err := tls.Dial("tcp", c.at.Hub, &tls.Config{RootCAs: c.roots(), ServerName: host})
	must(c.t, err)
	c.t.Cleanup(func() { conn.Close() })
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion, p.ClientIdentifier, p.Keepalive = "MQTT", 4, id, 60
	p.UsernameFlag, p.Username = true, host+"/"+id+"/?api-version=2021-04-12"
	p.PasswordFlag, p.Password = true, []byte(token.Hub(key, host, id, time.Now().Add(time.Hour)))
	must(c.t, p.Write(conn))
	if a, ok := read(c.t, conn).(*packets.ConnackPacket); !ok || a.ReturnCode != 0 {
		c.t.Fatalf("got %v", a)
	}
	return conn
}

// roots are what a device trusts.
func (c *cloud) roots() *x509.CertPool {
	c.t.Helper()
	pem, err := os.ReadFile(c.at.CAFile)
	must(c.t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return roots
}

func read(t *testing.T, conn net.Conn) packets.ControlPacket {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	p, err := packets.ReadPacket(conn)
	must(t, err)
	return p
}

func subscribe(t *testing.T, conn net.Conn, id string) {
	t.Helper()
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID, p.Topics, p.Qoss = 1, []string{"devices/" + id + "/messages/devicebound/#"}, []byte{1}
	must(t, p.Write(conn))
	if _, ok := read(t, conn).(*packets.SubackPacket); !ok {
		t.Fatal("no SUBACK")
	}
}

func publish(t *testing.T, conn net.Conn, id, bag, body string) {
	t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.Qos, p.MessageID = "devices/"+id+"/messages/events/"+bag, []byte(body), 1, 1
	must(t, p.Write(conn))
	if _, ok := read(t, conn).(*packets.PubackPacket); !ok {
		t.Fatal("no PUBACK")
	}
}

// TestDrive goes through the commands as somebody who tries the daemon would.
func TestDrive(t *testing.T) {
	c := serve(t, "--data", filepath.Join(t.TempDir(), "data"), "--hub", "localhost", "--hub", "127.0.0.1")
	if got := c.run("device", "create", "pump"); !strings.HasPrefix(got, "created pump\nprimary key    ") || strings.Count(got, "\n") != 3 {
		t.Errorf("device create: %q", got)
	}
	conn := c.connect("pump")
	subscribe(t, conn, "pump")
	want := "DEVICE  HUB        AUTH                ENABLED  CONNECTED  SUBSCRIBED  QUEUED\npump    localhost  shared_private_key  true     true       true        0\n"
	if got := c.run("device", "list"); got != want {
		t.Errorf("device list:\n%s", got)
	}
	got := c.run("c2d", "send", "--device", "pump", "--topic", "/power", "--body", "toggle", "--message-id", "m 1", "--property", "k=v", "-p", "empty=", "-p", "null", "--ttl", "90s")
	if got != "queued for pump, message id \"m 1\"\n" {
		t.Errorf("c2d send: %q", got)
	}
	m, ok := read(t, conn).(*packets.PublishPacket)
	bag := "%24.mid=m%201&%24.to=%2Fdevices%2Fpump%2Fmessages%2Fdevicebound&Topic=%2Fpower&k=v&empty=&null&%24.exp="
	if !ok || string(m.Payload) != "toggle" || !strings.HasPrefix(m.TopicName, "devices/pump/messages/devicebound/"+bag) {
		t.Errorf("got %v", m)
	}
	if got := c.run("queue", "pump"); !strings.Contains(got, "m 1") || !strings.Contains(got, "true    Topic=/power k=v empty= null  toggle") {
		t.Errorf("queue:\n%s", got)
	}
	if got := c.run("c2d", "send", "-d", "pump", "--message-id", ""); got != "queued for pump, message id \"\"\n" {
		t.Errorf("c2d send: %q", got)
	}
	if got := c.run("logins", "--device", "pump"); strings.Count(got, "\n") != 2 || !strings.Contains(got, "localhost  0     false") {
		t.Errorf("logins:\n%s", got)
	}
	if got := c.run("packets"); !strings.Contains(got, "->  CONNECT") || !strings.Contains(got, "<-  PUBLISH") || strings.Contains(got, "SharedAccess") {
		t.Errorf("packets:\n%s", got)
	}
	c.run("device", "disable", "pump")
	if got := c.run("device", "list", "--json"); !strings.Contains(got, `"disabled":true,"connected":false`) {
		t.Errorf("device list --json: %s", got)
	}
	c.run("device", "enable", "pump")
	c.run("device", "delete", "pump")
	if _, err := c.try("device", "show", "pump"); err == nil || err.Error() != "404001: no such device" {
		t.Errorf("device show of nobody: %v", err)
	}
	must(t, c.stop())
}

func TestDriveFaultsAndEnrollments(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, "--data", "", "--ca-file", filepath.Join(dir, "ca.pem"), "--group-key-file", filepath.Join(dir, "group.key"), "--hub", "localhost", "--hub", "127.0.0.1")
	c.run("fault", "add", "refuse-connect", "--count", "10", "--code", "5", "--device", "pump")
	c.run("fault", "add", "dps-refuse-register", "--code", "429", "--delay", "10s")
	c.run("fault", "add", "refuse-tcp", "--transport", "mqtt", "--count", "-1")
	want := "KIND                 DEVICE  OVER  COUNT  CODE  DELAY\nrefuse-connect       pump          10     5     0s\ndps-refuse-register                1      429   10s\nrefuse-tcp                   mqtt  -1     0     0s\n"
	if got := c.run("fault", "list"); got != want {
		t.Errorf("fault list:\n%s", got)
	}
	c.run("fault", "clear", "refuse-connect")
	c.run("fault", "clear")
	if got := c.run("fault", "list", "--json"); strings.TrimSpace(got) != "[]" {
		t.Errorf("fault list: %s", got)
	}
	if _, err := c.try("fault", "add", "earthquake"); err == nil {
		t.Error("an unknown fault is taken")
	}
	c.run("device", "create", "pump")
	for _, what := range []string{"kick", "reset", "freeze", "deafen", "mute"} {
		c.run("fault", what, "pump")
	}
	c.run("fault", "reassign", "rpi-7", "--hub", "127.0.0.1", "--device-id", "RPI-7")
	c.run("fault", "reassign", "rpi-8", "--payload", `{"site":"A"}`)
	if _, err := c.try("fault", "reassign", "rpi-8", "--payload", "{"); err == nil {
		t.Error("a payload that is not JSON is taken")
	}
	c.run("enrollment", "create", "rpi-7", "--key-file", filepath.Join(dir, "group.key"))
	c.run("enrollment", "disable", "rpi-7")
	want = "ID       KIND        ATTESTATION   HUB        ENABLED\ndefault  group       symmetricKey  localhost  true\nrpi-7    individual  symmetricKey  localhost  false\n"
	if got := c.run("enrollment", "list"); got != want {
		t.Errorf("enrollment list:\n%s", got)
	}
	c.run("enrollment", "enable", "rpi-7")
	key, err := os.ReadFile(filepath.Join(dir, "group.key"))
	must(t, err)
	for _, id := range []string{"default", "rpi-7"} {
		if got := c.run("enrollment", "show", id); got != string(key) {
			t.Errorf("enrollment show %s: another key than in the file", id)
		}
	}
	c.run("enrollment", "delete", "rpi-7")
	if got := c.run("enrollment", "registrations"); strings.Count(got, "\n") != 1 {
		t.Errorf("registrations:\n%s", got)
	}
	must(t, c.stop())
}

func TestMonitorEvents(t *testing.T) {
	c := serve(t, "--data", filepath.Join(t.TempDir(), "data"))
	c.run("device", "create", "pump")
	c.run("device", "create", "lamp")
	pump, lamp := c.connect("pump"), c.connect("lamp")
	publish(t, pump, "pump", "", "before")
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		cmd := command(out, t.Output())
		cmd.SetArgs([]string{"monitor-events", "--device", "pump", "--since", "0", "--control", c.at.Control})
		ended <- cmd.ExecuteContext(ctx)
	}()
	lines := bufio.NewScanner(in)
	next := func() string { lines.Scan(); return lines.Text() }
	for next() != "    before" { // it follows from here
	}
	publish(t, lamp, "lamp", "", "another device's")
	publish(t, pump, "pump", "%24.ct=application%2Fjson&%24.cid=m1&topic=pump%2FRESULT", "{\"POWER\":\"ON\"}\x1b[2J")
	if got := next(); !strings.HasPrefix(got, "#3  ") || !strings.HasSuffix(got, "  pump") {
		t.Errorf("got %q", got)
	}
	var rest []string
	for len(rest) < 8 {
		rest = append(rest, next())
	}
	for _, want := range []string{"    $ content-type: application/json", "    $ correlation-id: m1", "    $ iothub-connection-device-id: pump", "    topic: pump/RESULT", `    "{\"POWER\":\"ON\"}\x1b[2J"`} {
		if !strings.Contains(strings.Join(rest, "\n")+"\n", want+"\n") {
			t.Errorf("no line %q in:\n%s", want, strings.Join(rest, "\n"))
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
	must(t, c.stop())
}

// TestWebSocket: devices get in by the second door, too.
func TestWebSocket(t *testing.T) {
	c := serve(t, "--data", filepath.Join(t.TempDir(), "data"))
	d := websocket.Dialer{Subprotocols: []string{"mqtt"}, TLSClientConfig: &tls.Config{RootCAs: c.roots()}}
	ws, _, err := d.DialContext(t.Context(), fmt.Sprintf("wss://localhost:%d/$iothub/websocket", c.at.WebSocketPort), nil)
	must(t, err)
	defer ws.Close()
	if ws.Subprotocol() != "mqtt" || !strings.HasSuffix(c.at.WebSocket, fmt.Sprint(":", c.at.WebSocketPort)) {
		t.Errorf("subprotocol %q at %s", ws.Subprotocol(), c.at.WebSocket)
	}
	must(t, c.stop())
}

// TestHTTP1: nothing else is offered.
func TestHTTP1(t *testing.T) {
	c := serve(t, "--data", "", "--group-key-file", filepath.Join(t.TempDir(), "group.key"), "--ca-file", filepath.Join(t.TempDir(), "ca.pem"))
	conn, err := tls.Dial("tcp", c.at.DPS, &tls.Config{RootCAs: c.roots(), ServerName: "localhost", NextProtos: []string{"h2", "http/1.1"}})
	must(t, err)
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("got %q", got)
	}
	must(t, c.stop())
}

// TestRestart: what devices need to find again is there after a restart on the
// same ports.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, "--data", dir)
	c.run("device", "create", "pump")
	conn := c.connect("pump")
	subscribe(t, conn, "pump")
	publish(t, conn, "pump", "", "first")
	text := c.run("device", "show", "pump")
	c.run("c2d", "send", "--device", "pump", "--body", "one")
	ca, err := os.ReadFile(c.at.CAFile)
	must(t, err)
	port := c.at.HubPort
	must(t, c.stop())

	c = serve(t, "--data", dir, "--hub-port", strconv.Itoa(port), "--ca-file", filepath.Join(dir, "again.pem"))
	again, err := os.ReadFile(filepath.Join(dir, "again.pem"))
	must(t, err)
	if !bytes.Equal(ca, again) || c.run("device", "show", "pump") != text || c.at.HubPort != port {
		t.Error("CA, key or port have changed")
	}
	if m, ok := read(t, c.connect("pump")).(*packets.PublishPacket); !ok || string(m.Payload) != "one" {
		t.Errorf("got %v", m)
	}
	if got := c.run("enrollment", "list"); strings.Count(got, "\n") != 2 {
		t.Errorf("enrollments:\n%s", got)
	}
	must(t, os.WriteFile(c.at.GroupKeyFile, []byte("fxX+WzsoiZBp8lrf+EknEMkCZIGFXY1VzJbPQ5e2bsY=\n"), 0o600))
	must(t, c.stop())

	c = serve(t, "--data", dir)
	if got := c.run("enrollment", "show", "default"); got != "fxX+WzsoiZBp8lrf+EknEMkCZIGFXY1VzJbPQ5e2bsY=\n" {
		t.Error("the new group key was not taken")
	}
	must(t, c.stop())
}

func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.key")
	must(t, os.WriteFile(bad, []byte("secret"), 0o600))
	for want, args := range map[string][]string{
		"loopback":       {"serve", "--control", "0.0.0.0:0"},
		"--control":      {"serve", "--control", "8880"},
		"bad.key":        {"serve", "--group-key-file", bad},
		"address":        {"serve", "--listen", "nowhere.invalid", "--hub-port", "0", "--dps-port", "0", "--control", "127.0.0.1:0"},
		"is \"hubsim":    {"device", "list", "--control", "127.0.0.1:1"},
		"required":       {"c2d", "send"},
		"without a port": {"serve", "--hub", "localhost:8883"},
		"--quota":        {"serve", "--quota", "-1"},
		"--gateway":      {"serve", "--gateway", "localhost:8883"},
	} {
		cmd := command(io.Discard, t.Output())
		if args[0] == "serve" {
			args = append(args, "--data", filepath.Join(dir, "data"))
		}
		cmd.SetArgs(args)
		err := cmd.ExecuteContext(t.Context())
		if want == "address" && err != nil {
			continue // worded by the system
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v, want %q in it", args, err, want)
		}
	}
}

// TestMemoryOnly: with --data "" nothing is written anywhere.
func TestMemoryOnly(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	c := serve(t, "--data", "")
	c.run("device", "create", "pump")
	must(t, c.stop())
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
