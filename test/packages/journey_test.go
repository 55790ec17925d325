package packages_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// On a machine with systemd, by the commands of the README: install, configure, enroll,
// start, commands, reload with a broken and a good file, kill, upgrade, downgrade to a
// program that is older in truth, removal, purge. No relay moves but by a command, a stop
// and a start. "in" is where nobody holds the line any more: systemd 252 drops its store
// at a stop.
func TestJourney(t *testing.T) {
	uml.Need(t, true)
	first := deb(t, built(t))
	hub, err := uml.Build(work, "tasmota-azd/cmd/hubsim")
	if err != nil {
		t.Fatal(err)
	}
	clock, err := uml.Build(work, "tasmota-azd/test/packages/timeserver")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--mem", "512M"}
	for at, file := range map[string]string{
		"/root/desk/dist/": first, "/root/later/": release(t, "", "0.2.0"), "/root/earlier/": release(t, older, "0.0.9"),
	} {
		args = append(args, "--file", file+":"+at+file[strings.LastIndex(file, "/")+1:])
	}
	files := map[string]string{"/usr/local/lib/steps.sh": read(t, "../pins/steps.sh"), "/usr/local/lib/journey.sh": read(t, "journey.sh")}
	maps.Copy(files, scripts(readme(t)))
	r := uml.Run(t, uml.Options{
		Systemd: true, NoPersist: true, Timeout: 10 * time.Minute, Bins: []string{hub, clock}, Args: args, Files: files,
		Cmd: `. /usr/local/lib/steps.sh
			(. /usr/local/lib/journey.sh); status=$?; journal >&2; exit $status`,
	})
	t.Log(r.Stdout)
	if r.Exit != 0 {
		t.Errorf("exit %d\n%s", r.Exit, r.Stderr)
	}
	for line, want := range map[string]string{
		"GPIO17": "set 0 out set 1 set 0 in set 1 out set 0 in",
		"GPIO27": "set 0 out set 1 set 0 in set 1 out set 0 in",
		"GPIO22": "set 1 out set 0 set 1 set 0 set 1 in set 0 out set 1 in",
	} {
		if got := pins.Wire(r, line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	if c := pins.Count(pins.Moves(r.Trace)); c.Unexpected != 0 || c.Missing() != 0 {
		t.Errorf("%+v", c)
	} else {
		t.Logf("%d moves of relays were commanded, %d not", c.Commanded, c.Unexpected)
	}
}

// scripts are the steps of the README as files of the guest, whose processor and releases
// are others.
func scripts(steps map[string]string) map[string]string {
	guest := strings.NewReplacer("arm64", "amd64", "NEW", "0.2.0-1_amd64", "OLD", "0.0.9-1_amd64")
	files := map[string]string{}
	for name, text := range steps {
		files["/usr/local/lib/readme/"+name] = "set -e\n" + guest.Replace(text)
	}
	return files
}
