package e2e

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/hubsim"
)

// support makes an archive, and returns what was printed and what is in it.
func (b *bench) support(config, name string) (said string, members map[string]string) {
	b.t.Helper()
	file := filepath.Join(b.dir, name)
	out, err := exec.Command(daemon, "support-bundle", "--config", config, "--socket", b.socket(), "-o", file).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		b.t.Errorf("the archive: %v, %v", info.Mode(), err)
	}
	return string(out), b.unpack(file)
}

// unpack returns the files of an archive by their names.
func (b *bench) unpack(file string) map[string]string {
	b.t.Helper()
	f, err := os.Open(file)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		b.t.Fatal(err)
	}
	members := map[string]string{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		if err != nil {
			b.t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		b.check(err)
		members[path.Base(h.Name)] = string(text)
	}
}

// holds checks that members of an archive have certain texts.
func holds(t *testing.T, members map[string]string, wants map[string]string) {
	t.Helper()
	for name, want := range wants {
		if !strings.Contains(members[name], want) {
			t.Errorf("%s lacks %q:\n%s", name, want, members[name])
		}
	}
}

func TestSupportBundle(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.keyConfig()

	// Before the first start.
	said, members := b.support(config, "before.tar.gz")
	holds(t, members, map[string]string{
		"version.txt": "tasmota-azd ", "system.txt": "Linux", "config.txt": `relays[0].pin = "GPIO17"`, "mistakes.txt": "no mistakes", "check.json": `"name": "daemon"`,
		"files.txt": "pump.key", "resources.txt": "MemAvailable", "manifest.txt": "status.json (NOT THERE)",
	})
	for _, want := range []string{"config.txt ", "not all of status.json: no daemon answers at ", "Look at it before you send it: tar -xzOf " + filepath.Join(b.dir, "before.tar.gz")} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}

	// While it runs.
	b.start(config)
	b.subscribed("pump")
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)
	b.command("pump", "m2", "/teleperiod", "60", `{"TelePeriod":60}`)
	_, members = b.support(config, "running.tar.gz")
	holds(t, members, map[string]string{
		"status.json": `"connected": true`, "check.json": `"faults": `, "metrics.txt": "tasmota_", "why.json": `"id": "m1"`, "resources.txt": "VmRSS:",
	})

	// When it is down, with a file that has mistakes now.
	b.stop()
	text, err := os.ReadFile(config)
	b.check(err)
	b.write("config.yaml", strings.Replace(string(text), "device_id: pump", "device_id: pump\n  deviceid: x", 1))
	_, members = b.support(config, "after.tar.gz")
	holds(t, members, map[string]string{
		"config.txt": "hub.(no key of this release) = (hidden)", "mistakes.txt": "unknown key; did you mean device_id?",
		"settings.json": `"TelePeriod": `, "files.txt": "/state/journal", "manifest.txt": "why.json (NOT THERE)",
	})

	// Nothing is overwritten.
	out, err := exec.Command(daemon, "support-bundle", "--config", config, "-o", filepath.Join(b.dir, "after.tar.gz")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "file exists") {
		t.Errorf("%v: %s", err, out)
	}
}
