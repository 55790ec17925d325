// Package pins runs the built daemon in the small kernel of test/uml and on the emulated
// Raspberry Pi of test/rpi-emu, and tells what became of the lines. Its tests hold the promise that no relay moves without a cause.
package pins

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/test/uml"
)

// A Scenario is one boot of a machine that has the daemon, installed as
// `make install` does it, and not yet started.
type Scenario struct {
	uml.Options        // Cmd are the steps: sh, with the words of steps.sh
	Config      string // what the configuration says under gpio: and relays:
	Cloud       bool   // the machine has a hub too: "send power1 on" switches
}

// Programs are the daemon and the stand-in for the cloud, built for the guest.
type Programs struct{ Daemon, Hub string }

// Build compiles them into dir.
func Build(dir string) (p Programs, err error) {
	if p.Daemon, err = uml.Build(dir, "tasmota-azd/cmd/tasmota-azd"); err != nil {
		return p, err
	}
	p.Hub, err = uml.Build(dir, "tasmota-azd/cmd/hubsim")
	return p, err
}

// Heads of a configuration: a hub that is not there, and the one of Scenario.Cloud.
const (
	Alone     = "hub: {host: localhost, port: 1, device_id: pump, key: AAAAAAAAAAAAAAAAAAAAAA==}\n"
	WithCloud = "hub: {connection_string_file: /run/hub, ca_file: /run/cloud/ca.pem}\n"
)

// Run boots the machine and takes the steps. The daemon's log is the result's Stderr.
func Run(t *testing.T, p Programs, s Scenario) uml.Result {
	t.Helper()
	o := s.Options
	o.Args = append(o.Args, "--bin", p.Daemon+":/usr/bin/tasmota-azd")
	if s.Cloud {
		o.Bins = append(o.Bins, p.Hub)
	}
	o.Files, o.Cmd = s.install(t)
	return uml.Run(t, o)
}

// install returns the files of the guest, and its command: the steps in the surroundings
// that they expect.
func (s Scenario) install(t *testing.T) (files map[string]string, cmd string) {
	t.Helper()
	head := Alone
	if s.Cloud {
		head = WithCloud
	}
	files = map[string]string{
		"/etc/tasmota-azd/config.yaml": Config(head, s.Config),
		"/usr/local/lib/steps.sh":      read(t, "test/pins/steps.sh"),
	}
	prelude := ". /usr/local/lib/steps.sh\n"
	if s.Systemd {
		files["/etc/systemd/system/tasmota-azd.service"] = read(t, "systemd/tasmota-azd.service")
		files["/usr/lib/systemd/catalog/tasmota-azd.catalog"] = read(t, "systemd/tasmota-azd.catalog")
		files["/usr/lib/sysusers.d/tasmota-azd.conf"] = read(t, "systemd/tasmota-azd.sysusers")
		files["/etc/systemd/system/tasmota-azd.service.d/test.conf"] = "[Service]\nRestartSec=0\n"
		prelude += "installed\n"
	}
	if s.Cloud {
		prelude += "cloud || exit 99\n"
	}
	maps.Copy(files, s.Files)
	return files, prelude + "(" + s.Cmd + "\n)\nstatus=$?; journal >&2; exit $status"
}

// Config is a whole configuration file: head names the hub, body the pins.
func Config(head, body string) string {
	return head + "ntp: {servers: []}\nlog: {format: text}\n" + body
}

// read reads a file of the project.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Wire lists what the wire of a line went through: "set 0", "set 1", "out", "in".
// What did not change it is left out: driving it to the level that it has, and
// making an output of an output.
func Wire(r uml.Result, line string) string {
	var list []string
	level, direction := "", ""
	for _, what := range r.Moves(line) {
		last := &direction
		if strings.HasPrefix(what, "set ") {
			last = &level
		}
		if *last != what {
			*last = what
			list = append(list, what)
		}
	}
	return strings.Join(list, " ")
}
