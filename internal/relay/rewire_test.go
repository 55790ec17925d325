package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/relay/gpiochip"
)

// A wiring is a bank on lines of a world, as a configuration has it.
type wiring struct {
	*world
	bank  *Bank
	found Found
	have  map[string]Pin
	edges []string
}

// lines are relays: "GPIO17" or "GPIO17 low", by the name as it is written.
func (w *wiring) wires(lines []string) ([]Wire, error) {
	names := make([]string, len(lines))
	for i, l := range lines {
		names[i], _, _ = strings.Cut(l, " ")
	}
	pins, err := w.found.Again(names, w.have)
	if err != nil {
		return nil, err
	}
	wires := make([]Wire, len(lines))
	for i, p := range pins {
		wires[i] = Wire{Name: names[i], Pin: p, ActiveLow: strings.HasSuffix(lines[i], " low")}
	}
	return wires, nil
}

func (w *wiring) setup(on ...bool) Setup {
	return Setup{On: on, Cause: cause.Cause{Door: cause.Reload}, Log: slog.New(slog.DiscardHandler), MaxPerMinute: 3, Edges: func(e Edge) {
		w.edges = append(w.edges, fmt.Sprint(e.Relay, " ", e.Pin, " ", e.From, " ", e.To, " ", e.Cause))
	}}
}

// newWiring has A on GPIO17, on, and B on GPIO22, active low and off.
func newWiring(t *testing.T) *wiring {
	t.Helper()
	w := &wiring{world: newWorld()}
	var err error
	w.found, err = w.kernel().open(Options{Names: []string{"GPIO17", "22"}, Keeper: w.world, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.have = map[string]Pin{"GPIO17": w.found.Pins[0], "22": w.found.Pins[1]}
	w.bank, err = New([]Wire{{Name: "A", Pin: w.found.Pins[0]}, {Name: "B", Pin: w.found.Pins[1], ActiveLow: true}}, w.setup(true, false))
	if err != nil {
		t.Fatal(err)
	}
	w.did, w.edges = nil, nil
	return w
}

func (w *wiring) stands() string {
	var text strings.Builder
	for i := range w.bank.Len() {
		text.WriteString(fmt.Sprint(w.bank.wires[i].Pin.Name(), "=", w.bank.On(i), " "))
	}
	return strings.TrimSpace(text.String())
}

func (w *wiring) want(t *testing.T, did, edges, stands string) {
	t.Helper()
	for _, c := range []struct{ what, got, want string }{
		{"did", strings.Join(w.did, ", "), did},
		{"edges", strings.Join(w.edges, ", "), edges},
		{"relays", w.stands(), stands},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s\nwant %s", c.what, c.got, c.want)
		}
	}
}

// Whatever becomes of the others, a relay that stays is not touched.
func TestRewire(t *testing.T) {
	for _, tt := range []struct {
		name               string
		to                 []string
		on                 []bool // of what is new
		did, edges, stands string
	}{
		{"the same", []string{"GPIO17", "22 low"}, nil, "", "", "GPIO17=true GPIO22=false"},
		{"written otherwise", []string{"P1_11", "pinctrl-bcm2711:22 low"}, nil, "", "", "GPIO17=true GPIO22=false"},
		{"the other way round", []string{"GPIO22 low", "GPIO17"}, []bool{true, false}, "", "", "GPIO22=false GPIO17=true"},
		{"one more, off", []string{"GPIO17", "GPIO5", "22 low"}, nil, "request GPIO5 Low off Low, keep relay-pinctrl-bcm2711-5",
			"2 GPIO5 unknown off reload", "GPIO17=true GPIO5=false GPIO22=false"},
		{"one more, on", []string{"GPIO17", "22 low", "GPIO5 low"}, []bool{false, false, true}, "request GPIO5 Low off High, keep relay-pinctrl-bcm2711-5",
			"3 GPIO5 unknown on reload", "GPIO17=true GPIO22=false GPIO5=true"},
		{"one gone", []string{"22 low"}, nil, "release GPIO17, forget relay-pinctrl-bcm2711-17", "0 GPIO17 on off removed", "GPIO22=false"},
		{"one gone that is off", []string{"GPIO17"}, nil, "release GPIO22, forget relay-pinctrl-bcm2711-22", "", "GPIO17=true"},
		{"one on another pin", []string{"GPIO5", "22 low"}, nil, "request GPIO5 Low off Low, keep relay-pinctrl-bcm2711-5, release GPIO17, forget relay-pinctrl-bcm2711-17",
			"1 GPIO5 unknown off reload, 0 GPIO17 on off removed", "GPIO5=false GPIO22=false"},
		{"inverted, on", []string{"GPIO17 low", "22 low"}, nil, "configure GPIO17 Low off High", "1 GPIO17 off on reload", "GPIO17=true GPIO22=false"},
		{"inverted, off", []string{"GPIO17", "22"}, nil, "configure GPIO22 Low off Low", "2 GPIO22 on off reload", "GPIO17=true GPIO22=false"},
		{"all of it", []string{"GPIO5", "22"}, nil, "request GPIO5 Low off Low, keep relay-pinctrl-bcm2711-5, configure GPIO22 Low off Low, release GPIO17, forget relay-pinctrl-bcm2711-17",
			"1 GPIO5 unknown off reload, 2 GPIO22 on off reload, 0 GPIO17 on off removed", "GPIO5=false GPIO22=false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWiring(t)
			wires, err := w.wires(tt.to)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.bank.Rewire(wires, w.setup(tt.on...)); err != nil {
				t.Fatal(err)
			}
			w.want(t, tt.did, tt.edges, tt.stands)
		})
	}
}

// If one pin cannot be had, all relays are as they were, also those that had moved.
func TestRewireFails(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name       string
		break_     func(*wiring)
		to         []string
		did, edges string
	}{
		{"request", func(w *wiring) { w.denied = map[string]error{"GPIO6": broken} }, []string{"GPIO17 low", "GPIO5", "GPIO6"},
			"request GPIO5 High off Low, keep relay-pinctrl-bcm2711-5, release GPIO5, forget relay-pinctrl-bcm2711-5",
			"2 GPIO5 unknown on reload, 0 GPIO5 on off removed"},
		{"configure", func(w *wiring) { w.bank.lost[1] = &loss{} }, []string{"GPIO17 low", "22"},
			"configure GPIO17 Low off High, configure GPIO17 High off Low", "1 GPIO17 off on reload, 1 GPIO17 off on reload"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWiring(t)
			tt.break_(w)
			wires, err := w.wires(tt.to)
			if err != nil {
				t.Fatal(err)
			}
			err = w.bank.Rewire(wires, w.setup(true, true, true))
			if e, ok := errors.AsType[*PinError](err); !ok || e.Relay != len(tt.to) {
				t.Errorf("error %v", err)
			}
			w.want(t, tt.did, tt.edges, "GPIO17=true GPIO22=false")
			if err := w.bank.Set(0, false, cause.Cause{Door: cause.Local}); err != nil {
				t.Error(err)
			}
			if got := w.did[len(w.did)-1]; got != "out GPIO17 Low" {
				t.Errorf("then: %s", got)
			}
		})
	}
}

// A relay whose inversion cannot be taken back says what its level means, and the record
// has the edge.
func TestRewireCannotGoBack(t *testing.T) {
	w := newWiring(t)
	w.found.Pins[0].(*chipLine).line.(*fakeLine).sticks = errors.New("stuck")
	w.bank.lost[1] = &loss{}
	wires, err := w.wires([]string{"GPIO17 low", "22"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Rewire(wires, w.setup()); err == nil || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("error %v", err)
	}
	w.want(t, "configure GPIO17 Low off High", "1 GPIO17 off on reload, 1 GPIO17 on off reload", "GPIO17=false GPIO22=false")
	if w.bank.Fault(0) == nil {
		t.Error("no fault is told")
	}
}

// Each mistake is told with the number of its relay, and nothing is asked for.
func TestRewireMistakes(t *testing.T) {
	w := newWiring(t)
	w.busy["GPIO7"] = true
	for to, want := range map[string]string{
		"GPIO17,GPIO71":           `relays[1].pin: "GPIO71": there is no line`,
		"GPIO17,22,GPIO7":         `relays[2].pin: "GPIO7": GPIO7 (pinctrl-bcm2711:7) is in use`,
		"GPIO17,GPIO5,P1_11":      `relays[2].pin: "P1_11": GPIO17 is already relays[0]`,
		"GPIO5,pinctrl-bcm2711:5": `relays[1].pin: "pinctrl-bcm2711:5": GPIO5 is already relays[0]`,
	} {
		_, err := w.wires(strings.Split(to, ","))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", to, err, want)
		}
	}
	w.want(t, "", "", "GPIO17=true GPIO22=false")
}

// A relay whose chip is gone stays one, and gets its line back: it is not even looked for.
func TestRewireWithAChipGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWiring(t)
		line := w.found.Pins[1].(*chipLine)
		line.line.(*fakeLine).err = &gpiochip.GoneError{Err: syscall.ENODEV}
		w.chips, w.listErr = nil, &gpiochip.NoChipError{}
		if err := w.bank.Set(1, true, cause.Cause{Door: cause.Local}); err == nil {
			t.Fatal("the chip is not gone")
		}
		wires, err := w.wires([]string{"22 low", "GPIO17"})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.bank.Rewire(wires, w.setup()); err != nil {
			t.Fatal(err)
		}
		if e, ok := errors.AsType[*PinError](w.bank.Fault(0)); !ok || e.Relay != 1 || w.bank.Fault(1) != nil {
			t.Errorf("faults %v, %v", w.bank.Fault(0), w.bank.Fault(1))
		}
		if w.bank.Next().IsZero() {
			t.Error("the line is forgotten")
		}
		w.chips, w.listErr = newWorld().chips, nil
		time.Sleep(time.Until(w.bank.Next()))
		w.bank.Tick(time.Now())
		w.want(t, "reopen GPIO22 High off High, forget relay-pinctrl-bcm2711-22, keep relay-pinctrl-bcm2711-22", "1 GPIO22 unknown off recovered", "GPIO22=false GPIO17=true")
	})
}

// A new file is no way around the limits of the relays.
func TestRewireKeepsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWiring(t) // A has closed: three times a minute is the most
		set := func(i int, on bool) error { return w.bank.Set(i, on, cause.Cause{Door: cause.Local}) }
		for _, err := range []error{set(0, false), set(0, true), set(0, false), set(0, true), set(0, false)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		rewire := func(lines ...string) {
			t.Helper()
			wires, err := w.wires(lines)
			if err == nil {
				wires[1].MinInterval = time.Hour
				err = w.bank.Rewire(wires, w.setup())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		rewire("22 low", "GPIO17")
		if err := set(0, true); !errors.Is(err, ErrHeldBack) {
			t.Errorf("the fourth in a minute: %v", err)
		}
		time.Sleep(time.Minute)
		if err := set(0, true); err != nil {
			t.Error(err)
		}
		if err := set(1, true); !errors.Is(err, ErrHeldBack) {
			t.Errorf("within min_interval: %v", err)
		}
	})
}

// recorded are the levels that were driven in dir.
func recorded(t *testing.T, dir string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "edges.log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, what)
	}
	return all
}

// A plain pin, as periph's and the simulated ones are.
func TestRewireOfPlainPins(t *testing.T) {
	dir := t.TempDir()
	found, err := Open(Options{Driver: "sim", SimDir: dir, Names: []string{"GPIO17", "GPIO27"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New([]Wire{{Pin: found.Pins[0]}, {Pin: found.Pins[1]}}, Setup{On: []bool{true, true}})
	if err != nil {
		t.Fatal(err)
	}
	pins, err := found.Again([]string{"P1_13", "GPIO5"}, map[string]Pin{"GPIO17": found.Pins[0], "GPIO27": found.Pins[1]})
	if err != nil || pins[0] != found.Pins[1] {
		t.Fatalf("%v, %v", pins, err)
	}
	driven := len(recorded(t, dir))
	if err := b.Rewire([]Wire{{Pin: pins[0], ActiveLow: true}, {Pin: pins[1]}}, Setup{}); err != nil {
		t.Fatal(err)
	}
	if got := recorded(t, dir)[driven:]; !slices.Equal(got, []string{"GPIO5 0", "GPIO27 0", "GPIO17 0"}) || !b.On(0) || b.On(1) {
		t.Errorf("driven %q, relays %v %v", got, b.On(0), b.On(1))
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
