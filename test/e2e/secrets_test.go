package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/certificate/certtest"
	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// The planted keys. Whatever the program says or writes is searched for them.
const (
	canaryDevice = "CANARY-device-key-0123456789abcd"
	canaryGroup  = "CANARY-group-key-0123456789abcde"
)

func TestNoSecretLeavesTheDaemon(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	device := base64.StdEncoding.EncodeToString([]byte(canaryDevice))
	group := base64.StdEncoding.EncodeToString([]byte(canaryGroup))
	b.write("pump.key", device)
	b.write("group.key", group)
	key, err := token.ParseKey(device)
	if err != nil {
		t.Fatal(err)
	}
	b.check(b.cloud.AddDevice(hubsim.Device{ID: "pump", Key: key}))
	b.check(b.cloud.CreateEnrollment(hubsim.Enrollment{ID: "boards", Group: true}, group))
	hub := func(login string) string {
		return fmt.Sprintf("hub:\n  port: %d\n  ca_file: cloud-ca.pem\n%s", b.cloud.HubPort, login)
	}
	withKeyFile := hub("  host: localhost\n  device_id: pump\n  key_file: pump.key\n")
	inline := hub("  host: localhost\n  device_id: pump\n  key: " + device + "\n")
	connection := hub("  connection_string: HostName=localhost;DeviceId=pump;SharedAccessKey=" + device + "\n")
	dps := hub("  device_id: board-7\n") + fmt.Sprintf(
		"dps:\n  scope_id: 0ne00000001\n  endpoint: localhost:%d\n  key_file: group.key\n  ca_file: cloud-ca.pem\n", b.cloud.DPSPort)

	var said strings.Builder
	pair := certtest.SelfSigned(t, "gate", time.Now().AddDate(0, 0, 10))
	pair.Write(t, b.dir, "gate")
	b.check(b.cloud.AddDevice(hubsim.Device{ID: "gate", Auth: hubsim.Thumbprint, Thumbprints: []string{pair.Parse(t).Fingerprint()}}))
	certificate := hub("  host: localhost\n  cert_file: gate.pem\n  cert_key_file: gate.key.pem\n")
	for n, head := range []string{withKeyFile, inline, connection, dps, certificate} {
		b.check(b.cloud.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5}))
		config := b.config(head)
		b.check(os.Chmod(config, 0o644)) // an inline key that others can read: a warning that must not quote it
		d := b.start(config, "--token-ttl", "5s")
		b.online(n + 1)
		for _, file := range []string{"cmdline", "environ"} {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", d.PID, file))
			b.check(err)
			said.Write(data)
		}
		b.stop()
		said.WriteString(strings.Join(d.Log(), "\n"))
	}
	for _, mistake := range []string{
		strings.Replace(inline, "key: "+device, "key: "+device[:len(device)-3]+"!", 1), // not base64 any more
		strings.Replace(connection, "DeviceId=", "DeviceID=", 1) + "  key: " + device + "\n",
		strings.Replace(inline, "  key:", "  kee:", 1),
		strings.Replace(certificate, "gate.pem", "gate.key.pem", 1),
		hub("  host: localhost\n  key_file: gate.key.pem\n"),
		strings.Replace(inline, "  host: localhost", "  host: "+device, 1) + "dps: {scope_id: 0ne1, key: " + group + "}\n",
	} {
		out, err := exec.Command(daemon, "check", "--config", b.config(mistake)).CombinedOutput()
		if err == nil {
			t.Errorf("no mistake found in:\n%s", mistake)
		}
		said.Write(out)
	}
	b.check(filepath.WalkDir(filepath.Join(b.dir, "state"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		said.Write(data)
		return err
	}))
	derived := token.DPS(key, "s", "r", b.cloud.Logins()[0].Expiry) // any signature has this shape
	search(t, said.String(), "the shape of a token", derived[:len("SharedAccessSignature sr=")])
	for _, secret := range []string{canaryDevice, canaryGroup} {
		text := base64.StdEncoding.EncodeToString([]byte(secret))
		search(t, said.String(), "a key as bytes", secret)
		search(t, said.String(), "a key in base64", strings.TrimRight(text, "="))
		search(t, said.String(), "the beginning of a key in base64", text[:20])
		search(t, said.String(), "a key in base64 for URLs", strings.TrimRight(base64.URLEncoding.EncodeToString([]byte(secret)), "="))
		search(t, said.String(), "a key in an URL", url.QueryEscape(text))
		search(t, said.String(), "a key in hex", hex.EncodeToString([]byte(secret)))
	}
	for line := range strings.Lines(string(pair.Key)) {
		search(t, said.String(), "a line of a private key", strings.TrimSpace(line))
	}
	if !strings.Contains(said.String(), "token renewed") && !strings.Contains(said.String(), "connected") {
		t.Error("the search was made in nothing")
	}
}

func search(t *testing.T, text, what, secret string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.Contains(strings.ToLower(line), strings.ToLower(secret)) {
			t.Errorf("%s in: %s", what, line)
		}
	}
}
