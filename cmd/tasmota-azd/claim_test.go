package main

import (
	"log/slog"
	"testing"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/relay"
	"tasmota-azd/internal/store"
)

// The daemon was killed when a command was about to switch a relay on: the next start
// does that, in the name of the command. After a power-on PowerOnState decides.
func TestStartNamesTheCommandThatWasCutShort(t *testing.T) {
	command := cause.Cause{Door: cause.C2D, ID: "m1", Seq: 7}
	for _, tt := range []struct {
		powerOn bool
		want    cause.Cause
	}{{false, command}, {true, cause.Cause{Door: cause.PowerOn}}} {
		st, err := store.Open(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, j, err := device.Load(st)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Decide(journal.Decision{Cause: command, Pin: "GPIO17", On: true}); err != nil {
			t.Fatal(err)
		}
		j.Close()
		state, j, err := device.Load(st)
		if err != nil {
			t.Fatal(err)
		}
		var edges []relay.Edge
		c := &claim{
			cfg: config.Config{
				Relays: []config.Relay{{Name: "A", Pin: "GPIO17"}, {Name: "B", Pin: "GPIO27"}},
				GPIO:   config.GPIO{Driver: "sim", SimDir: t.TempDir()},
			},
			state: state, powerOn: tt.powerOn, log: slog.New(slog.DiscardHandler),
			edges: func(e relay.Edge) { edges = append(edges, e) },
		}
		bank, err := c.try()
		if err != nil {
			t.Fatal(err)
		}
		other := cause.Cause{Door: cause.Start}
		if tt.powerOn {
			other.Door = cause.PowerOn
		}
		if len(edges) != 2 || edges[0].Cause != tt.want || edges[0].To != relay.On || edges[1].Cause != other {
			t.Errorf("edges %+v, want the first by %v", edges, tt.want)
		}
		bank.Close()
		j.Close()
		st.Close()
	}
}
