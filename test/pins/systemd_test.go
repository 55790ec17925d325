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
