package pins_test

import (
	"strings"
	"testing"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// The journal of a real systemd finds entries by their fields, and explains them.
func TestSystemdJournal(t *testing.T) {
	r := run(t, pins.Scenario{Config: four, Options: uml.Options{Systemd: true, Cmd: `
		set -e
		journalctl --update-catalog
		sed -i 's/format: text/format: auto/' $config
		systemctl start tasmota-azd
		tasmota-azd cmd Power2 on
		became 'not connected'
		journalctl --sync
		echo "=relay"; journalctl -o cat TASMOTA_RELAY=2 TASMOTA_DOOR=local
		echo "=explained"; journalctl -x -o short TASMOTA_RELAY=2 TASMOTA_DOOR=local
		echo "=level"; journalctl -o cat -p warning TASMOTA_PART=hub -n 1
		echo "=bad"; echo 'nonsense: 1' >>$config; systemctl restart tasmota-azd || true
		became 'unknown key'; journalctl --sync
		journalctl -x -o short -p err -u tasmota-azd -n 5`}})
	for part, wants := range map[string][]string{
		"relay":     {`relay switched part=relay relay=2 name=`, `on=true cause="local `},
		"explained": {"was switched", "tasmota-azd why relay2"},
		"level":     {"not connected part=hub err="},
		"bad":       {"unknown key", "The daemon could not start"},
	} {
		_, text, _ := strings.Cut(r.Stdout, "="+part+"\n")
		text, _, _ = strings.Cut(text, "\n=")
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %q:\n%s", part, want, text)
			}
		}
	}
	if t.Failed() {
		t.Log(r.Stdout, r.Stderr)
	}
}

// A loop that stalls, as its pin takes no level, is ended by systemd's watchdog: the
// journal has what every goroutine did, and the next run goes on.
func TestSystemdWatchdog(t *testing.T) {
	r := run(t, pins.Scenario{Config: "gpio: {driver: sim, sim_dir: /run/tasmota-azd/pins}\nrelays: [{name: A, pin: GPIO17}, {name: B, pin: GPIO27}]\n",
		Options: uml.Options{Systemd: true, Files: map[string]string{
			"/etc/systemd/system/tasmota-azd.service.d/watchdog.conf": "[Service]\nWatchdogSec=2s\n",
		}, Cmd: `
		set -e
		up
		tasmota-azd cmd Power2 on
		pins=/run/tasmota-azd/pins
		# The record of the pins becomes a pipe that nobody reads: once it is full, the
		# next level hangs.
		systemctl stop tasmota-azd
		rm -f $pins/edges.log; mkdir -p $pins; mkfifo -m 666 $pins/edges.log; chown -R tasmota-azd /run/tasmota-azd
		exec 3<>$pins/edges.log
		up
		tasmota-azd cmd Power2 on
		dd if=/dev/zero of=$pins/edges.log oflag=nonblock bs=4096 2>/dev/null || true
		dd if=/dev/zero of=$pins/edges.log oflag=nonblock bs=1 2>/dev/null || true
		was=$(systemctl show -P NRestarts tasmota-azd)
		tasmota-azd cmd Power1 on &
		until [ "$(systemctl show -P NRestarts tasmota-azd)" -gt "$was" ]; do sleep 0.1; done
		exec 3>&-
		rm -f $pins/edges.log
		until systemctl -q is-active tasmota-azd; do sleep 0.1; done
		journalctl --sync
		echo "B is $(cat $pins/GPIO27)"
		journalctl -o cat -u tasmota-azd | grep -e 'Watchdog timeout' -e '^SIGABRT' -e '^goroutine ' -e 'device.*Run' -e 'sim.*Out'`}})
	for _, want := range []string{"Watchdog timeout", "SIGABRT", "goroutine ", "device.(*Device).Run", "sim.(*Pin).Out", "B is 1"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("no %q:\n%s", want, r.Stdout)
		}
	}
	if t.Failed() {
		t.Log(r.Stderr)
	}
}
