package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/relay/gpiochip"
)

// A world is a kernel with one chip, and a keeper, that note what is done.
type world struct {
	chips   []gpiochip.Chip
	listErr error
	lines   map[string]*fakeLine // adopted, by the name of the file
	busy    map[string]bool      // lines that something else holds
	denied  map[string]error     // lines whose request fails
	did     []string
}

// A fakeLine is a line that the process holds.
type fakeLine struct {
	sticks error // it can be configured once, and then not
	stuck  error
	world  *world
	place  gpiochip.Place
	out    gpiochip.Output
	file   *os.File
	err    error
}

func newWorld() *world {
	c := gpiochip.Chip{Path: "/dev/gpiochip0", Name: "gpiochip0", Label: "pinctrl-bcm2711"}
	for i := range 28 {
		c.Lines = append(c.Lines, gpiochip.Info{Name: fmt.Sprint("GPIO", i)})
	}
	return &world{chips: []gpiochip.Chip{c}, lines: map[string]*fakeLine{}, busy: map[string]bool{}}
}

func (w *world) note(format string, args ...any) { w.did = append(w.did, fmt.Sprintf(format, args...)) }

func (w *world) kernel() kernel {
	return kernel{
		list: func() ([]gpiochip.Chip, error) { return w.chips, w.listErr },
		check: func(_ []gpiochip.Chip, places ...gpiochip.Place) error {
			var errs []error
			for _, p := range places {
				if w.busy[p.Name()] {
					errs = append(errs, &gpiochip.InUseError{Place: p, Consumer: "spi0 CS1"})
				}
			}
			return errors.Join(errs...)
		},
		request: func(p gpiochip.Place, o gpiochip.Output) (held, error) {
			if err := w.denied[p.Name()]; err != nil {
				return nil, err
			}
			w.note("request %s %v off %v", p.Name(), o.Level, o.Off)
			return &fakeLine{world: w, place: p, out: o}, nil
		},
		adopt: func(chips []gpiochip.Chip, f *os.File) (held, error) {
			if l := w.lines[f.Name()]; l != nil {
				l.file = f
				return l, nil
			}
			return nil, &gpiochip.AdoptError{Name: f.Name(), Err: errors.New("no")}
		},
	}
}

// hold makes a line that was kept, with its file.
func (w *world) hold(t *testing.T, offset int, o gpiochip.Output) *os.File {
	t.Helper()
	p, err := gpiochip.Match(w.chips, fmt.Sprint(offset))
	if err != nil {
		t.Fatal(err)
	}
	w.lines[p.FDName()] = &fakeLine{world: w, place: p, out: o}
	return file(t, p.FDName())
}

// file is an open file of that name.
func file(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), name)
}

func (w *world) Keep(name string, _ *os.File) error { w.note("keep %s", name); return nil }
func (w *world) Forget(name string) error           { w.note("forget %s", name); return nil }

func (l *fakeLine) Place() gpiochip.Place      { return l.place }
func (l *fakeLine) Off() gpio.Level            { return l.out.Off }
func (l *fakeLine) File() *os.File             { return l.file }
func (l *fakeLine) Level() (gpio.Level, error) { return l.out.Level, nil }
func (l *fakeLine) Close() error               { l.world.note("close %s", l.place.Name()); return nil }
func (l *fakeLine) Out(level gpio.Level) error {
	if l.err != nil {
		return l.err
	}
	l.world.note("out %s %v", l.place.Name(), level)
	l.out.Level = level
	return nil
}
func (l *fakeLine) Configure(o gpiochip.Output) error {
	if l.stuck != nil {
		return l.stuck
	}
	l.world.note("configure %s %v off %v", l.place.Name(), o.Level, o.Off)
	l.out, l.stuck = o, l.sticks
	return nil
}
func (l *fakeLine) Reopen(_ []gpiochip.Chip, o gpiochip.Output) error {
	l.world.note("reopen %s %v off %v", l.place.Name(), o.Level, o.Off)
	l.out, l.err = o, nil
	return nil
}
func (l *fakeLine) Release() error { l.world.note("release %s", l.place.Name()); return nil }

// bank opens lines 17 and 22, the second active low, with these files kept.
func (w *world) bank(t *testing.T, on []bool, restore bool, kept ...*os.File) (*Bank, []Edge) {
	t.Helper()
	found, err := w.kernel().open(Options{Names: []string{"GPIO17", "22"}, Kept: kept, Keeper: w, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var edges []Edge
	b, err := New([]Wire{{Name: "A", Pin: found.Pins[0]}, {Name: "B", Pin: found.Pins[1], ActiveLow: true}}, Setup{
		On: on, Cause: cause.Cause{Door: cause.Start}, Restore: restore, Others: found.Others,
		Edges: func(e Edge) { edges = append(edges, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, edges
}

// What is kept from an earlier run decides what is done at a start.
func TestStartWithKeptLines(t *testing.T) {
	high := gpiochip.Output{Level: gpio.High}
	for _, tt := range []struct {
		name    string
		kept    map[int]gpiochip.Output
		on      []bool
		restore bool
		did     string
		edges   string
		stands  string
	}{
		{"nothing kept", nil, []bool{true, true}, false,
			"request GPIO17 High off Low, keep relay-pinctrl-bcm2711-17, request GPIO22 Low off High, keep relay-pinctrl-bcm2711-22",
			"A unknown on start, B unknown on start", "true true"},
		{"as it was", map[int]gpiochip.Output{17: high, 22: {Level: gpio.High, Off: gpio.High}}, []bool{true, false}, false, "", "", "true false"},
		{"the line is believed, not the file", map[int]gpiochip.Output{17: {}, 22: {Level: gpio.Low, Off: gpio.High}}, []bool{true, false}, false, "", "", "false true"},
		{"off by a stop", map[int]gpiochip.Output{17: {}, 22: {Level: gpio.High, Off: gpio.High}}, []bool{true, false}, true,
			"out GPIO17 High", "A off on start", "true false"},
		{"polarity corrected", map[int]gpiochip.Output{17: high, 22: high}, []bool{true, true}, false,
			"configure GPIO22 High off High", "", "true false"},
		{"one more", map[int]gpiochip.Output{17: high}, []bool{true, false}, false,
			"request GPIO22 High off High, keep relay-pinctrl-bcm2711-22", "B unknown off start", "true false"},
		{"one removed", map[int]gpiochip.Output{17: high, 22: {Level: gpio.High, Off: gpio.High}, 23: high, 24: {}}, []bool{true, false}, false,
			"release GPIO23, forget relay-pinctrl-bcm2711-23, release GPIO24, forget relay-pinctrl-bcm2711-24", " on off removed", "true false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			var files []*os.File
			for offset, o := range tt.kept {
				files = append(files, w.hold(t, offset, o))
			}
			b, edges := w.bank(t, tt.on, tt.restore, files...)
			var told []string
			for _, e := range edges {
				told = append(told, fmt.Sprint(e.Name, " ", e.From, " ", e.To, " ", e.Cause))
			}
			for _, c := range []struct{ what, got, want string }{
				{"did", strings.Join(w.did, ", "), tt.did},
				{"edges", strings.Join(told, ", "), tt.edges},
				{"relays", fmt.Sprint(b.On(0), " ", b.On(1)), tt.stands},
			} {
				if c.got != c.want {
					t.Errorf("%s: %s\nwant %s", c.what, c.got, c.want)
				}
			}
		})
	}
}

// A file that is of no use leaves the store before its line is asked for; another
// of the same name stays in it.
func TestUselessFilesLeaveTheStore(t *testing.T) {
	w := newWorld()
	good := w.hold(t, 17, gpiochip.Output{Level: gpio.High})
	w.bank(t, nil, false, good, file(t, "relay-pinctrl-bcm2711-22"), file(t, "relay-pinctrl-bcm2711-17"), file(t, "other"))
	want := "forget relay-pinctrl-bcm2711-22, forget relay-pinctrl-bcm2711-17, forget other, keep relay-pinctrl-bcm2711-17, " +
		"request GPIO22 High off High, keep relay-pinctrl-bcm2711-22"
	if got := strings.Join(w.did, ", "); got != want {
		t.Errorf("did %s\nwant %s", got, want)
	}
}

func TestMistakesLeaveKeptLinesAlone(t *testing.T) {
	w := newWorld()
	w.busy["GPIO8"], w.busy["GPIO7"] = true, true
	kept := w.hold(t, 17, gpiochip.Output{Level: gpio.High})
	open := func(names ...string) error {
		_, err := w.kernel().open(Options{Names: names, Kept: []*os.File{kept}, Keeper: w, Log: slog.New(slog.DiscardHandler)})
		return err
	}
	for _, tt := range []struct {
		names []string
		want  []string
	}{
		{[]string{"GPIO71", "17", "P1_11", "GPIO99"}, []string{
			`relays[0].pin: "GPIO71": there is no line`, `relays[2].pin: "P1_11": GPIO17 is already relays[1]`, `relays[3].pin: "GPIO99": there is no line`}},
		{[]string{"17", "GPIO8", "7", "22"}, []string{
			`relays[1].pin: "GPIO8": GPIO8 (pinctrl-bcm2711:8) is in use by "spi0 CS1": that is the kernel's SPI`, `relays[2].pin: "7": GPIO7 (pinctrl-bcm2711:7) is in use`}},
	} {
		err := open(tt.names...)
		if err == nil || errors.Is(err, ErrNotReady) {
			t.Fatalf("%v: %v", tt.names, err)
		}
		lines := strings.Split(err.Error(), "\n")
		for i, want := range tt.want {
			if len(lines) != len(tt.want) || !strings.HasPrefix(lines[i], want) {
				t.Errorf("%v:\n%v\nwant %s", tt.names, err, want)
			}
		}
	}
	if len(w.did) != 0 {
		t.Errorf("did %v", w.did)
	}
}

func TestWhichDriver(t *testing.T) {
	for _, tt := range []struct {
		err     error
		passing bool
		lacking bool // so periph is asked
	}{
		{&gpiochip.NoChipError{}, true, true},
		{&gpiochip.NoChipError{Hidden: []string{"gpiochip0"}}, true, false},
		{&gpiochip.PermissionError{Paths: []string{"/dev/gpiochip0"}, Err: syscall.EACCES}, true, false},
		{&gpiochip.OldKernelError{Release: "4.19"}, false, true},
		{syscall.EIO, false, false},
	} {
		w := newWorld()
		w.chips, w.listErr = nil, tt.err
		_, err := w.kernel().open(Options{Names: []string{"17"}, Log: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, tt.err) || errors.Is(err, ErrNotReady) != tt.passing || lacking(err) != tt.lacking {
			t.Errorf("%v: passing %v, lacking %v", err, errors.Is(err, ErrNotReady), lacking(err))
		}
	}
}

// A chip that another process may not open yet hides a line for a while.
func TestLineOfAnUnreadableChip(t *testing.T) {
	w := newWorld()
	w.listErr = &gpiochip.PermissionError{Paths: []string{"/dev/gpiochip1"}, Err: syscall.EACCES}
	_, err := w.kernel().open(Options{Names: []string{"17", "WL_ON"}, Keeper: w, Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), `"WL_ON"`) {
		t.Error(err)
	}
	if _, err := w.kernel().open(Options{Names: []string{"17"}, Keeper: w, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Error(err)
	}
}

// New may be tried again with the pins that it has claimed.
func TestSecondAttempt(t *testing.T) {
	w := newWorld()
	found, err := w.kernel().open(Options{Names: []string{"17", "22"}, Keeper: w, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	broken := &failing{err: syscall.EACCES}
	wires := []Wire{{Pin: found.Pins[0]}, {Pin: broken}}
	edges := 0
	s := Setup{On: []bool{true}, Edges: func(Edge) { edges++ }}
	if _, err := New(wires, s); !errors.Is(err, ErrNotReady) {
		t.Fatal(err)
	}
	broken.err = nil
	if _, err := New(wires, s); err != nil || edges != 2 || len(w.did) != 2 {
		t.Errorf("%v, %d edges, did %v", err, edges, w.did)
	}
}

type failing struct{ err error }

func (f *failing) Name() string         { return "GPIO5" }
func (f *failing) Out(gpio.Level) error { return f.err }

// Over a lost chip the other relays work on, and what was kept of the line leaves
// the keeper before the new one comes.
func TestLostLine(t *testing.T) {
	w := newWorld()
	b, _ := w.bank(t, []bool{true, true}, false)
	line := b.wires[0].Pin.(*chipLine).line.(*fakeLine)
	w.did = nil
	line.err = &gpiochip.GoneError{Place: line.place, Err: syscall.ENODEV}
	if err := b.Set(0, false, cause.Cause{Door: cause.C2D}); err != nil || b.On(0) {
		t.Fatal(err)
	}
	want := "reopen GPIO17 Low off Low, forget relay-pinctrl-bcm2711-17, keep relay-pinctrl-bcm2711-17"
	if got := strings.Join(w.did, ", "); got != want {
		t.Errorf("did %s, want %s", got, want)
	}
	line.err = &gpiochip.GoneError{Place: line.place, Err: syscall.ENODEV}
	w.listErr, w.chips, w.did = &gpiochip.NoChipError{}, nil, nil
	if err := b.Set(0, true, cause.Cause{Door: cause.C2D}); err == nil || b.On(0) || b.Next().IsZero() {
		t.Error(err, b.On(0), b.Next())
	}
	if err := b.Set(1, false, cause.Cause{}); err != nil || b.On(1) {
		t.Error(err)
	}
	if got := strings.Join(w.did, ", "); got != "out GPIO22 High" {
		t.Errorf("did %s", got)
	}
}
