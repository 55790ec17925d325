package doctor_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"testing"

	"tasmota-azd/test/uml"
)

// A kernelFault is a machine with GPIO chips, of the small kernel, and what is done to it.
type kernelFault struct {
	fault
	board string
	pin   string
	cmd   string // before check
	as    string // what runs it, if not root
}

// export has something else hold GPIO17 of a Pi 4.
const export = `for c in /sys/class/gpio/gpiochip*; do [ "$(cat $c/label)" = pinctrl-bcm2711 ] && echo $(( $(cat $c/base) + 17 )) >/sys/class/gpio/export; done`

var kernelFaults = []kernelFault{
	{fault{name: "none, with GPIO chips"}, "pi4", "GPIO17", "true", ""},
	{fault{name: "no GPIO chip", check: "chip", exit: 1}, "none", "GPIO17", "true", ""},
	{fault{name: "GPIO chips that this user may not open", check: "chip", exit: 1}, "pi4", "GPIO17", "chmod 600 /dev/gpiochip*; chown 1000 /etc/config.yaml", "start-stop-daemon -S -c 1000:1000 -x /usr/local/bin/tasmota-azd --"},
	{fault{name: "a pin that the board has not", check: "lines", exit: 78}, "pi4", "GPIO71", "true", ""},
	{fault{name: "a line that something else holds", check: "holders", exit: 1}, "pi4", "GPIO17", export, ""},
}

// kernels makes the faults of chips and lines, which a machine with chips takes. There
// is no network in there, so only those checks are made.
func (m *matrix) kernels(t *testing.T) {
	for _, f := range kernelFaults {
		t.Run(f.name, func(t *testing.T) {
			config := fmt.Sprintf("hub: {host: h.azure-devices.net, device_id: pump, key: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=}\nrelays: [{name: Pump, pin: %s}]\n", f.pin)
			r := uml.Run(t, uml.Options{
				Board: f.board, Bins: []string{program}, Files: map[string]string{"/etc/config.yaml": config},
				Cmd: f.cmd + "; chmod 600 /etc/config.yaml; " + cmp.Or(f.as, "tasmota-azd") + " check --config /etc/config.yaml --only pins --json",
			})
			d := diagnosis{exit: r.Exit, text: r.Stdout + r.Stderr}
			if err := json.Unmarshal([]byte(r.Stdout), &d); err != nil {
				t.Fatalf("%v: %s", err, d.text)
			}
			m.add(t, f.fault, d)
		})
	}
}

// pinFaults are those that have a check.
func pinFaults() (all []fault) {
	for _, f := range kernelFaults {
		if f.check != "" {
			all = append(all, f.fault)
		}
	}
	return all
}
