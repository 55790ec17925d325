package gpiochip

import (
	"errors"
	"fmt"
	"os"

	"github.com/warthog618/go-gpiocdev/uapi"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
)

// A Line is a line that this process holds as an output. It is a periph pin. It
// is not safe for concurrent use.
type Line struct {
	place Place
	file  *os.File
	out   Output // Level: what was last certainly on the wire
}

var _ gpio.PinOut = (*Line)(nil)

// Place is where the line is.
func (l *Line) Place() Place { return l.place }

// Off is the level that Release leaves behind.
func (l *Line) Off() gpio.Level { return l.out.Off }

// File is the line's file, for systemd's store under the name FDName of the
// place. It stays the line's: do not close it.
func (l *Line) File() *os.File { return l.file }

// Out drives the line to that level. It fails with *GoneError when the chip is
// gone; Reopen may help then.
func (l *Line) Out(level gpio.Level) error {
	o := Output{Level: level, Off: l.out.Off}
	err := control(l.file, func(fd uintptr) error {
		return uapi.SetLineValuesV2(fd, uapi.LineValues{Bits: o.bits(), Mask: 1})
	})
	if err != nil {
		return l.failed("driving", err)
	}
	l.out = o
	return nil
}

// Level reads the level on the wire. It leaves the line an output.
func (l *Line) Level() (gpio.Level, error) {
	v := uapi.LineValues{Mask: 1}
	err := control(l.file, func(fd uintptr) error { return uapi.GetLineValuesV2(fd, &v) })
	if err != nil {
		return gpio.Low, l.failed("reading", err)
	}
	if v.Get(0) == 0 {
		return l.out.Off, nil
	}
	return !l.out.Off, nil
}

// Configure makes the line another output, in one step, as when the polarity of
// its relay was corrected.
func (l *Line) Configure(o Output) error {
	c := o.config()
	err := control(l.file, func(fd uintptr) error { return uapi.SetLineConfigV2(fd, &c) })
	if err != nil {
		return l.failed("configuring", err)
	}
	l.out = o
	return nil
}

// Release drives the line off and lets it go.
func (l *Line) Release() error {
	return errors.Join(l.Out(l.out.Off), l.Close())
}

// Close lets the line go, unless systemd keeps it too. What becomes of its level
// then is the kernel's affair: on Raspberry Pi OS an output stays as it is, on
// most others it becomes an input.
func (l *Line) Close() error { return l.file.Close() }

// failed words an error of the line's own file.
func (l *Line) failed(doing string, err error) error {
	if gone(err) {
		return &GoneError{Place: l.place, Err: err}
	}
	return fmt.Errorf("%s %v: %w", doing, l.place, err)
}

// Name is the line's name, GPIO17.
func (l *Line) Name() string { return l.place.Name() }

// String is the line's name.
func (l *Line) String() string { return l.place.Name() }

// Number is the BCM number on a Raspberry Pi's header and -1 elsewhere.
func (l *Line) Number() int { return l.place.BCM }

// Function is Out/High or Out/Low, by what was last driven; the line is not read.
func (l *Line) Function() string { return "Out/" + l.out.Level.String() }

// Halt does nothing: a relay at rest is one that keeps its level.
func (l *Line) Halt() error { return nil }

// PWM always fails: a line has no such hardware that we could reach.
func (l *Line) PWM(gpio.Duty, physic.Frequency) error {
	return fmt.Errorf("%s: PWM: %w", l.Name(), errors.ErrUnsupported)
}
