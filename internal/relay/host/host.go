// Package host finds the pins of this machine by periph's host drivers: those of
// the Raspberry Pi, and of the kernel's GPIO chips for every other board. periph's
// drivers for single boards besides the Pi are left out: they cost 330 kB, and the
// chips of those boards are served by the kernel's.
//
// periph starts its drivers once in the life of a process and remembers what
// they found. So Open first looks whether there is a chip that may be used, and
// starts nothing before there is.
package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/host/v3/distro"
	_ "periph.io/x/host/v3/gpioioctl"
	_ "periph.io/x/host/v3/sysfs"

	"tasmota-azd/internal/relay/header"
)

// ErrNotReady says that the machine has no GPIO chip, or none that this process
// may open; soon after a boot both can pass.
var ErrNotReady = errors.New("no GPIO chip is ready")

// machine is what Open asks of the operating system.
type machine struct {
	glob  func(pattern string) ([]string, error)
	open  func(path string) error // to read, and closes it again
	start func() (*driverreg.State, error)
	model func() string
}

// A Board is this machine.
type Board struct {
	model   string
	drivers []string // those that were loaded
	denied  []string // chips that could not be opened
}

// Open starts periph's drivers.
func Open() (*Board, error) {
	return machine{glob: filepath.Glob, open: tryOpen, start: driverreg.Init, model: distro.DTModel}.board()
}

func (m machine) board() (*Board, error) {
	denied, err := m.ready()
	if err != nil {
		return nil, err
	}
	state, err := m.start()
	if err != nil {
		return nil, fmt.Errorf("GPIO drivers: %w", err)
	}
	b := &Board{model: m.model(), denied: denied}
	for _, d := range state.Loaded {
		b.drivers = append(b.drivers, d.String())
	}
	if len(gpioreg.All()) == 0 {
		return nil, fmt.Errorf("no driver knows the GPIO chips of this machine: %v", state.Failed)
	}
	return b, nil
}

// ready returns ErrNotReady if no driver could do anything yet, else the chips
// that it would have to go without.
func (m machine) ready() (denied []string, err error) {
	chips, err := m.glob("/dev/gpiochip*")
	if err != nil {
		return nil, err
	}
	if len(chips) == 0 {
		for _, older := range []string{"/dev/gpiomem", "/sys/class/gpio/gpiochip*"} {
			if found, _ := m.glob(older); len(found) > 0 { // the pattern is good
				return nil, nil
			}
		}
		return nil, fmt.Errorf("%w: there is no /dev/gpiochip*: is this a board with GPIO, and no container without it? (gpio.driver: sim needs none)", ErrNotReady)
	}
	for _, chip := range chips {
		if err := m.open(chip); err != nil {
			denied = append(denied, err.Error())
		}
	}
	if len(denied) == len(chips) {
		return nil, fmt.Errorf("%w: %s: does the daemon run in the group that owns it, such as gpio?", ErrNotReady, strings.Join(denied, ", "))
	}
	return denied, nil
}

func tryOpen(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// Pin returns the pin of that name or nil. A name periph knows is taken as it
// is; beyond that 17 is GPIO17, and P1_11 too on a Raspberry Pi of 40 pins:
// periph does not register them where its own driver for the board fails.
func (b *Board) Pin(name string) gpio.PinOut {
	p := gpioreg.ByName(name)
	if p == nil {
		proper, ok := header.Proper(name)
		if !ok || strings.HasPrefix(name, "P1_") && !b.has40() {
			return nil
		}
		if p = gpioreg.ByName(proper); p == nil {
			return nil
		}
	}
	if alias, ok := p.(gpio.RealPin); ok {
		p = alias.Real()
	}
	return &pin{PinOut: p}
}

// has40 reports whether the machine is a Raspberry Pi with the 40-pin header:
// all but the first A and B, whose model names end in "Rev" and a number.
func (b *Board) has40() bool {
	return strings.HasPrefix(b.model, "Raspberry Pi") &&
		!strings.HasPrefix(b.model, "Raspberry Pi Model A Rev") && !strings.HasPrefix(b.model, "Raspberry Pi Model B Rev")
}

// Names returns all names periph knows, for suggestions.
func (b *Board) Names() []string {
	var names []string
	for _, p := range append(gpioreg.All(), gpioreg.Aliases()...) {
		names = append(names, p.Name())
	}
	return names
}

// About says what the board is and what drives it, for a log.
func (b *Board) About() string {
	about := b.model + ", " + strings.Join(b.drivers, " ")
	if len(b.denied) > 0 {
		about += ", without " + strings.Join(b.denied, ", ")
	}
	return about
}

// A pin is a pin of periph with the traps of its drivers covered.
type pin struct {
	gpio.PinOut
	held bool // it was driven once
}

// Out drives the level. After a failed request periph's gpioioctl takes the
// line for an output and the next Out works on file descriptor 0: closing the
// line makes it begin again.
func (p *pin) Out(l gpio.Level) error {
	err := p.PinOut.Out(l)
	if err == nil {
		p.held = true
		return nil
	}
	if line, ok := p.PinOut.(interface{ Close() }); ok && !p.held {
		line.Close()
	}
	return bare(err)
}

// bare reduces an error to what the system said, if it said something: periph
// adds names of its own functions, and who reports it knows the pin.
func bare(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}
