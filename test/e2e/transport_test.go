package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/hubsim"
)

// webConfig makes the device "pump" with a key, and a configuration with more
// lines in its section hub.
func (b *bench) webConfig(host, lines string) string {
	b.t.Helper()
	if _, err := b.cloud.AddKeyDevice(b.dir, "pump"); err != nil {
		b.t.Fatal(err)
	}
	return b.config(fmt.Sprintf("hub:\n  host: %s\n  device_id: pump\n  key_file: pump.key\n  ca_file: cloud-ca.pem\n%s", host, lines))
}

func TestWebSocket(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	port, err := b.cloud.ListenWeb(0)
	if err != nil {
		t.Fatal(err)
	}
	b.start(b.webConfig("localhost", fmt.Sprintf("  transport: websocket\n  port: %d\n", port)), "--token-ttl", "5s")
	b.waitLog("connected", "transport=websocket")
	b.subscribed("pump")
	for n := 0; b.logins(0) < 3; n++ {
		b.command("pump", fmt.Sprint("m", n), "/power1", "toggle",
			map[int]string{0: `{"POWER1":"ON"}`, 1: `{"POWER1":"OFF"}`}[n%2])
	}
	b.completed("pump")
	b.waitLog("token renewed")
	if n := b.logins(5); n != 0 {
		t.Errorf("%d logins refused", n)
	}
	b.check(b.cloud.Freeze("pump"))
	b.command("pump", "frozen", "/power1", "on", `{"POWER1":"ON"}`)
}

// TestBlockedPort: a firewall first swallows, then refuses the port for MQTT.
// The daemon goes over to WebSocket on 443, remembers it, and comes back.
func TestBlockedPort(t *testing.T) {
	if !inOwnNetwork(t, "nft") {
		return
	}
	b := newBench(t, hubsim.Options{}, 0)
	if _, err := b.cloud.ListenWeb(443); err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(b.cloud.HubPort)
	block(t, port, "drop")
	config := b.webConfig("localhost", "  port: "+port+"\n")
	b.start(config)
	b.waitLog("WARN", "does not answer on port "+port+": does a firewall block it?")
	block(t, port, "reject with tcp reset")
	b.waitLog("connected", "transport=websocket")
	b.waitLog("WARN", "reached by WebSocket on port 443")
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)
	b.stop()
	if got := b.transports(); !slices.Equal(got, []hubsim.Transport{hubsim.WebSocket}) {
		t.Errorf("logins by %v", got)
	}

	// The next start begins with what worked.
	b.start(config)
	b.waitLog("connected", "transport=websocket")
	b.command("pump", "m2", "/power1", "off", `{"POWER1":"OFF"}`)
	b.stop()
	quiet := func() {
		t.Helper()
		for _, line := range b.d.Log() {
			if strings.Contains(line, "not connected") || strings.Contains(line, "reached") {
				t.Errorf("said: %s", line)
			}
		}
	}
	quiet()

	// A day later it is tried on its port, and is still not reached there.
	b.dayPasses()
	block(t, port, "drop")
	b.start(config)
	b.waitLog("connected", "transport=websocket")
	b.stop()

	// Another day later the port is open.
	b.dayPasses()
	unblock(t)
	b.start(config)
	b.waitLog("INFO", "on its port for MQTT again")
	b.command("pump", "m3", "/power1", "on", `{"POWER1":"ON"}`)
	b.stop()
	if got := b.transports(); got[len(got)-1] != hubsim.MQTT {
		t.Errorf("logins by %v", got)
	}
}

// dayPasses makes the daemon, which is stopped, try the port for MQTT again.
func (b *bench) dayPasses() {
	b.t.Helper()
	file := filepath.Join(b.dir, "state", "login")
	text, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	past := regexp.MustCompile(`"try_direct": *"[^"]*"`).ReplaceAll(text, []byte(`"try_direct":"2026-01-01T00:00:00Z"`))
	if string(past) == string(text) {
		b.t.Fatalf("no time in %s", text)
	}
	b.check(os.WriteFile(file, past, 0o600))
}

// transports are those of the logins.
func (b *bench) transports() []hubsim.Transport {
	var all []hubsim.Transport
	for _, l := range b.cloud.Logins() {
		all = append(all, l.Transport)
	}
	return all
}

// TestThroughTinyproxy reaches DPS and the hub through a proxy that wants a name
// and a password.
func TestThroughTinyproxy(t *testing.T) {
	if !inOwnNetwork(t, "tinyproxy", "mount") {
		return
	}
	b := newBench(t, hubsim.Options{Hosts: []string{"cloud.test"}}, 0)
	// A name of its own, as localhost never goes through a proxy.
	command(t, "mount", "--bind", b.write("hosts", "127.0.0.1 localhost cloud.test\n"), "/etc/hosts")
	if _, err := b.cloud.ListenWeb(443); err != nil {
		t.Fatal(err)
	}
	const port = 8888
	b.startProxy(port)
	b.env = []string{fmt.Sprintf("HTTPS_PROXY=http://board:CANARYpassword@127.0.0.1:%d", port), "NO_PROXY="}
	config := b.dpsConfig()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	b.write("config.yaml", strings.NewReplacer(
		"endpoint: localhost:", "endpoint: cloud.test:",
		fmt.Sprintf("port: %d\n", b.cloud.HubPort), "transport: websocket\n",
	).Replace(string(text)))
	b.start(config)
	b.waitLog("DPS assigned a hub", "cloud.test")
	b.waitLog("connected", "transport=websocket")
	b.command("board-7", "m1", "/power1", "on", `{"POWER1":"ON"}`)
	b.stop()
	said, err := os.ReadFile(filepath.Join(b.dir, "tinyproxy.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{fmt.Sprintf("CONNECT cloud.test:%d", b.cloud.DPSPort), "CONNECT cloud.test:443"} {
		if !strings.Contains(string(said), want) {
			t.Errorf("the proxy did not hear %q:\n%s", want, said)
		}
	}

	b.env[0] = fmt.Sprintf("HTTPS_PROXY=http://board:CANARYwrong@127.0.0.1:%d", port)
	b.start(config)
	b.waitLog("WARN", "wants another name and password (HTTP 401)")
	b.stop()
	if strings.Contains(strings.Join(b.d.Log(), "\n"), "CANARY") {
		t.Error("the password is in the log")
	}
}

func (b *bench) startProxy(port int) {
	b.t.Helper()
	log := filepath.Join(b.dir, "tinyproxy.log")
	config := b.write("tinyproxy.conf", fmt.Sprintf(
		"Port %d\nListen 127.0.0.1\nTimeout 600\nLogFile \"%s\"\nLogLevel Connect\nBasicAuth board CANARYpassword\nConnectPort 443\nConnectPort %d\n",
		port, log, b.cloud.DPSPort))
	proxy := exec.Command("tinyproxy", "-d", "-c", config)
	proxy.Stdout, proxy.Stderr = b.t.Output(), b.t.Output()
	if err := proxy.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		proxy.Process.Kill()
		proxy.Wait()
	})
}
