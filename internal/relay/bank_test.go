package relay_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/relay"
)

// A plug is a line whose chip can be unplugged.
type plug struct {
	pin
	gone  bool
	tries []time.Time
}

func (p *plug) Held() (gpio.Level, bool)    { return gpio.Low, false }
func (p *plug) Claim(l, _ gpio.Level) error { return p.Out(l) }
func (p *plug) Release() error              { return nil }
func (p *plug) Out(l gpio.Level) error {
	if p.gone {
		return syscall.ENODEV
	}
	return p.pin.Out(l)
}
func (p *plug) Regain(l gpio.Level) error {
	p.tries = append(p.tries, time.Now())
	return p.Out(l)
}

var sent = cause.Cause{Door: cause.C2D, ID: "m", Seq: 1}

func TestLostLineComesBack(t *testing.T) {
	for _, tt := range []struct {
		before, wanted, after bool
	}{
		{true, true, true},    // it stays what it was
		{false, true, false},  // whoever wanted it on was told that it failed
		{true, false, false},  // off is the safe side
		{false, false, false}, // and stays so
	} {
		synctest.Test(t, func(t *testing.T) {
			p, other := &plug{pin: pin{name: "WL_ON"}}, &pin{name: "GPIO17"}
			var edges []relay.Edge
			var log bytes.Buffer
			b, err := relay.New([]relay.Wire{{Pin: p}, {Pin: other}}, relay.Setup{
				On: []bool{tt.before}, Cause: start, Log: logTo(&log), Edges: func(e relay.Edge) { edges = append(edges, e) },
			})
			if err != nil {
				t.Fatal(err)
			}
			p.gone = true
			if err := b.Set(0, tt.wanted, sent); !errors.Is(err, syscall.ENODEV) || b.On(0) != tt.before {
				t.Errorf("%+v: %v, on %v", tt, err, b.On(0))
			}
			lost := time.Now()
			if !errors.Is(b.Fault(0), syscall.ENODEV) || b.Fault(1) != nil {
				t.Errorf("faults are %v and %v", b.Fault(0), b.Fault(1))
			}
			p.tries = nil
			for range 8 {
				time.Sleep(time.Until(b.Next()))
				b.Tick(time.Now())
			}
			p.gone = false
			time.Sleep(time.Until(b.Next()))
			b.Tick(time.Now())
			var waits []int
			for _, at := range p.tries {
				waits = append(waits, int(at.Sub(lost).Seconds()))
			}
			if got := fmt.Sprint(waits); got != "[1 3 7 15 31 61 91 121 151]" {
				t.Errorf("tried after %s seconds", got)
			}
			last := edges[len(edges)-1]
			if b.On(0) != tt.after || last.From != relay.Unknown || last.Cause.Door != cause.Recovered || !b.Next().IsZero() {
				t.Errorf("%+v: on %v, last edge %+v, next %v", tt, b.On(0), last, b.Next())
			}
			if err := b.Fault(0); err != nil {
				t.Errorf("fault of a line that is back: %v", err)
			}
			if len(other.levels) != 1 {
				t.Errorf("the other relay was driven %v", other.levels)
			}
			if text := log.String(); strings.Count(text, "relay lost its line") != 2 || strings.Count(text, `msg="relay has its line back"`) != 1 ||
				!strings.Contains(text, "lasted=2m31s") {
				t.Errorf("begin, once in between, and the end with its duration: %s", text)
			}
		})
	}
}

func TestHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &pin{name: "GPIO17"}
		b, err := relay.New([]relay.Wire{{Name: "Pump", Pin: p, MinInterval: time.Minute}, {Name: "Gate", Pin: &pin{name: "GPIO22"}}}, relay.Setup{Cause: start, MaxPerMinute: 3, Log: logTo(&log)})
		if err != nil {
			t.Fatal(err)
		}
		set := func(i int, on, held bool) {
			t.Helper()
			before := b.On(i)
			err := b.Set(i, on, sent)
			if errors.Is(err, relay.ErrHeldBack) != held || held && b.On(i) != before || !held && (err != nil || b.On(i) != on) {
				t.Errorf("Set(%d, %v): %v, on %v", i, on, err, b.On(i))
			}
		}
		set(0, true, false)
		set(0, true, false) // no edge
		time.Sleep(59 * time.Second)
		set(0, false, false) // off always passes
		set(0, true, true)   // min_interval
		time.Sleep(time.Second)
		set(0, true, false)
		set(1, true, false)
		set(1, false, false)
		set(1, true, false)
		set(1, false, false)
		time.Sleep(59 * time.Second)
		set(1, true, true) // the third closing in a minute was the last
		set(1, false, false)
		time.Sleep(time.Second)
		set(1, true, false)
		want := `level=WARN msg="relay held back" relay=2 name=Gate why="held back: max_per_minute is 3, and so often relays have closed in the last minute" times=2 cause="c2d m"`
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, &log)
		}
	})
}

func TestStagger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []int
		begun := time.Now()
		var log bytes.Buffer
		wires := []relay.Wire{{Pin: &pin{name: "GPIO1"}}, {Pin: &pin{name: "GPIO2"}}, {Pin: &pin{name: "GPIO3"}}}
		b, err := relay.New(wires, relay.Setup{Cause: start, Stagger: 200 * time.Millisecond, Log: logTo(&log), Edges: func(e relay.Edge) {
			at = append(at, int(e.Time.Sub(begun).Milliseconds()))
		}})
		if err != nil {
			t.Fatal(err)
		}
		two := sent
		two.Seq = 2
		for _, why := range []cause.Cause{sent, two} { // on, then off, by one command each
			for i := range wires {
				b.Set(i, why == sent, why)
			}
		}
		b.Set(2, false, two) // no edge, no pause
		if got := fmt.Sprint(at); got != "[0 0 0 0 200 400 400 600 800]" {
			t.Errorf("edges after %s ms", got)
		}
		if time.Since(begun) != 800*time.Millisecond {
			t.Errorf("all took %v", time.Since(begun))
		}
		if _, err := relay.New(wires, relay.Setup{Stagger: 5 * time.Second, Log: logTo(&log)}); err != nil || !strings.Contains(log.String(), "stagger=3.333333333s") {
			t.Errorf("%v; a pause too long for the loop is not told:\n%s", err, &log)
		}
	})
}

func TestOff(t *testing.T) {
	p, q := &pin{name: "GPIO17"}, &pin{name: "GPIO22"}
	var edges []string
	b, err := relay.New([]relay.Wire{{Name: "A", Pin: p}, {Name: "B", Pin: q, ActiveLow: true}}, relay.Setup{
		On: []bool{true}, Cause: start, Edges: func(e relay.Edge) { edges = append(edges, fmt.Sprint(e.Name, " ", e.From, " ", e.To, " ", e.Cause)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Off(cause.Cause{Door: cause.Stop}); err != nil || b.On(0) || len(q.levels) != 1 {
		t.Errorf("%v, on %v, the other was driven %v", err, b.On(0), q.levels)
	}
	if got := strings.Join(edges, ", "); got != "A unknown on start, B unknown off start, A on off stop" {
		t.Errorf("edges %s", got)
	}
}
