package bundle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/bundle"
)

// write makes files below a directory, and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestUnit(t *testing.T) {
	root := write(t, map[string]string{
		"/usr/lib/systemd/system/x.service": "[Unit]\n# secret1\nDescription=X\n[Service]\nExecStart=/usr/bin/tasmota-azd run --config /etc/c.yaml\n",
		"/etc/systemd/system/x.service.d/a.conf": "[Service]\nEnvironment=HTTPS_PROXY=http://me:secret2@proxy\nSetCredential=key:secret3\n" +
			"ExecStartPre=/bin/curl -u secret4\nLoadCredential=device.key:/root/key\nNewInSystemd=secret5\nsecret6\n$secret7=1\n",
		"/etc/systemd/system/x.service.d/b.conf":     "[Service]\nExecStart=\nExecStart=/usr/bin/env PASSWORD=secret8 /usr/bin/tasmota-azd \\\n  run\nLimitCORE=0\n",
		"/etc/systemd/system/x.service.d/notes.text": "secret9",
	})
	if err := os.Symlink(filepath.Join(root, "usr/lib"), filepath.Join(root, "lib")); err != nil {
		t.Fatal(err)
	}
	text, err := bundle.Unit(root, "x.service")
	if err != nil {
		t.Fatal(err)
	}
	const want = `# /etc/systemd/system/x.service.d/a.conf
[Service]
Environment = (hidden)
SetCredential = (hidden)
ExecStartPre = (hidden)
LoadCredential = device.key:/root/key
NewInSystemd = (hidden)
(a line that is no setting)
(hidden)

# /etc/systemd/system/x.service.d/b.conf
[Service]
ExecStart =
ExecStart = (hidden)
LimitCORE = 0

# /usr/lib/systemd/system/x.service
[Unit]
Description = X
[Service]
ExecStart = /usr/bin/tasmota-azd run --config /etc/c.yaml

`
	if string(text) != want {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
	if _, err := bundle.Unit(root, "none.service"); err == nil {
		t.Error("a unit that there is not is shown")
	}
}

// The unit as shipped is shown whole, but for its comments.
func TestUnitAsShipped(t *testing.T) {
	shipped, err := os.ReadFile("../../systemd/tasmota-azd.service")
	if err != nil {
		t.Fatal(err)
	}
	root := write(t, map[string]string{"/usr/lib/systemd/system/x.service": string(shipped)})
	text, err := bundle.Unit(root, "x.service")
	if err != nil || strings.Contains(string(text), "hidden") {
		t.Errorf("%v\n%s", err, text)
	}
}

// program puts a script in the way of a program of the system.
func program(t *testing.T, name, script string) {
	dir := write(t, map[string]string{name: "#!/bin/sh\n" + script})
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestJournal(t *testing.T) {
	program(t, "journalctl", `case "$*" in
*"--unit=x.service --since=@1700000000 --reverse"*) ;;
*) echo "called with $*" >&2; exit 1;;
esac
cat <<'END'
{"__REALTIME_TIMESTAMP":"1700000003000000","PRIORITY":"6","_PID":"7","SYSLOG_IDENTIFIER":"x","MESSAGE":"third\u001b[1m\nof several lines","_CMDLINE":"secret","TASMOTA_RELAY":"secret"}
{"__REALTIME_TIMESTAMP":"1700000002000000","PRIORITY":"3","_PID":"7","SYSLOG_IDENTIFIER":"x","MESSAGE":[1,2]}
{"__REALTIME_TIMESTAMP":"1700000001000000","PRIORITY":"6","_PID":"1","SYSLOG_IDENTIFIER":"systemd","MESSAGE":"first"}
END
`)
	text, err := bundle.Journal(t.Context(), "x.service", time.Unix(1700000000, 0), 1<<20)
	const want = "2023-11-14 22:13:21.000000 <6> systemd[1]: first\n" +
		"2023-11-14 22:13:22.000000 <3> x[7]: (no text, or too long)\n" +
		"2023-11-14 22:13:23.000000 <6> x[7]: third?[1m of several lines\n"
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s\nwant:\n%s", err, text, want)
	}
	if _, err := bundle.Journal(t.Context(), "y.service", time.Unix(1, 0), 1<<20); err == nil || !strings.Contains(err.Error(), "called with") {
		t.Errorf("what journalctl complains of: %v", err)
	}
}

// A journal without end is cut off, and what is kept is the newest.
func TestJournalHasALimit(t *testing.T) {
	program(t, "journalctl", `i=9999; while :; do echo '{"__REALTIME_TIMESTAMP":"1700000000000000","MESSAGE":"'$i'"}'; i=$((i-1)); done`)
	text, err := bundle.Journal(t.Context(), "x.service", at, 1000)
	if err != nil || len(text) > 1000 || !strings.HasSuffix(string(text), ": 9999\n") {
		t.Errorf("%v, %d bytes:\n%s", err, len(text), text)
	}
	program(t, "journalctl", "exit 0")
	if _, err := bundle.Journal(t.Context(), "x.service", at, 1000); err == nil || !strings.Contains(err.Error(), "adm") {
		t.Errorf("nothing to be read: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := bundle.Journal(t.Context(), "x.service", at, 1000); err == nil {
		t.Error("no journalctl, and no error")
	}
}

func TestProperties(t *testing.T) {
	program(t, "systemctl", `echo "MainPID=42"; echo "ActiveState=active"`)
	text, pid, err := bundle.Properties(t.Context(), "x.service")
	if err != nil || pid != 42 || !strings.Contains(string(text), "ActiveState = active\n") {
		t.Errorf("%s, %d, %v", text, pid, err)
	}
	program(t, "systemctl", `echo "no systemd here" >&2; exit 1`)
	if _, _, err := bundle.Properties(t.Context(), "x.service"); err == nil || err.Error() != "systemctl: no systemd here" {
		t.Error(err)
	}
}

func TestFacts(t *testing.T) {
	dir := write(t, map[string]string{"key": "secret", "sub/other": "secret"})
	if err := os.Chmod(filepath.Join(dir, "key"), 0o640); err != nil {
		t.Fatal(err)
	}
	modes, err := bundle.Modes(dir+"/", filepath.Join(dir, "none"))
	if err != nil {
		t.Fatal(err)
	}
	resources, err := bundle.Resources(os.Getpid(), dir)
	if err != nil {
		t.Error(err)
	}
	files, err := bundle.Files("/proc/version", "/proc/no-such-file")(t.Context())
	if err == nil {
		t.Error("a file that there is not is no error")
	}
	all := fmt.Sprintf("%s%s%s", modes, resources, files)
	for _, want := range []string{"-rw-r----- ", "drwx", "/key\n", "/sub\n", "none: no such file", "MemAvailable:", "VmRSS:", "open files:", " bytes free, ", "/proc/version: Linux"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
	if strings.Contains(all, "secret") || strings.Contains(all, "other") {
		t.Errorf("the contents are shown:\n%s", all)
	}
	if text, err := bundle.Resources(0, dir+"/none"); err == nil || !strings.Contains(string(text), "MemTotal") {
		t.Errorf("%v, %s", err, text)
	}
}
