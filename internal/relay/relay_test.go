package relay_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"

	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/relay"
)

// A pin is a pin that remembers what was driven and can fail.
type pin struct {
	name   string
	levels []gpio.Level
	err    error
}

func (p *pin) Name() string { return p.name }
func (p *pin) Out(l gpio.Level) error {
	if p.err != nil {
		return p.err
	}
	p.levels = append(p.levels, l)
	return nil
}

// A haltable pin can also be released.
type haltable struct {
	pin
	halted  int
	haltErr error
}

func (p *haltable) Halt() error { p.halted++; return p.haltErr }

var start = cause.Cause{Door: cause.Start}

// logTo writes lines without their time.
func logTo(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestLevels(t *testing.T) {
	for _, tt := range []struct {
		activeLow, first bool
		set              []bool
		want             string // every level driven
	}{
		{false, false, nil, "L"},
		{false, true, nil, "H"},
		{true, false, nil, "H"},
		{true, true, nil, "L"},
		{false, false, []bool{true, false, true}, "LHLH"},
		{true, false, []bool{true, false, true}, "HLHL"},
		{true, true, []bool{false, false, true}, "LHHL"}, // the second drives again
	} {
		t.Run(fmt.Sprint(tt.activeLow, tt.first, tt.set), func(t *testing.T) {
			p := &pin{name: "GPIO17"}
			b, err := relay.New([]relay.Wire{{Pin: p, ActiveLow: tt.activeLow}}, relay.Setup{On: []bool{tt.first}, Cause: start})
			if err != nil || b.On(0) != tt.first {
				t.Fatalf("New: %v, On %v", err, b.On(0))
			}
			for _, on := range tt.set {
				if err := b.Set(0, on, start); err != nil || b.On(0) != on {
					t.Errorf("Set(%v): %v, On %v", on, err, b.On(0))
				}
			}
			var got strings.Builder
			for _, l := range p.levels {
				got.WriteString(l.String()[:1])
			}
			if got.String() != tt.want {
				t.Errorf("drove %s, want %s", got.String(), tt.want)
			}
		})
	}
}

func TestBankIsInOrder(t *testing.T) {
	pins := []*pin{{name: "GPIO17"}, {name: "GPIO27"}, {name: "GPIO22"}}
	var wires []relay.Wire
	for _, p := range pins {
		wires = append(wires, relay.Wire{Pin: p})
	}
	b, err := relay.New(wires, relay.Setup{On: []bool{false, true}, Cause: start}) // the third is not covered: off
	if err != nil || b.Len() != 3 || b.On(0) || !b.On(1) || b.On(2) {
		t.Fatalf("%v, %d relays: %v %v %v", err, b.Len(), b.On(0), b.On(1), b.On(2))
	}
	wires[0].Pin = pins[2] // the bank has its own list
	if err := b.Set(0, true, start); err != nil || len(pins[0].levels) != 2 || len(pins[1].levels) != 1 || len(pins[2].levels) != 1 {
		t.Errorf("%v; driven %v %v %v", err, pins[0].levels, pins[1].levels, pins[2].levels)
	}
	empty, err := relay.New(nil, relay.Setup{On: []bool{true}, Cause: start})
	if err != nil || empty.Len() != 0 || empty.Close() != nil {
		t.Errorf("an empty bank: %v, %d", err, empty.Len())
	}
}

func TestLog(t *testing.T) {
	var log bytes.Buffer
	p := &pin{name: "GPIO17"}
	wires := []relay.Wire{{Name: "Pump", Pin: p}, {Name: "Gate", Pin: &pin{name: "GPIO27"}, ActiveLow: true}}
	b, err := relay.New(wires, relay.Setup{On: []bool{false, true}, Cause: start, Log: logTo(&log)})
	if err != nil {
		t.Fatal(err)
	}
	why := cause.Cause{Door: cause.C2D, ID: "7f0e9d1c-0001", Seq: 1}
	if err := errors.Join(b.Set(0, true, why), b.Set(0, true, why), b.Set(0, false, why)); err != nil {
		t.Fatal(err)
	}
	p.err = syscall.EIO
	b.Set(0, true, why)
	want := `level=INFO msg="relay ready" relay=1 name=Pump pin=GPIO17 on=false cause=start
level=INFO msg="relay ready" relay=2 name=Gate pin=GPIO27 on=true cause=start
level=INFO msg="relay switched" relay=1 name=Pump pin=GPIO17 on=true cause="c2d 7f0e9d1c-0001"
level=INFO msg="relay switched" relay=1 name=Pump pin=GPIO17 on=false cause="c2d 7f0e9d1c-0001"
`
	if log.String() != want {
		t.Errorf("logged\n%swant\n%s", &log, want)
	}
}

func TestSetFails(t *testing.T) {
	p := &pin{name: "GPIO27"}
	b, err := relay.New([]relay.Wire{{Pin: &pin{name: "GPIO4"}}, {Pin: &pin{name: "GPIO5"}}, {Pin: p}}, relay.Setup{Cause: start})
	if err != nil {
		t.Fatal(err)
	}
	p.err = fs.ErrPermission
	err = b.Set(2, true, start)
	if b.Fault(2) != err || b.Fault(1) != nil {
		t.Errorf("faults are %v and %v, want none and %v", b.Fault(1), b.Fault(2), err)
	}
	if err == nil || err.Error() != "relay 3 on GPIO27: permission denied" || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
	if b.On(2) {
		t.Error("a relay that could not be moved is said to be on")
	}
	p.err = nil
	if err := b.Set(2, true, start); err != nil || !b.On(2) || b.Fault(2) != nil {
		t.Errorf("Set once the pin obeys again: %v, %v, %v", err, b.On(2), b.Fault(2))
	}
}

func TestNewFails(t *testing.T) {
	for _, tt := range []struct {
		err   error
		ready bool // trying again makes no sense
	}{
		{syscall.EACCES, false}, {syscall.ENODEV, false}, {syscall.ENOENT, false},
		{syscall.EBUSY, true}, {syscall.EIO, true}, {errors.New("?"), true},
	} {
		good := &pin{name: "GPIO22"}
		b, err := relay.New([]relay.Wire{{Pin: &pin{name: "GPIO17", err: tt.err}}, {Pin: good, ActiveLow: true}, {Pin: &pin{name: "GPIO27", err: tt.err}}}, relay.Setup{Cause: start})
		if b != nil || err == nil {
			t.Fatalf("New: %v, %v", b, err)
		}
		want := fmt.Sprintf("relay 1 on GPIO17: %v\nrelay 3 on GPIO27: %v", tt.err, tt.err)
		if err.Error() != want || errors.Is(err, relay.ErrNotReady) == tt.ready || !errors.Is(err, tt.err) {
			t.Errorf("error %v, not ready: %v", err, errors.Is(err, relay.ErrNotReady))
		}
		if !slices.Equal(good.levels, []gpio.Level{gpio.High}) {
			t.Errorf("the good relay was driven %v", good.levels)
		}
	}
}

func TestClose(t *testing.T) {
	p, q := &haltable{pin: pin{name: "GPIO17"}}, &haltable{pin: pin{name: "GPIO27"}, haltErr: syscall.EIO}
	b, err := relay.New([]relay.Wire{{Pin: p}, {Pin: &pin{name: "GPIO4"}}, {Pin: q}}, relay.Setup{On: []bool{true}, Cause: start})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err == nil || err.Error() != "relay 3 on GPIO27: input/output error" {
		t.Errorf("Close: %v", err)
	}
	if p.halted != 1 || q.halted != 1 || len(p.levels) != 1 {
		t.Errorf("released %d and %d times, driven %v", p.halted, q.halted, p.levels)
	}
}

// TestWholeWay: a name in the configuration to a level in a file, and a restart
// that moves nothing.
func TestWholeWay(t *testing.T) {
	dir := t.TempDir()
	for restart, on := range [][]bool{{false, true}, {false, true}} {
		found, err := relay.Open(relay.Options{Driver: "sim", SimDir: dir, Names: []string{"P1_11", "27"}})
		if err != nil || found.Driver.Name != "sim" || !strings.Contains(found.Driver.About, dir) {
			t.Fatal(found.Driver, err)
		}
		b, err := relay.New([]relay.Wire{{Pin: found.Pins[0], ActiveLow: true}, {Pin: found.Pins[1]}}, relay.Setup{On: on, Cause: start})
		if err != nil {
			t.Fatal(err)
		}
		if restart > 0 {
			err = b.Set(0, true, start)
		}
		if err := errors.Join(err, b.Close()); err != nil {
			t.Error(err)
		}
	}
	want := "GPIO17 1\nGPIO27 1\n" + "GPIO17 1\nGPIO27 1\n" + "GPIO17 0\n"
	if got := edges(t, dir); got != want {
		t.Errorf("edges:\n%swant:\n%s", got, want)
	}
}
