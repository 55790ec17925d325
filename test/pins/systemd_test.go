package pins_test

import (
	"testing"

	"tasmota-azd/test/pins"
	"tasmota-azd/test/uml"
)

// Held by systemd, no relay moves over a restart, a crash, the watchdog or an
// upgrade, even on a kernel that makes every released output an input.
func TestSystemdHoldsRelays(t *testing.T) {
	r := run(t, pins.Scenario{Config: four, Options: uml.Options{Systemd: true, NoPersist: true, Cmd: `
		state '` + saved + `'
		systemctl start tasmota-azd && [ "$(stored)" = 4 ] || exit 1
		systemctl restart tasmota-azd || exit 2
		crash
		again systemctl kill -s ABRT --kill-who=main tasmota-azd
		cp /usr/bin/tasmota-azd /usr/bin/new && mv /usr/bin/new /usr/bin/tasmota-azd
		systemctl daemon-reexec; systemctl restart tasmota-azd || exit 3
		good; echo "rellays: []" >>$config
		systemctl restart tasmota-azd; until journalctl -u tasmota-azd | grep -q 78/CONFIG; do sleep 0.1; done
		mend
		sed -i 's/GPIO17/GPIO71/' $config; systemctl restart tasmota-azd
		until journalctl -u tasmota-azd | grep -q GPIO71; do sleep 0.1; done
		mend
		[ "$(stored)" = 4 ]`}})
	wires(t, r, map[string]string{"GPIO17": "set 1 out", "GPIO27": "set 0 out", "GPIO22": "set 0 out", "GPIO23": "set 1 out"})
}

// A stop does what on_stop says, and the next start restores what stood before.
func TestSystemdStop(t *testing.T) {
	for _, tt := range []struct{ on, want17, want22 string }{
		{"off", "set 1 out set 0 set 1 set 0", "set 0 out set 1 set 0 set 1"},
		{"hold", "set 1 out", "set 0 out"},
	} {
		t.Run(tt.on, func(t *testing.T) {
			r := run(t, pins.Scenario{Options: uml.Options{Systemd: true, Cmd: `
				state '{"GPIO17":true,"GPIO22":true}'
				systemctl start tasmota-azd && systemctl stop tasmota-azd && systemctl start tasmota-azd &&
					systemctl stop tasmota-azd`},
				Config: "gpio: {on_stop: " + tt.on + "}\nrelays:\n  - {name: A, pin: GPIO17}\n  - {name: C, pin: GPIO22, active_low: true}\n"})
			wires(t, r, map[string]string{"GPIO17": tt.want17, "GPIO22": tt.want22})
		})
	}
}

// A relay is added, one removed, one inverted: the removed one is off, the others
// have not moved.
func TestSystemdChangedFile(t *testing.T) {
	r := run(t, pins.Scenario{Config: four, Options: uml.Options{Systemd: true, Cmd: `
		state '{"GPIO17":true,"GPIO27":true,"GPIO22":true}'
		systemctl start tasmota-azd || exit 1
		sed -i '/P1_13/d; s/pin: "22", active_low: true/pin: "22"/' $config
		echo '  - {name: E, pin: GPIO24}' >>$config
		systemctl restart tasmota-azd && [ "$(stored)" = 4 ] || exit 2
		systemctl restart tasmota-azd && [ "$(stored)" = 4 ]
		systemctl kill -s USR2 tasmota-azd`}})
	wires(t, r, map[string]string{
		"GPIO17": "set 1 out", "GPIO23": "set 1 out", "GPIO24": "set 0 out",
		"GPIO27": "set 1 out set 0",
		"GPIO22": "set 0 out",
	})
}
