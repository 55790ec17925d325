package device_test

import (
	"fmt"
	"testing"
	"time"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/hub"
)

// quiet is a hub that has everything at once.
type quiet struct{ acks chan string }

func (q quiet) Send(hub.Telemetry)             {}
func (q quiet) Ack(m hub.Message)              { q.acks <- m.ID }
func (q quiet) Answer(hub.Method, int, []byte) {}
func (q quiet) Progress() (uint64, int)        { return 0, 0 }
func (q quiet) Progressed() <-chan struct{}    { return nil }
func (q quiet) Report([]byte)                  {}

// BenchmarkCommand is what a command costs the device, its journal on a real disk.
func BenchmarkCommand(b *testing.B) {
	st, state, j := opened(b, b.TempDir())
	relays := device.Noted(&bank{on: make([]bool, 2), edge: j.Edge}, j, pins)
	q := quiet{acks: make(chan string, 100)}
	dev := device.New(device.Options{
		Hub: q, Commands: commands.New(commands.Options{Relays: relays, Started: time.Now()}),
		Relays: relays, Pins: pins, Store: st, State: state, Journal: j, FullTopic: "%topic%/",
	})
	events := make(chan hub.Event)
	go dev.Run(b.Context(), events)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		events <- command(fmt.Sprint("message-", i), "/power1", "toggle")
		<-q.acks
	}
}
