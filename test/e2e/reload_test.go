package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tasmota-azd/internal/certificate/certtest"
	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/lab"
)

// A reloader changes the configuration of a running daemon.
type reloader struct {
	*bench
	path, text string
}

// newReloader starts a daemon with two relays, Pump on and Gate on (active low).
func newReloader(t *testing.T) *reloader {
	b := newBench(t, hubsim.Options{}, 0)
	if err := b.cloud.CreateDevice("pump", "", hubsim.NewKey(), hubsim.NewKey()); err != nil {
		t.Fatal(err)
	}
	primary, _, err := b.cloud.Keys("pump")
	if err != nil {
		t.Fatal(err)
	}
	b.write("pump.key", primary)
	r := &reloader{bench: b}
	r.path = b.config(fmt.Sprintf("hub:\n  host: localhost\n  port: %d\n  device_id: pump\n  key_file: pump.key\n  keep_alive: 2s\n  ca_file: cloud-ca.pem\n", b.cloud.HubPort))
	text, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	r.text = string(text)
	b.start(r.path)
	b.subscribed("pump")
	b.asked([]string{"cmd", "Power0", "on"})
	return r
}

// with returns the configuration with some of it replaced.
func (r *reloader) with(pairs ...string) string {
	r.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(r.text, pairs[i]) {
			r.t.Fatalf("the configuration does not hold %q", pairs[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(r.text)
}

// reload has the daemon take a text as its configuration, with "tasmota-azd reload".
func (r *reloader) reload(text string, wants ...string) {
	r.t.Helper()
	r.write("config.yaml", text)
	r.asked([]string{"reload"}, append(wants, "is in force")...)
}

// edges are all levels that were driven, as "GPIO17 1".
func (r *reloader) edges() (all []string) {
	r.t.Helper()
	list, err := lab.Edges(r.pins())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range list {
		all = append(all, fmt.Sprint(e.Pin, " ", e.Level))
	}
	return all
}

// drove holds what has been driven since before against what is wanted.
func (r *reloader) drove(before []string, want ...string) {
	r.t.Helper()
	if got := r.edges()[len(before):]; !slices.Equal(got, want) {
		r.t.Errorf("driven: %q, want %q", got, want)
	}
}

// connects is how often a hub was logged in to, and how many of these sessions went
// wrong in the end: those whose will it published.
func (r *reloader) connects() (logins, wills int) {
	for _, rec := range r.cloud.Records() {
		if strings.Contains(string(rec.Body), `"Offline"`) {
			wills++
		}
	}
	return r.logins(0), wills
}

type reloadStatus struct {
	Relays []struct {
		Name, Pin, Cause string
		On               bool
	}
	Session       struct{ Connected bool }
	Limit         int `json:"daily_limit"`
	Configuration struct {
		Reloads      int
		Faults       []string
		Broken       bool
		NeedsRestart []string `json:"needs_restart"`
	}
}

func (r *reloader) status() (s reloadStatus) {
	r.t.Helper()
	out := r.asked([]string{"status", "--json"})
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// What has nothing to do with relays or the hub changes without either noticing.
func TestReloadTouchesOnlyWhatChanged(t *testing.T) {
	r := newReloader(t)
	before := r.edges()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	metrics := l.Addr().String()
	l.Close()
	r.reload(r.text)
	r.reload(r.with("log: {level: debug", "log: {level: info"))
	r.asked([]string{"log-level"}, "info")
	r.reload(r.text + "telemetry: {period: 10s, daily_limit: 5000, meter: 4KB}\n")
	r.asked([]string{"cmd", "TelePeriod"}, `{"TelePeriod":10}`)
	if got := r.status().Limit; got != 5000 {
		t.Errorf("daily_limit is %d", got)
	}
	r.reload(r.text + "metrics: {listen: '" + metrics + "'}\n")
	r.waitLog("metrics can be asked for", metrics)
	r.reload(r.text)
	r.reload(r.text + "metrics: {listen: '" + metrics + "'}\n") // the address is free again
	r.waitLog("metrics can be asked for", metrics)
	r.reload(r.with("ntp:\n  servers: [", "ntp:\n  servers: [127.0.0.1:1, "))
	r.reload(r.with("on_stop: hold", "on_stop: off", "max_per_minute: 0", "max_per_minute: 7\n  stagger: 100ms\n  max_age: 10m"))
	r.reload(r.with("name: Pump", "name: Brunnen, min_interval: 1h"))
	r.waitLog("configuration changed", `key=relays[0].name`, "Pump", "Brunnen")
	if s := r.status(); s.Relays[0].Name != "Brunnen" || !s.Relays[0].On {
		t.Errorf("%+v", s.Relays)
	}
	// The other way round: relay 1 is now the one on GPIO27.
	r.reload(r.with("Pump, pin: GPIO17}", "Gate, pin: GPIO27, active_low: true}", "Gate, pin: P1_13, active_low: true}", "Pump, pin: P1_11}"))
	if s := r.status(); s.Relays[0].Pin != "GPIO27" || s.Relays[1].Name != "Pump" || !s.Relays[0].On || !s.Relays[1].On {
		t.Errorf("%+v", s.Relays)
	}
	r.drove(before)
	if logins, wills := r.connects(); logins != 1 || wills != 0 {
		t.Errorf("%d logins and %d wills, want the one of the start", logins, wills)
	}
	r.asked([]string{"cmd", "Power1", "off"})
	r.drove(before, "GPIO27 1")
	r.stop()
	r.drove(before, "GPIO27 1") // on_stop is hold again
}

func TestReloadOfRelays(t *testing.T) {
	r := newReloader(t)
	before := r.edges()
	pump, gate := "  - {name: Pump, pin: GPIO17}\n", "  - {name: Gate, pin: P1_13, active_low: true}\n"
	more := "  - {name: Lamp, pin: GPIO22, active_low: true}\n"
	r.reload(r.with(gate, gate+more))
	r.drove(before, "GPIO22 1")
	r.asked([]string{"cmd", "Power3", "on"}, `{"POWER3":"ON"}`)
	r.drove(before, "GPIO22 1", "GPIO22 0")
	r.asked([]string{"why", "Lamp"}, "reload", "went off", "local")
	before = r.edges()

	// Its polarity was wrong: the state stays, the level changes.
	inverted := strings.Replace(gate, "true", "false", 1)
	r.reload(r.with(gate, inverted+more))
	r.drove(before, "GPIO27 1")
	if s := r.status(); !s.Relays[1].On || s.Relays[1].Cause != "reload" {
		t.Errorf("%+v", s.Relays[1])
	}
	before = r.edges()

	// Two at once: one is gone, one comes, and the last moves up.
	r.reload(r.with(pump+gate, inverted+"  - {name: Fan, pin: GPIO5}\n"+more))
	r.drove(before, "GPIO5 0", "GPIO17 0")
	s := r.status()
	if len(s.Relays) != 3 || s.Relays[0].Pin != "GPIO27" || s.Relays[1].Pin != "GPIO5" || s.Relays[2].Pin != "GPIO22" || !s.Relays[2].On {
		t.Errorf("%+v", s.Relays)
	}
	r.asked([]string{"why", "GPIO22"}, "local")
	before = r.edges()

	// A pin that cannot be had: all others stay as they are, with the one that changed.
	if err := os.Mkdir(filepath.Join(r.pins(), "GPIO6"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write("config.yaml", r.with(pump+gate, gate+"  - {name: Fan, pin: GPIO6}\n"+more))
	out, err := r.ask("reload")
	if err == nil || !strings.Contains(out, "config.yaml:") || !strings.Contains(out, "relay 2 on GPIO6: is a directory") {
		t.Errorf("%v: %s", err, out)
	}
	if now := r.status(); len(now.Relays) != 3 || now.Relays[1].Pin != "GPIO5" || now.Configuration.Broken || len(now.Configuration.Faults) != 1 {
		t.Errorf("%+v", now)
	}
	r.drove(before)
	if logins, wills := r.connects(); logins != 1 || wills != 0 {
		t.Errorf("%d logins and %d wills, want the one of the start", logins, wills)
	}
	r.stop()
	r.write("config.yaml", r.with(pump+gate, inverted+"  - {name: Fan, pin: GPIO5}\n"+more))
	before = r.edges()
	r.start(r.path)
	r.waitLog("relays stand")
	r.drove(before, "GPIO27 1", "GPIO5 0", "GPIO22 0") // as they were
}

func TestReloadOfABrokenFile(t *testing.T) {
	r := newReloader(t)
	before := r.edges()
	r.write("config.yaml", r.with("pin: GPIO17}", "pin: GPIO17, colour: red}", "on_stop: hold", "on_stop: hald"))
	out, err := r.ask("reload")
	if err == nil || err.Error() != "exit status 78" || !strings.Contains(out, "config.yaml:13: gpio.on_stop") || !strings.Contains(out, "config.yaml:16: relays[0].colour") {
		t.Errorf("%v: %s", err, out)
	}
	s := r.status()
	if !s.Configuration.Broken || len(s.Configuration.Faults) != 2 || !strings.Contains(s.Configuration.Faults[1], "config.yaml:16") {
		t.Errorf("%+v", s.Configuration)
	}
	r.asked([]string{"status"}, "NOT RELOADED", "config.yaml:13: gpio.on_stop")
	r.waitLog("ERROR", "configuration not taken", "config.yaml:16: relays[0].colour")
	r.asked([]string{"cmd", "Power1", "off"}, `{"POWER1":"OFF"}`)
	r.reload(r.text)
	if s := r.status(); len(s.Configuration.Faults) > 0 || s.Configuration.Reloads != 2 {
		t.Errorf("%+v", s.Configuration)
	}
	r.drove(before, "GPIO17 0")
	if logins, wills := r.connects(); logins != 1 || wills != 0 {
		t.Errorf("%d logins and %d wills, want the one of the start", logins, wills)
	}
}

// What only a restart can change is said, and the rest is done.
func TestReloadThatNeedsARestart(t *testing.T) {
	r := newReloader(t)
	before := r.edges()
	r.reload(r.with("driver: sim", "driver: auto", "format: text", "format: json", "state_dir: ", "state_dir: /nonexistent", "pin: GPIO17", "pin: GPIO5")+"telemetry: {period: 20s}\n",
		"needs a restart: gpio.driver", "needs a restart: relays[0]", "needs a restart: state_dir", "needs a restart: log.format")
	r.asked([]string{"cmd", "TelePeriod"}, `{"TelePeriod":20}`)
	r.asked([]string{"status"}, "needs a restart", "log.format: text is now json")
	r.waitLog("WARN", "needs a restart: systemctl restart tasmota-azd", "key=state_dir")
	r.drove(before)
	r.reload(r.text)
	if s := r.status(); len(s.Configuration.NeedsRestart) > 0 {
		t.Errorf("%+v", s.Configuration)
	}
}

// A key that was replaced takes effect: the next session follows on the last one, as
// when a token is renewed, and nothing is lost.
func TestReloadOfAKey(t *testing.T) {
	r := newReloader(t)
	_, secondary, err := r.cloud.Keys("pump")
	if err != nil {
		t.Fatal(err)
	}
	r.write("pump.key", "not a key")
	if out, err := r.ask("reload"); err == nil || err.Error() != "exit status 78" || !strings.Contains(out, "config.yaml:5: hub.key_file: in "+filepath.Join(r.dir, "pump.key")) {
		t.Errorf("%v: %s", err, out)
	}
	// Commands come all the while, and each takes effect once.
	const commands = 20
	moves := r.moves("GPIO17")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for n := range commands {
			r.send("pump", fmt.Sprint("t", n), "/power1", "toggle")
			r.answer(fmt.Sprint("t", n))
		}
	}()
	r.write("pump.key", secondary)
	r.reload(r.text)
	r.online(2)
	<-sent
	if got := r.moves("GPIO17") - moves; got != commands {
		t.Errorf("%d moves by %d toggles", got, commands)
	}
	r.waitLog("configuration changed", "key=hub.key", "to=changed")
	r.waitLog("token renewed")
	r.command("pump", "m1", "/power1", "off", `{"POWER1":"OFF"}`)
	// The topic of the will is told when a session begins.
	r.reload(r.text + "telemetry: {full_topic: 'a/%topic%'}\n")
	r.online(3)
	r.send("pump", "m2", "/power1", "on")
	if got := r.answer("m2").Properties["topic"]; got != "a/pump/RESULT" {
		t.Errorf("the topic is %q", got)
	}
	if _, wills := r.connects(); wills != 0 {
		t.Errorf("%d wills", wills)
	}
	for _, line := range r.d.Log() {
		if strings.Contains(line, secondary) {
			t.Errorf("the log has the key: %s", line)
		}
	}
}

// Another way to the hub: one session ends in good order, and another begins. What was
// to be sent meanwhile is.
func TestReloadOfTheHub(t *testing.T) {
	r := newReloader(t)
	r.reload(r.with("keep_alive: 2s", "keep_alive: 3s"))
	r.online(2)
	r.command("pump", "m1", "/power1", "off", `{"POWER1":"OFF"}`)
	r.reload(r.with(fmt.Sprintf("port: %d", r.cloud.HubPort), "port: 1")) // nobody is there
	r.waitLog("not connected")
	r.asked([]string{"cmd", "Power2", "off"}, `{"POWER2":"OFF"}`)
	r.reload(r.text)
	r.online(3)
	_, err := r.cloud.WaitRecord(r.patience(), func(rec hubsim.Record) bool { return string(rec.Body) == `{"POWER2":"OFF"}` })
	if err != nil {
		t.Error("what was to be said meanwhile is lost:", err)
	}
	if _, wills := r.connects(); wills != 0 {
		t.Errorf("%d wills", wills)
	}
}

// A certificate that was replaced signs in at once, although the file names the same.
func TestReloadOfACertificate(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	year := time.Now().AddDate(1, 0, 0)
	first, second := certtest.SelfSigned(t, "pump", year), certtest.SelfSigned(t, "pump", year)
	b.check(b.cloud.AddDevice(hubsim.Device{ID: "pump", Auth: hubsim.Thumbprint,
		Thumbprints: []string{first.Parse(t).Fingerprint(), second.Parse(t).Fingerprint()}}))
	first.Write(t, b.dir, "device")
	b.start(b.config(fmt.Sprintf("hub:\n  host: localhost\n  port: %d\n  cert_file: device.pem\n  cert_key_file: device.key.pem\n  ca_file: cloud-ca.pem\n", b.cloud.HubPort)))
	b.subscribed("pump")
	b.asked([]string{"reload"}, "is in force")
	certtest.Pair{Cert: second.Cert, Key: first.Key}.Write(t, b.dir, "device") // half of it
	if out, err := b.ask("reload"); err == nil || !strings.Contains(out, "config.yaml:5: hub.cert_key_file") {
		t.Errorf("%v: %s", err, out)
	}
	if n := b.logins(0); n != 1 {
		t.Errorf("%d logins, want the one of the start", n)
	}
	second.Write(t, b.dir, "device")
	b.asked([]string{"reload"}, "is in force")
	b.online(2)
	b.waitLog("connected anew with the new certificate")
	b.waitLog("configuration changed", "key=hub.cert_file", "to=changed")
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)
}

// What systemd gave at the start stays, and that is said.
func TestReloadWithACredential(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.keyConfig()
	credentials := t.TempDir()
	b.check(os.Rename(filepath.Join(b.dir, "pump.key"), filepath.Join(credentials, "pump.key")))
	b.env = []string{"CREDENTIALS_DIRECTORY=" + credentials}
	b.start(config)
	b.subscribed("pump")
	b.asked([]string{"reload"}, "as at the start, since systemd gives credentials then: hub.key_file")
	b.waitLog("credentials of the unit are as at the start", "keys=hub.key_file")
	if n := b.logins(0); n != 1 {
		t.Errorf("%d logins, want the one of the start", n)
	}
}

// What systemd hears of two reloads: that one begins, and that the service is ready again,
// with what is wrong as long as something is.
func TestReloadTellsSystemd(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	socket := filepath.Join(b.dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b.env = []string{"NOTIFY_SOCKET=" + socket}
	config := b.keyConfig()
	b.start(config)
	listen(t, conn, "STATUS=connected to localhost as pump", 1)
	good, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	b.write("config.yaml", string(good)+"rellays: []\n")
	b.check(b.d.Signal(syscall.SIGHUP))
	wrong := "STATUS=configuration not taken: " + config + ":20: rellays: unknown key; did you mean relays?; connected to localhost as pump"
	heard := listen(t, conn, wrong, 1)
	if len(heard) != 4 || heard[0] != "RELOADING=1" || !strings.HasPrefix(heard[1], "MONOTONIC_USEC=") || heard[2] != "READY=1" {
		t.Errorf("systemd heard %q", heard)
	}
	b.write("config.yaml", string(good))
	b.check(b.d.Signal(syscall.SIGHUP))
	heard = listen(t, conn, "STATUS=connected to localhost as pump", 1)
	if len(heard) != 4 || heard[0] != "RELOADING=1" || heard[2] != "READY=1" {
		t.Errorf("systemd heard %q", heard)
	}
}

// Another name at DPS is another device: it is assigned a hub, and the relays stay.
func TestReloadWithDPS(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.dpsConfig()
	b.start(config)
	b.subscribed("board-7")
	b.asked([]string{"cmd", "Power1", "on"})
	moves := b.moves("GPIO17")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	b.asked([]string{"reload"}, "is in force")
	if n := b.logins(0); n != 1 {
		t.Errorf("%d logins, want the one of the start", n)
	}
	b.write("config.yaml", strings.Replace(string(text), "board-7", "board-8", 1))
	b.asked([]string{"reload"}, "is in force")
	b.subscribed("board-8")
	b.command("board-8", "m1", "/power1", "on", `{"POWER1":"ON"}`)
	if got := b.moves("GPIO17"); got != moves {
		t.Errorf("%d moves of the relay", got-moves)
	}
}
