package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
)

// noCore is the line of /proc/PID/limits that forbids core files.
var noCore = regexp.MustCompile(`(?m)^Max core file size +0 +0 `)

// A witness notes all that the program says and writes.
type witness struct {
	*bench
	said strings.Builder
}

func (w *witness) hear(what string) { fmt.Fprintln(&w.said, what) }

// process is what everybody, or the same user, can learn of the running daemon.
func (w *witness) process() {
	w.t.Helper()
	for _, file := range []string{"cmdline", "environ", "limits"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", w.d.PID, file))
		if errors.Is(err, fs.ErrPermission) { // only root may look
			continue
		}
		w.check(err)
		w.hear(string(data))
		if file == "limits" && !noCore.Match(data) {
			w.t.Errorf("core files are not forbidden:\n%s", data)
		}
	}
}

// doors are the answers at the socket.
func (w *witness) doors() {
	w.t.Helper()
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"why", "Pump"}, {"cmd", "Status", "0"}, {"cmd", "Nonsense"}} {
		out, _ := w.ask(args...) // an error is heard too
		w.hear(out)
	}
}

// examine has the daemon examined, for people and for programs.
func (w *witness) examine(config string) {
	w.t.Helper()
	for _, args := range [][]string{{}, {"--json"}} {
		args = append([]string{"check", "--config", config, "--socket", filepath.Join(w.dir, "state", "control.sock")}, args...)
		out, _ := exec.Command(daemon, args...).CombinedOutput() // it finds something, such as no port 443
		if strings.Contains(string(out), "DATA RACE") {
			w.t.Errorf("%s", out)
		}
		w.hear(string(out))
	}
}

// told is what the cloud was told.
func (w *witness) told() {
	w.t.Helper()
	for _, r := range w.cloud.Records() {
		text, err := json.Marshal(r)
		w.check(err)
		w.hear(string(text))
		w.hear(string(r.Body))
	}
}

// files is what was written to the disk.
func (w *witness) files(dir string) {
	w.t.Helper()
	w.check(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		w.hear(path + "\n" + string(data))
		return err
	}))
}

// crash ends the daemon as a panic would: with all goroutines on stderr.
func (w *witness) crash() {
	w.t.Helper()
	w.check(w.d.Signal(syscall.SIGQUIT))
	status, err := w.d.Wait()
	w.check(err)
	if status != 2 {
		w.t.Errorf("exit status %d after SIGQUIT, want 2", status)
	}
}

func TestNoSecretLeavesTheDaemon(t *testing.T) {
	w := &witness{bench: newBench(t, hubsim.Options{}, 0)}
	device, second, group := newCanary("the device's key"), newCanary("the secondary key"), newCanary("the group's key")
	canaries := []canary{device, second, group, group.derived("board-7")}
	heads, certificate, pair := w.plant(device, second, group)
	for n, head := range heads {
		w.check(w.cloud.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5}))
		config, connected := w.config(head), "INFO  connected"
		if n%2 == 1 {
			text, err := os.ReadFile(config)
			w.check(err)
			w.write("config.yaml", strings.Replace(string(text), "format: text", "format: json", 1))
			connected = `"msg":"connected"`
		}
		w.check(os.Chmod(config, 0o644)) // an inline key that others can read: a warning that must not quote it
		d := w.start(config, "--token-ttl", "5s")
		w.waitLog(connected)
		w.process()
		w.doors()
		w.examine(config)
		if n%2 == 0 {
			w.crash()
		} else {
			w.stop()
		}
		w.hear(strings.Join(d.Log(), "\n"))
	}
	web, err := w.cloud.ListenWeb(0)
	w.check(err)
	w.examine(w.config(strings.Replace(heads[0], fmt.Sprintf("port: %d", w.cloud.HubPort), fmt.Sprintf("transport: websocket\n  port: %d", web), 1)))
	w.reloads(heads)
	w.reloads(append(heads[:1:1], w.mistakes(heads, certificate, device.text(), group.text())...))
	w.told()
	w.files(filepath.Join(w.dir, "state"))
	w.files(w.pins())

	said := w.said.String()
	search(t, said, canaries)
	for _, shape := range []string{"SharedAccessSignature sr=", "sig="} {
		if at := strings.Index(said, shape); at >= 0 {
			t.Errorf("a token or a key: %.200s", said[at:])
		}
	}
	for line := range strings.Lines(string(pair.Key)) {
		if strings.Contains(said, strings.TrimSpace(line)) {
			t.Errorf("a line of a private key: %s", line)
		}
	}
	for _, want := range []string{"DEBUG", "not connected", "connected", "goroutine 1", "StatusSTS", "journal", "would let pump in", "the hub does not take it",
		"key=hub.key from=one", "configuration not taken", `"faults"`} {
		if !strings.Contains(said, want) {
			t.Errorf("the search was made without %q", want)
		}
	}
	t.Logf("%d canaries in %d shapes, in %d bytes", len(canaries), len(canaries)*len(device.shapes()), len(said))
}

// plant makes devices and an enrollment with the canaries, and returns the heads of
// configurations for each way to sign in; the last is the one with the certificate.
func (w *witness) plant(device, second, group canary) (heads []string, certificate string, pair certtest.Pair) {
	w.t.Helper()
	w.write("pump.key", device.text())
	w.write("second.key", second.text())
	w.write("group.key", group.text())
	key, err := token.ParseKey(device.text())
	w.check(err)
	w.check(w.cloud.AddDevice(hubsim.Device{ID: "pump", Key: key}))
	w.check(w.cloud.CreateEnrollment(hubsim.Enrollment{ID: "boards", Group: true}, group.text()))
	pair = certtest.SelfSigned(w.t, "gate", time.Now().AddDate(0, 0, 10))
	pair.Write(w.t, w.dir, "gate")
	w.check(w.cloud.AddDevice(hubsim.Device{ID: "gate", Auth: hubsim.Thumbprint, Thumbprints: []string{pair.Parse(w.t).Fingerprint()}}))
	certificate = w.hub("  host: localhost\n  cert_file: gate.pem\n  cert_key_file: gate.key.pem\n")
	return []string{
		w.hub("  host: localhost\n  device_id: pump\n  key_file: pump.key\n  secondary_key_file: second.key\n"),
		w.hub("  host: localhost\n  device_id: pump\n  key: " + device.text() + "\n"),
		w.hub("  connection_string: HostName=localhost;DeviceId=pump;SharedAccessKey=" + device.text() + "\n"),
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
		w.hear(out)
		w.hear(w.asked([]string{"status"}))
		w.hear(w.asked([]string{"status", "--json"}))
	}
	w.stop()
	w.hear(strings.Join(d.Log(), "\n"))
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
		w.hear(string(out))
	}
	w.check(os.Chmod(filepath.Join(w.dir, "second.key"), 0o600))
	return all[1:]
}
