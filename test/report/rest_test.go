package main

import (
	"regexp"
	"testing"
	"time"

	"tasmota-azd/test/pins"
	rpiemu "tasmota-azd/test/rpi-emu"
	"tasmota-azd/test/uml"
)

// everything is a configuration with all that can be on: provisioned by DPS, numbers for
// Prometheus, four relays; the control socket and the journal always are.
const everything = `hub: {ca_file: /run/cloud/ca.pem, device_id: pump}
dps: {scope_id: 0ne00000001, endpoint: "localhost:8443", key_file: /run/group.key, ca_file: /run/cloud/ca.pem}
ntp: {servers: []}
metrics: {listen: "127.0.0.1:9464"}
relays:
  - {name: Pump, pin: GPIO17}
  - {name: Fan, pin: GPIO27, active_low: true}
  - {name: Light, pin: GPIO22}
  - {name: Gate, pin: GPIO23}
`

// steps have the daemon do one thing at each of its doors, and weigh it when it rests.
const steps = `set -e
	hubsim serve --deliver-unsubscribed --data /run/cloud --quiet --dps-retry-after 1s --ready-file /run/cloud.json >/run/hubsim.log 2>&1 &
	until [ -s /run/cloud.json ]; do sleep 0.1; done
	chmod 644 /run/cloud/ca.pem; chmod 711 /run/cloud; install -m 640 -g tasmota-azd /run/cloud/group.key /run/group.key
	up; became connected
	send power1 toggle; became 'command done'
	tasmota-azd cmd Power2 on; tasmota-azd status
	exec 3<>/dev/tcp/127.0.0.1/9464; printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3; grep tasmota_build_info <&3
	echo "=weighed"; weigh "$(systemctl show -P MainPID tasmota-azd)" 30s 60s
`

// TestAtRest weighs the daemon on real systemds, with everything on, at rest.
func TestAtRest(t *testing.T) {
	for _, tt := range []struct {
		arch string
		boot func(t *testing.T, p pins.Programs, weigh string) uml.Result
	}{
		{"amd64", func(t *testing.T, p pins.Programs, weigh string) uml.Result {
			return pins.Run(t, p, pins.Scenario{Options: uml.Options{
				Systemd: true, Bins: []string{p.Hub + ":/usr/local/bin/hubsim", weigh + ":/usr/local/bin/weigh"}, Files: files, Cmd: inBash, Timeout: 10 * time.Minute}})
		}},
		{"arm64", func(t *testing.T, p pins.Programs, weigh string) uml.Result {
			o := rpiemu.Options{Systemd: true, Timeout: 15 * time.Minute, Args: []string{"--bin", p.Hub + ":/usr/bin/hubsim", "--bin", weigh + ":/usr/bin/weigh"}}
			return pins.RunPi(t, p, o, pins.Scenario{Options: uml.Options{Systemd: true, Cmd: inBash, Files: files}})
		}},
	} {
		t.Run(tt.arch, func(t *testing.T) {
			need(t, tt.arch)
			r := tt.boot(t, programs(t, tt.arch), build(t, "test/report/weigh", tt.arch))
			m := weighed.FindStringSubmatch(r.Stdout)
			if m == nil || r.Exit != 0 {
				t.Fatalf("exit %d\n%s\n%s", r.Exit, r.Stdout, r.Stderr)
			}
			t.Logf("%s at rest: %s", tt.arch, m[1])
		})
	}
}

// weighed is what weigh prints.
var weighed = regexp.MustCompile(`(?m)^(resident .*second)\r?$`)

var files = map[string]string{"/etc/tasmota-azd/config.yaml": everything, "/usr/local/lib/rest.sh": steps}

// inBash takes the steps in a shell that has /dev/tcp.
const inBash = `bash -c '. /usr/local/lib/steps.sh; . /usr/local/lib/rest.sh'`

func need(t *testing.T, arch string) {
	t.Helper()
	if arch == "amd64" {
		uml.Need(t, true)
	} else {
		rpiemu.Options{Systemd: true}.Need(t)
	}
}

func programs(t *testing.T, arch string) pins.Programs {
	t.Helper()
	return pins.Programs{Daemon: build(t, "cmd/tasmota-azd", arch), Hub: build(t, "cmd/hubsim", arch)}
}

func build(t *testing.T, pkg, arch string) string {
	t.Helper()
	bin, err := rpiemu.Build(t.TempDir(), "tasmota-azd/"+pkg, arch)
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
