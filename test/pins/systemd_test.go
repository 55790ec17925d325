package pins_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// systemd hears READY when all relays stand, not before, and has stored each line
// once, whatever happens.
func TestSystemdReady(t *testing.T) {
	r := run(t, pins.Scenario{Config: four, Options: uml.Options{Systemd: true, NoPersist: true, Cmd: `
		set -e
		systemctl start tasmota-azd; [ "$(stored)" = 4 ]
		systemctl show -P ActiveEnterTimestampMonotonic tasmota-azd
		restart; [ "$(stored)" = 4 ]
		crash; [ "$(stored)" = 4 ]
		upgrade; [ "$(stored)" = 4 ]
		sed -i '/P1_13/d' $config; restart; [ "$(stored)" = 3 ]
		restart; [ "$(stored)" = 3 ]`}})
	us, err := strconv.Atoi(strings.TrimSpace(r.Stdout))
	if err != nil {
		t.Fatalf("systemd was not ready: %q", r.Stdout)
	}
	ready, driven := time.Duration(us)*time.Microsecond, 0
	for _, e := range r.Trace {
		if e.What == "out" && e.At < ready {
			driven++
		}
	}
	if driven != 4 {
		t.Errorf("ready at %v with %d lines driven, want 4: %+v", ready, driven, r.Trace)
	}
}

// systemctl reload returns when the new file is in force, or says that it is not. What
// systemd keeps is what the relays are, so that a restart moves none.
func TestSystemdReload(t *testing.T) {
	r := run(t, pins.Scenario{Config: four, Options: uml.Options{Systemd: true, NoPersist: true, Cmd: `
		state '{"GPIO17":true,"GPIO27":true,"GPIO22":true,"GPIO23":false}'
		set -ex
		up; [ "$(stored)" = 4 ]
		reload; [ "$(stored)" = 4 ]
		echo "  - {name: E, pin: GPIO24}" >>$config
		reload; [ "$(stored)" = 5 ] && tasmota-azd status | grep "^5 *E *GPIO24"
		good
		sed -i '/P1_13/d' $config
		reload; [ "$(stored)" = 4 ] && ! tasmota-azd status | grep GPIO27
		systemctl show -P ActiveState -P StatusText tasmota-azd
		echo "rellays: []" >>$config
		! systemctl reload tasmota-azd
		systemctl show -P ActiveState -P StatusText tasmota-azd
		systemctl kill -s HUP --kill-who=main tasmota-azd; until [ "$(reloads)" = 5 ]; do sleep 0.1; done
		until systemctl -q is-active tasmota-azd; do sleep 0.1; done
		tasmota-azd status | grep -A1 "NOT RELOADED" && tasmota-azd status --json | grep -A2 faults
		mark - restart
		sed -i '/rellays/d' $config; restart; [ "$(stored)" = 4 ]
		tasmota-azd status`}})
	for _, want := range []string{
		"active\nconfiguration not taken: /etc/tasmota-azd/config.yaml:10: rellays: unknown key",
		"                       /etc/tasmota-azd/config.yaml:10: rellays: unknown key",
		`"/etc/tasmota-azd/config.yaml:10: rellays: unknown key`,
	} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("the output lacks %q:\n%s", want, r.Stdout)
		}
	}
	for _, want := range []string{`key=relays[4] from="" to="E on GPIO24"`, `key=relays[1] from="B on P1_13" to=""`} {
		if !strings.Contains(r.Stderr, "configuration changed "+want) {
			t.Errorf("the log lacks the change %s", want)
		}
	}
	restarted := false
	for _, e := range r.Trace {
		if restarted && !strings.HasPrefix(e.What, "get ") {
			t.Errorf("the restart moved something: %+v", e)
		}
		restarted = restarted || e.Line == "-"
	}
	if !restarted {
		t.Error("the trace has no restart")
	}
	wires(t, r, map[string]string{"GPIO17": "set 1 out", "GPIO22": "set 0 out", "GPIO23": "set 1 out", "GPIO24": "set 0 out", "GPIO27": "set 1 out set 0 in"})
}
