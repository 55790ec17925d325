package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"tasmota-azd/internal/certificate/certtest"
	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
	"tasmota-azd/test/canary"
	"tasmota-azd/test/lab"
)

// noCore is the line of /proc/PID/limits that forbids core files.
var noCore = regexp.MustCompile(`(?m)^Max core file size +0 +0 `)

// A witness searches all that the program says and writes.
type witness struct {
	*bench
	*canary.Search
}

// process is what everybody, or the same user, can learn of the running daemon.
func (w *witness) process() {
	w.t.Helper()
	for _, file := range []string{"cmdline", "environ", "limits", "status"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", w.d.PID, file))
		if errors.Is(err, fs.ErrPermission) { // only root may look
			continue
		}
		w.check(err)
		w.Hear("/proc/PID/"+file, string(data))
		if file == "limits" && !noCore.Match(data) {
			w.t.Errorf("core files are not forbidden:\n%s", data)
		}
	}
}

// doors are the answers at the socket.
func (w *witness) doors() {
	w.t.Helper()
	for surface, args := range map[string][]string{
		"status": {"status"}, "status --json": {"status", "--json"}, "why": {"why", "Pump"}, "why --json": {"why", "Pump", "--json"},
		"cmd": {"cmd", "Status", "0"}, "cmd --json": {"cmd", "State", "--json"}, "an error of cmd": {"cmd", "Nonsense"},
		"metrics": {"metrics"}, "log-level": {"log-level"}, "an error of why": {"why", "nonsense"},
	} {
		out, _ := w.ask(args...) // an error is heard too
		w.Hear(surface, out)
	}
}

// follow hears the events of the running daemon until it ends.
func (w *witness) follow() (end func()) {
	w.t.Helper()
	var all []func()
	for surface, args := range map[string][]string{"events": {"events"}, "events --json": {"events", "--json"}} {
		said := newHeard()
		cmd := exec.Command(daemon, append(args, "--socket", w.socket())...)
		cmd.Stdout, cmd.Stderr = said, said
		w.check(cmd.Start())
		for deadline := time.Now().Add(lab.Patience); said.String() == "" && time.Now().Before(deadline); {
			_, _ = w.ask("cmd", "State") // until it is there
		}
		all = append(all, func() {
			_ = cmd.Wait() // it says that the daemon has ended
			w.Hear(surface, said.String())
		})
	}
	return func() {
		for _, f := range all {
			f()
		}
	}
}

// bundle is what would be sent to those who help.
func (w *witness) bundle(config, name string) {
	w.t.Helper()
	said, members := w.support(config, name)
	w.Hear("support-bundle", said)
	for name, text := range members {
		w.Hear("support-bundle: "+name, text)
	}
}

// examine has the daemon examined, for people; what programs get is in the archive.
func (w *witness) examine(config string) {
	w.t.Helper()
	out, _ := exec.Command(daemon, "check", "--config", config, "--socket", w.socket()).CombinedOutput() // it finds something, such as no port 443
	if strings.Contains(string(out), "DATA RACE") {
		w.t.Errorf("%s", out)
	}
	w.Hear("check", string(out))
}

// told is what the cloud was told.
func (w *witness) told() {
	w.t.Helper()
	for _, r := range w.cloud.Records() {
		text, err := json.Marshal(r)
		w.check(err)
		w.Hear("telemetry", string(text)+string(r.Body))
	}
}

// files are all of a directory, with what is in them.
func (b *bench) files(dir string) string {
	b.t.Helper()
	var all strings.Builder
	b.check(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s\n%s\n", path, data)
		return err
	}))
	return all.String()
}

// crash ends the daemon as a panic or the watchdog would: with all goroutines on stderr.
func (w *witness) crash() {
	w.t.Helper()
	w.check(w.d.Signal(syscall.SIGQUIT))
	status, err := w.d.Wait()
	w.check(err)
	if status != 2 {
		w.t.Errorf("exit status %d after SIGQUIT, want 2", status)
	}
}

// systemd is a stand-in of its socket: told searches what the daemons said there.
func (w *witness) systemd() (told func()) {
	w.t.Helper()
	socket := filepath.Join(w.dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.env = append(w.env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=4000000")
	said := newHeard()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, 1<<16); ; {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			fmt.Fprintf(said, "%s\n", b[:n])
		}
	}()
	return func() {
		conn.Close()
		<-done
		w.Hear("what systemd is told", said.String())
	}
}

// formats are those of the log, each with what it says when there is a session.
var formats = []struct{ name, connected string }{{"text", "INFO  connected"}, {"json", `"msg":"connected"`}, {"journal", "<6>connected"}}

// levels are those of the log. At debug there is all.
var levels = []string{"debug", "info", "warn", "error"}

// logging changes how a configuration logs.
func (w *witness) logging(config, level, format string) {
	w.t.Helper()
	text, err := os.ReadFile(config)
	w.check(err)
	w.write("config.yaml", strings.Replace(string(text), "log: {level: debug, format: text}", fmt.Sprintf("log: {level: %s, format: %s}", level, format), 1))
}

// live is a life of the daemon with a way to sign in, of which everything is heard.
func (w *witness) live(n int, head string) {
	w.t.Helper()
	w.check(w.cloud.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5}))
	config, format := w.config(head), formats[n%len(formats)]
	w.logging(config, "debug", format.name)
	w.check(os.Chmod(config, 0o644)) // an inline key that others can read: a warning that must not quote it
	d := w.start(config, "--token-ttl", "5s")
	w.waitLog(format.connected)
	ended := func() {}
	if n == 0 {
		ended = w.follow()
	}
	w.process()
	w.doors()
	w.examine(config)
	w.bundle(config, fmt.Sprintf("running-%d.tar.gz", n))
	if n%2 == 0 {
		w.crash()
	} else {
		w.stop()
	}
	ended()
	said, dump, _ := strings.Cut(strings.Join(d.Log(), "\n"), "SIGQUIT: quit")
	w.Hear("log, "+format.name+", debug", said)
	w.Hear("goroutines after a crash", dump)
}

// quiet are lives at the other levels, of which the log has less. Each is asked to take a
// file with a mistake in it, which is an error.
func (w *witness) quiet(head, mistake string) {
	w.t.Helper()
	for n, level := range levels[1:] {
		w.check(w.cloud.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5}))
		w.logging(w.config(head), level, formats[n].name)
		before := w.logins(0)
		d := w.start(filepath.Join(w.dir, "config.yaml"))
		w.online(before + 1)
		_, _ = w.ask("log-level", "error")
		_, _ = w.ask("log-level", level)
		w.logging(w.config(mistake), level, formats[n].name)
		if out, err := w.ask("reload"); err == nil {
			w.t.Errorf("the mistake was taken: %s", out)
		}
		w.waitLog("configuration not taken")
		w.crash()
		said, _, _ := strings.Cut(strings.Join(d.Log(), "\n"), "SIGQUIT: quit")
		w.Hear("log, "+formats[n].name+", "+level, said)
	}
}

// TestCanaryEndToEnd searches everything that the built program emits.
func TestCanaryEndToEnd(t *testing.T) {
	device, second, group := canary.New("the device's key"), canary.New("the secondary key"), canary.New("the group's key")
	w := &witness{newBench(t, hubsim.Options{}, 0), canary.NewSearch(device, second, group, group.Derived("board-7"))}
	told := w.systemd()
	heads, certificate, pair := w.plant(device, second, group)
	w.Forbid("a token", "SharedAccessSignature sr=")
	w.Forbid("a token's signature", "sig=")
	for line := range strings.Lines(string(pair.Key)) {
		w.Forbid("a line of a private key", strings.TrimSpace(line))
	}
	for n, head := range heads {
		w.live(n, head)
	}
	mistakes := w.mistakes(heads, certificate, device.Text(), group.Text())
	w.quiet(heads[1], mistakes[7])
	web, err := w.cloud.ListenWeb(0)
	w.check(err)
	w.examine(w.config(strings.Replace(heads[0], fmt.Sprintf("port: %d", w.cloud.HubPort), fmt.Sprintf("transport: websocket\n  port: %d", web), 1)))
	w.reloads(heads)
	w.reloads(append(heads[:1:1], mistakes...))
	w.begin(group)
	told()
	w.told()
	w.Hear("state files", w.files(filepath.Join(w.dir, "state")))
	w.Hear("files of pins", w.files(w.pins()))

	surfaces := []string{"status", "status --json", "why", "why --json", "cmd", "cmd --json", "an error of cmd", "metrics", "log-level", "an error of why",
		"events", "events --json", "support-bundle", "telemetry", "goroutines after a crash", "check", "mistakes", "config schema", "config init",
		"the first configuration", "what systemd is told", "state files", "files of pins", "enroll", "the configuration after enroll", "help", "reload", "log, reload"}
	for _, member := range []string{"manifest.txt", "version.txt", "system.txt", "config.txt", "mistakes.txt", "check.json", "status.json", "metrics.txt", "why.json", "files.txt", "resources.txt"} {
		surfaces = append(surfaces, "support-bundle: "+member)
	}
	surfaces = append(surfaces, "log, text, debug", "log, json, debug", "log, journal, debug", "log, text, info", "log, json, warn", "log, journal, error")
	w.Report(t, surfaces...)
}

// begin is what a new owner runs.
func (w *witness) begin(group canary.Canary) {
	w.t.Helper()
	first := filepath.Join(w.dir, "first.yaml")
	run := func(surface, stdin string, args ...string) {
		cmd := exec.Command(daemon, args...)
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent")
		out, _ := cmd.CombinedOutput() // an error is heard too
		w.Hear(surface, string(out))
	}
	run("config init", "", "config", "init", "--config", first, "--hub", group.Text(), "--device-id", "pump", "--relay", "Pump=GPIO17")
	run("config init", "", "config", "init", "--config", first, "--dps", "0ne00000001", "--device-id", "board-7", "--relay", "Pump=GPIO17", "--key-file", "group.key")
	run("config schema", "", "config", "schema")
	run("help", "", "help")
	run("help", "", "support-bundle", "--help")
	run("version", "", "version")
	text, err := os.ReadFile(first)
	w.check(err)
	w.Hear("the first configuration", string(text))
	config := w.config(w.hub("  device_id: board-7\n") + fmt.Sprintf("dps:\n  scope_id: 0ne00000001\n  endpoint: localhost:%d\n  ca_file: cloud-ca.pem\n", w.cloud.DPSPort))
	run("enroll", "nonsense "+group.Text(), "enroll", "--config", config)
	run("enroll", group.Text(), "enroll", "--config", config, group.Text())
	run("enroll", group.Text(), "enroll", "--config", config)
	text, err = os.ReadFile(config)
	w.check(err)
	w.Hear("the configuration after enroll", string(text))
}

// plant makes devices and an enrollment with the canaries, and returns the heads of
// configurations for each way to sign in; the last is the one with the certificate.
func (w *witness) plant(device, second, group canary.Canary) (heads []string, certificate string, pair certtest.Pair) {
	w.t.Helper()
	w.write("pump.key", device.Text())
	w.write("second.key", second.Text())
	w.write("group.key", group.Text())
	key, err := token.ParseKey(device.Text())
	w.check(err)
	w.check(w.cloud.AddDevice(hubsim.Device{ID: "pump", Key: key}))
	w.check(w.cloud.CreateEnrollment(hubsim.Enrollment{ID: "boards", Group: true}, group.Text()))
	pair = certtest.SelfSigned(w.t, "gate", time.Now().AddDate(0, 0, 10))
	pair.Write(w.t, w.dir, "gate")
	w.check(w.cloud.AddDevice(hubsim.Device{ID: "gate", Auth: hubsim.Thumbprint, Thumbprints: []string{pair.Parse(w.t).Fingerprint()}}))
	certificate = w.hub("  host: localhost\n  cert_file: gate.pem\n  cert_key_file: gate.key.pem\n")
	return []string{
		w.hub("  host: localhost\n  device_id: pump\n  key_file: pump.key\n  secondary_key_file: second.key\n"),
		w.hub("  host: localhost\n  device_id: pump\n  key: " + device.Text() + "\n"),
		w.hub("  connection_string: HostName=localhost;DeviceId=pump;SharedAccessKey=" + device.Text() + "\n"),
		w.hub("  device_id: board-7\n") + fmt.Sprintf(
			"dps:\n  scope_id: 0ne00000001\n  endpoint: localhost:%d\n  key_file: group.key\n  ca_file: cloud-ca.pem\n", w.cloud.DPSPort),
		certificate,
	}, certificate, pair
}

func (w *witness) hub(login string) string {
	return fmt.Sprintf("hub:\n  port: %d\n  ca_file: cloud-ca.pem\n%s", w.cloud.HubPort, login)
}

// reloads has a running daemon read one file after the other.
func (w *witness) reloads(heads []string) {
	w.t.Helper()
	d := w.start(w.config(heads[0]), "--token-ttl", "5s")
	w.waitLog("INFO  connected")
	for _, head := range append(heads[1:len(heads):len(heads)], heads[0]) {
		w.config(head)
		out, _ := w.ask("reload") // fails where there are mistakes
		w.Hear("reload", out)
		w.Hear("status", w.asked([]string{"status"}))
		w.Hear("status --json", w.asked([]string{"status", "--json"}))
	}
	w.stop()
	w.Hear("log, reload", strings.Join(d.Log(), "\n"))
}

// mistakes returns files that are refused, with keys where they do not belong.
func (w *witness) mistakes(heads []string, certificate, device, group string) []string {
	w.t.Helper()
	inline, connection := heads[1], heads[2]
	all := []string{
		heads[0], // the key file is open now
		strings.Replace(inline, "key: "+device, "key: "+device[:len(device)-3]+"!", 1), // not base64 any more
		strings.Replace(connection, "DeviceId=", "DeviceID=", 1) + "  key: " + device + "\n",
		strings.Replace(inline, "  key:", "  kee:", 1),
		strings.Replace(inline, "  key:", "  key_file:", 1),
		strings.Replace(inline, "  key:", "  gateway:", 1),
		strings.Replace(certificate, "gate.pem", "gate.key.pem", 1),
		w.hub("  host: localhost\n  key_file: gate.key.pem\n"),
		strings.Replace(inline, "  host: localhost", "  host: "+device, 1) + "dps: {scope_id: 0ne1, key: " + group + "}\n",
		inline + device + "\n",
	}
	w.check(os.Chmod(filepath.Join(w.dir, "second.key"), 0o644))
	for _, mistake := range all {
		out, err := exec.Command(daemon, "check", "--config", w.config(mistake)).CombinedOutput()
		if err == nil {
			w.t.Errorf("no mistake found in:\n%s", mistake)
		}
		w.Hear("mistakes", string(out))
	}
	w.check(os.Chmod(filepath.Join(w.dir, "second.key"), 0o600))
	return all[1:]
}
