package packages_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// On a machine with systemd: first installation, configuration, start, commands, upgrade,
// downgrade, removal, purge. No relay moves but by a command, a stop and a start. "in" is
// where nobody holds the line any more: systemd 252 drops its store at a stop.
func TestJourney(t *testing.T) {
	uml.Need(t, true)
	old := deb(t, built(t))
	hub, err := uml.Build(work, "tasmota-azd/cmd/hubsim")
	if err != nil {
		t.Fatal(err)
	}
	r := uml.Run(t, uml.Options{
		Systemd: true, NoPersist: true, Timeout: 8 * time.Minute, Bins: []string{hub},
		Args:  []string{"--file", old + ":/root/old.deb", "--file", newer(t, old) + ":/root/new.deb"},
		Files: map[string]string{"/usr/local/lib/steps.sh": read(t, "../pins/steps.sh"), "/usr/local/lib/journey.sh": read(t, "journey.sh")},
		Cmd: `old=/root/old.deb new=/root/new.deb; . /usr/local/lib/steps.sh
			(. /usr/local/lib/journey.sh); status=$?; journal >&2; exit $status`,
	})
	t.Log(r.Stdout)
	if r.Exit != 0 {
		t.Errorf("exit %d\n%s", r.Exit, r.Stderr)
	}
	for line, want := range map[string]string{
		"GPIO17": "set 0 out set 1 set 0 in set 1 out set 0 in",
		"GPIO27": "set 1 out set 0 set 1 in set 0 out set 1 in",
		"GPIO22": "set 0 out set 1 set 0 set 1 set 0 in set 1 out set 0 in",
	} {
		if got := pins.Wire(r, line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// newer makes the next release of a package: of another version, and with another sample
// configuration, about which dpkg asks if the owner has changed his.
func newer(t *testing.T, deb string) string {
	t.Helper()
	dir := t.TempDir()
	root, file := filepath.Join(dir, "root"), filepath.Join(dir, "new.deb")
	output(t, ".", "dpkg-deb", "-R", deb, root)
	change := func(name, from, to string) {
		path := filepath.Join(root, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		text := read(t, path)
		if !strings.Contains(text, from) {
			t.Fatalf("%s does not have %q", name, from)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(text, from, to, 1)), info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	change("DEBIAN/control", "Version: 0.1.0-1", "Version: 0.2.0-1")
	change("etc/tasmota-azd/config.yaml", "# Configuration", "# The configuration")
	output(t, ".", "dpkg-deb", "--root-owner-group", "-Zgzip", "-b", root, file)
	return file
}
