// Package hardened runs the daemon and a probe on systemd, in the confinement of the
// unit as shipped: what the daemon needs works, and what it does not need fails.
package hardened

import (
	"cmp"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/gobuild"
	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// TestExposure holds what systemd says of the unit: 1.3 of 10 at most.
func TestExposure(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED, there is no systemd-analyze to rate the unit")
	}
	unit := filepath.Join(gobuild.Root(t), "systemd", "tasmota-azd.service")
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=13", "--no-pager", unit).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(lines[len(lines)-1])
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// config provisions the device, with a key that is a credential. Nobody answers for the
// time, so the daemon must ask timedatectl.
const config = `hub: {ca_file: /run/cloud/ca.pem, device_id: pump}
dps: {scope_id: 0ne00000001, endpoint: "localhost:8443", key_file: group.key, ca_file: /run/cloud/ca.pem}
ntp: {servers: [127.0.0.1]}
log: {format: text, level: debug}
gpio: {on_stop: hold}
relays:
  - {name: Pump, pin: GPIO17}
  - {name: Fan, pin: GPIO27, active_low: true}
`

// guest are the machine and its words: what the probe is after lies open, a hub and DPS
// run, and confine adds lines to the unit.
const guest = `set -e
mkdir -p /home/someone /srv/open /var/lib/tasmota-azd /run/tasmota-azd /etc/credstore.encrypted
echo x >/home/someone/file; echo x >/tmp/planted
chmod 777 /srv/open; chmod 666 $config /dev/kmsg; mknod -m 666 /dev/probe-disk b 98 0
cp /usr/bin/id /usr/local/bin/setuid-id; chmod 4755 /usr/local/bin/setuid-id
hubsim serve --deliver-unsubscribed --data /run/cloud --dps-retry-after 1s --quiet --ready-file /run/cloud.json >/run/hubsim.log 2>&1 &
until [ -s /run/cloud.json ]; do sleep 0.05; done
chmod 644 /run/cloud/ca.pem; chmod 711 /run/cloud
confine() {
	printf '[Service]\n' >/etc/systemd/system/tasmota-azd.service.d/confine.conf
	for l; do printf '%s\n' "$l" >>/etc/systemd/system/tasmota-azd.service.d/confine.conf; done
	systemctl daemon-reload
}
section() { echo; echo "==$*"; }
`

// sections are the parts of what a guest said, each by its name.
func sections(said string) map[string]string {
	all := map[string]string{}
	for part := range strings.SplitSeq(strings.ReplaceAll("\n"+said, "\r", ""), "\n==") {
		name, text, _ := strings.Cut(part, "\n")
		all[name] += text + "\n"
	}
	return all
}

// A machine takes steps with the shipped unit. The log is at the level debug.
type machine struct {
	steps      string
	bins, args []string // more programs, more options of the small kernel's run.sh
	limit      time.Duration
}

func boot(t *testing.T, m machine) uml.Result {
	t.Helper()
	uml.Need(t, true)
	dir := t.TempDir()
	programs, err := pins.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	probe, err := uml.Build(dir, "tasmota-azd/test/hardened/probe")
	if err != nil {
		t.Fatal(err)
	}
	r := pins.Run(t, programs, pins.Scenario{Options: uml.Options{
		Systemd: true, NoPersist: true, Timeout: cmp.Or(m.limit, 10*time.Minute),
		Bins: append(m.bins, programs.Hub, probe), Args: m.args, Cmd: guest + m.steps,
		Files: map[string]string{"/etc/tasmota-azd/config.yaml": config},
	}})
	r.Stderr = strings.ReplaceAll(r.Stderr, "\r\n", "\n")
	t.Logf("%s\n%s", r.Stdout, r.Stderr)
	if r.Exit != 0 {
		t.Fatalf("exit %d", r.Exit)
	}
	return r
}

// result is a line of the probe.
var result = regexp.MustCompile(`(?m)^(needed|forbidden) (.*?): (.*)$`)

func TestConfinement(t *testing.T) {
	r := boot(t, machine{steps: `
		probe
		rm -rf /etc/probe /usr/bin/probe-was-here /srv/open/probe /var/lib/tasmota-azd/* /run/tasmota-azd
		confine "LoadCredential=group.key:/run/cloud/group.key" "ExecStartPre=/usr/local/bin/probe"
		up; down

		# From here on a call that is not on the list ends the process that made it.
		confine "LoadCredential=group.key:/run/cloud/group.key" "SystemCallErrorNumber=kill"
		up; became "INFO  connected"
		send power1 on; gpio wait GPIO17 1 20
		send power2 on; gpio wait GPIO27 0 20
		send status 0; became "command=STATUS"
		tasmota-azd status >/run/status; tasmota-azd cmd Power2 off >/run/answer; gpio wait GPIO27 1 20
		tasmota-azd cmd Power2 on >/run/answer; gpio wait GPIO27 0 20
		restart; became "INFO  connected" 2
		send power1 off; gpio wait GPIO17 0 20
		echo "restarts $(systemctl show -P NRestarts tasmota-azd)"
		down
	`})
	root, unit := result.FindAllStringSubmatch(r.Stdout, -1), result.FindAllStringSubmatch(r.Stderr, -1)
	if len(root) == 0 || len(root) != len(unit) {
		t.Fatalf("%d results of root, %d in the unit", len(root), len(unit))
	}
	for i, line := range root {
		kind, name, came := line[1], line[2], unit[i][3]
		if line[3] != "ok" {
			t.Errorf("root cannot %s, so the unit proves nothing: %s", name, line[3])
		}
		if kind == "needed" && came != "ok" {
			t.Errorf("the daemon must %s: %s", name, came)
		}
		if kind == "forbidden" && came == "ok" {
			t.Errorf("the daemon can %s", name)
		}
	}
	if !strings.Contains(r.Stdout, "restarts 0\n") {
		t.Error("the daemon ended by itself")
	}
	log := r.Stderr
	for _, want := range []string{`source="synchronised system clock"`, "cause=adopted", `cause="c2d `} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	blocked := regexp.MustCompile(`(?i)bad system call|permission denied|not permitted|read-only|not supported by protocol`)
	for line := range strings.Lines(log) {
		if !result.MatchString(line) && blocked.MatchString(line) {
			t.Errorf("something was blocked: %s", line)
		}
	}
}

// Keys stay in the process: sealed on the disk, and in no core dump, not even in one that
// the kernel hands to a program.
func TestKeysStay(t *testing.T) {
	r := boot(t, machine{steps: `
		printf '#!/bin/sh\ncat >/run/core.$1\n' >/usr/local/bin/take-core; chmod 755 /usr/local/bin/take-core
		echo '|/usr/local/bin/take-core %e' >/proc/sys/kernel/core_pattern
		sh -c 'kill -SEGV $$' || true
		until [ -s /run/core.sh ]; do sleep 0.1; done

		systemd-creds encrypt --name=group.key /run/cloud/group.key /etc/credstore.encrypted/group.key
		sed -i 's/^ntp:.*/ntp: {servers: []}/' $config
		confine "LoadCredentialEncrypted=group.key:/etc/credstore.encrypted/group.key" Environment=GOTRACEBACK=crash LimitCORE=infinity
		up; became "INFO  connected"
		again systemctl kill -s ABRT --kill-who=main tasmota-azd; became "INFO  connected" 2
		ls /run/core.*
		grep -rlF "$(cat /run/cloud/group.key)" /etc /var /usr/lib/systemd || echo "only in the cloud"
	`})
	if !strings.Contains(r.Stderr, "SIGABRT: abort") {
		t.Error("the daemon did not crash")
	}
	if got, want := strings.ReplaceAll(r.Stdout, "\r", ""), "/run/core.sh\nonly in the cloud\n"; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
