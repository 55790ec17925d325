package host

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	"periph.io/x/conn/v3/driver"
	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
)

// fake is a pin in periph's registry. Embedded, gpio.INVALID has the rest.
type fake struct {
	gpio.PinIO
	name   string
	errs   []error // of the next Outs
	levels []gpio.Level
	closed int
}

func newFake(name string) *fake { return &fake{PinIO: gpio.INVALID, name: name} }

func (f *fake) Name() string { return f.name }
func (f *fake) Close()       { f.closed++ }
func (f *fake) Out(l gpio.Level) error {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return err
	}
	f.levels = append(f.levels, l)
	return nil
}

// register puts pins into periph's registry until the test ends.
func register(t *testing.T, aliases map[string]string, pins ...*fake) {
	t.Helper()
	for _, p := range pins {
		if err := gpioreg.Register(p); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { gpioreg.Unregister(p.name) })
	}
	for alias, name := range aliases {
		if err := gpioreg.RegisterAlias(alias, name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { gpioreg.Unregister(alias) })
	}
}

type loaded string

func (d loaded) String() string        { return string(d) }
func (loaded) Prerequisites() []string { return nil }
func (loaded) After() []string         { return nil }
func (loaded) Init() (bool, error)     { return true, nil }

// pi is a Raspberry Pi 3 whose chips are as files says: an error for each path.
// It counts how often its drivers were started.
func pi(files map[string]error, started *int) machine {
	return machine{
		glob: func(pattern string) (found []string, err error) {
			for path := range files {
				if strings.HasPrefix(path, strings.TrimSuffix(pattern, "*")) {
					found = append(found, path)
				}
			}
			slices.Sort(found)
			return found, nil
		},
		open: func(path string) error { return files[path] },
		start: func() (*driverreg.State, error) {
			*started++
			return &driverreg.State{Loaded: []driver.Impl{loaded("ioctl-gpio"), loaded("sysfs-gpio")}}, nil
		},
		model: func() string { return "Raspberry Pi 3 Model B Rev 1.2" },
	}
}

func denied(path string) error {
	return &fs.PathError{Op: "open", Path: path, Err: syscall.EACCES}
}

func TestReady(t *testing.T) {
	register(t, nil, newFake("GPIO17"))
	const chip0, chip1 = "/dev/gpiochip0", "/dev/gpiochip1"
	for _, tt := range []struct {
		name  string
		files map[string]error
		err   string // ErrNotReady, if not empty
		about string
	}{
		{"all is well", map[string]error{chip0: nil, chip1: nil}, "", "Raspberry Pi 3 Model B Rev 1.2, ioctl-gpio sysfs-gpio"},
		{"nothing there", nil, "there is no /dev/gpiochip*", ""},
		{"udev not done", map[string]error{chip0: denied(chip0), chip1: denied(chip1)},
			"open /dev/gpiochip0: permission denied, open /dev/gpiochip1: permission denied: does the daemon run in the group", ""},
		{"one chip for others only", map[string]error{chip0: nil, chip1: denied(chip1)}, "",
			"Raspberry Pi 3 Model B Rev 1.2, ioctl-gpio sysfs-gpio, without open /dev/gpiochip1: permission denied"},
		{"old kernel: memory", map[string]error{"/dev/gpiomem": nil}, "", "Raspberry Pi 3 Model B Rev 1.2, ioctl-gpio sysfs-gpio"},
		{"old kernel: sysfs", map[string]error{"/sys/class/gpio/gpiochip0": nil}, "", "Raspberry Pi 3 Model B Rev 1.2, ioctl-gpio sysfs-gpio"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			started := 0
			b, err := pi(tt.files, &started).board()
			if tt.err != "" {
				if !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), tt.err) || started > 0 {
					t.Errorf("error %v, want %q; drivers started %d times", err, tt.err, started)
				}
				return
			}
			if err != nil || started != 1 || b.About() != tt.about {
				t.Errorf("%v, started %d times, about %q, want %q", err, started, b.About(), tt.about)
			}
		})
	}
}

func TestNoPins(t *testing.T) {
	started := 0
	m := pi(map[string]error{"/dev/gpiochip0": nil}, &started)
	if _, err := m.board(); err == nil || errors.Is(err, ErrNotReady) {
		t.Errorf("no pin, and the error is %v", err)
	}
	m.start = func() (*driverreg.State, error) { return nil, errors.New("cycle") }
	if _, err := m.board(); err == nil || !strings.Contains(err.Error(), "cycle") {
		t.Errorf("drivers did not start, and the error is %v", err)
	}
	m.glob = func(string) ([]string, error) { return nil, errors.New("bad pattern") }
	if _, err := m.board(); err == nil {
		t.Error("a failing glob is not seen")
	}
}

func TestPinNames(t *testing.T) {
	gpio17, gpio4, other := newFake("GPIO17"), newFake("GPIO4"), newFake("PG9")
	register(t, map[string]string{"P1_11": "GPIO17", "SPI1_CS1": "P1_11", "9": "PG9"}, gpio17, gpio4, other)
	for _, tt := range []struct {
		model string
		names map[string]*fake
	}{
		// GPIO4 stands for a board whose own driver failed: no 4, no P1_7 from periph.
		{"Raspberry Pi 3 Model B Rev 1.2", map[string]*fake{
			"GPIO17": gpio17, "17": gpio17, "P1_11": gpio17, "SPI1_CS1": gpio17, "PG9": other, "9": other,
			"GPIO4": gpio4, "4": gpio4, "P1_7": gpio4, "P1_3": nil, "P1_1": nil, "GPIO99": nil, "": nil,
		}},
		{"Raspberry Pi Model B Plus Rev 1.2", map[string]*fake{"P1_7": gpio4}},
		{"Raspberry Pi Model B Rev 2", map[string]*fake{"4": gpio4, "P1_7": nil}}, // 26 pins, wired otherwise
		{"Raspberry Pi Model A Rev 2", map[string]*fake{"P1_7": nil}},
		{"FriendlyElec NanoPi", map[string]*fake{"4": gpio4, "P1_7": nil, "P1_11": gpio17}}, // by periph
	} {
		b := &Board{model: tt.model}
		for name, want := range tt.names {
			p := b.Pin(name)
			if want == nil {
				if p != nil {
					t.Errorf("%s: %q is %s", tt.model, name, p.Name())
				}
				continue
			}
			if p == nil || p.Name() != want.name {
				t.Errorf("%s: %q is %v, want %s", tt.model, name, p, want.name)
			}
		}
	}
	if got := (&Board{}).Names(); !slices.Equal(got, []string{"GPIO4", "GPIO17", "PG9", "9", "P1_11", "SPI1_CS1"}) {
		t.Errorf("names %v", got)
	}
}

// TestOutBeginsAgain: a line that could not be requested is closed before the
// next attempt, one that was driven never.
func TestOutBeginsAgain(t *testing.T) {
	busy := errors.New("GPIOLine.Out(): line_request ioctl: device or resource busy")
	line := newFake("GPIO17")
	line.errs = []error{&fs.PathError{Op: "open", Path: "/sys/class/gpio/export", Err: syscall.EACCES}, busy}
	register(t, nil, line)
	p := (&Board{}).Pin("GPIO17")
	if err := p.Out(gpio.High); err != syscall.EACCES || line.closed != 1 {
		t.Errorf("first Out: %v, closed %d times", err, line.closed)
	}
	if err := p.Out(gpio.High); err != busy || line.closed != 2 {
		t.Errorf("second Out: %v, closed %d times", err, line.closed)
	}
	if err := p.Out(gpio.High); err != nil || len(line.levels) != 1 {
		t.Errorf("third Out: %v, drove %v", err, line.levels)
	}
	line.errs = []error{syscall.EIO}
	if err := p.Out(gpio.Low); err != syscall.EIO || line.closed != 2 {
		t.Errorf("Out of a held line: %v, closed %d times", err, line.closed)
	}
}

// TestThisMachine holds on a board and off it.
func TestThisMachine(t *testing.T) {
	b, err := Open()
	if err == nil {
		t.Log(b.About(), b.Names())
	} else if !errors.Is(err, ErrNotReady) {
		t.Error(err)
	}
	if err := tryOpen("/dev/null"); err != nil {
		t.Error(err)
	}
	if err := tryOpen("/dev/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
