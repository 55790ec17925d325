package pins

import (
	"strings"
	"testing"

	rpiemu "tasmota-azd/test/rpi-emu"
	"tasmota-azd/test/uml"
)

// RunPi does on an emulated Raspberry Pi what Run does, and reads off its registers
// what became of the lines. All that is printed is the result's Stdout. Of s.Options
// it heeds Cmd and Files.
func RunPi(t *testing.T, p Programs, o rpiemu.Options, s Scenario) uml.Result {
	t.Helper()
	o.Args = append(o.Args, "--bin", p.Daemon+":/usr/bin/tasmota-azd")
	if s.Cloud {
		o.Args = append(o.Args, "--bin", p.Hub+":/usr/bin/hubsim")
	}
	o.Files, o.Cmd = s.install(t)
	r := rpiemu.Run(t, o)
	return uml.Result{Exit: r.Exit, Stdout: r.Output, Trace: events(r.Log)}
}

// events makes of changes of registers what the small kernel would tell: it tells of
// an output's level and of its direction.
func events(log []rpiemu.Change) []uml.Event {
	var list []uml.Event
	for _, c := range log {
		add := func(what string) { list = append(list, uml.Event{At: c.At, Line: c.Pin, What: what}) }
		switch c.To {
		case "high":
			add("set 1")
			add("out")
		case "low":
			add("set 0")
			add("out")
		case "in":
			add("in")
		default:
			if strings.HasPrefix(c.To, "want ") {
				add(c.To)
			}
		}
	}
	return list
}
