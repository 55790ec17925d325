package commands_test

import (
	"testing"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
)

// idle is a bank that only remembers, so that nothing but the language counts.
type idle []bool

func (r idle) Len() int                                { return len(r) }
func (r idle) On(i int) bool                           { return r[i] }
func (r idle) Fault(int) error                         { return nil }
func (r idle) Set(i int, on bool, _ cause.Cause) error { r[i] = on; return nil }

func toggle() func() {
	now := time.Now()
	in := commands.New(commands.Options{Relays: make(idle, 4), Started: now})
	return func() {
		if replies, err := in.Run(now, commands.Parse("cmnd/any/power1", "toggle")); err != nil || len(replies) != 1 {
			panic(err)
		}
	}
}

// TestToggleAllocates holds the most frequent command to a few allocations: its
// name, its argument's word, the call, the replies, their topic and body.
func TestToggleAllocates(t *testing.T) {
	if got := testing.AllocsPerRun(100, toggle()); got > 6 {
		t.Errorf("a toggle makes %v allocations, want at most 6", got)
	}
}

func BenchmarkPowerToggle(b *testing.B) {
	b.ReportAllocs()
	run := toggle()
	for b.Loop() {
		run()
	}
}

func BenchmarkState(b *testing.B) {
	b.ReportAllocs()
	now := time.Now()
	in := commands.New(commands.Options{Relays: make(idle, 4), Started: now})
	for b.Loop() {
		if _, err := in.Run(now, commands.Parse("state", "")); err != nil {
			b.Fatal(err)
		}
	}
}
