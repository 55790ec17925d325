package gpiochip

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/warthog618/go-gpiocdev/uapi"
	"periph.io/x/conn/v3/gpio"
)

// consumer is the name under which the kernel shows our lines to others.
const consumer = "tasmota-azd"

// Output is what a line is to do as an output.
type Output struct {
	Level gpio.Level // the level on the wire from the first moment on
	Off   gpio.Level // the level that Release leaves behind
}

// config says it to the kernel. Off is said by calling the line active low, so
// that it is kept with the line, whoever holds it later.
func (o Output) config() uapi.LineConfig {
	c := uapi.LineConfig{Flags: uapi.LineFlagV2Output}
	if o.Off == gpio.High {
		c.Flags |= uapi.LineFlagV2ActiveLow
	}
	c.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.OutputValues(o.bits()).Encode(), Mask: 1})
	return c
}

// bits is the level as the kernel counts it: 1 is active.
func (o Output) bits() uapi.LineBitmap {
	if o.Level == o.Off {
		return 0
	}
	return 1
}

// Request takes a line and makes it this output in one step. It fails with
// *InUseError, *PermissionError, *GoneError or *OldKernelError.
func Request(p Place, o Output) (*Line, error) {
	file, err := request(p, o.config())
	if err != nil {
		return nil, err
	}
	return &Line{place: p, file: file, out: o}, nil
}

// Take takes a line with the level that it has, whether that is an output that
// stayed when its holder went, or an input's pull or wire, and makes it an output
// of that level. There is no way only to look: on many kernels a line that is let
// go becomes an input.
func Take(p Place, off gpio.Level) (*Line, error) {
	file, err := request(p, uapi.LineConfig{}) // direction as it is
	if err != nil {
		return nil, err
	}
	l := &Line{place: p, file: file, out: Output{Off: gpio.Low}}
	level, err := l.Level()
	if err == nil {
		err = l.Configure(Output{Level: level, Off: off})
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// request asks the kernel for a line, once it is certain that the chip at its
// path is still the one that was listed.
func request(p Place, c uapi.LineConfig) (*os.File, error) {
	chip, err := open(p.Path)
	if gone(err) {
		return nil, &GoneError{Place: p, Err: err}
	}
	if err != nil {
		return nil, err
	}
	defer chip.Close()
	r := uapi.LineRequest{Lines: 1, Config: c}
	r.Offsets[0] = uint32(p.Offset)
	copy(r.Consumer[:], consumer)
	err = control(chip, func(fd uintptr) error {
		if err := p.stands(fd); err != nil {
			return err
		}
		return p.explain(fd, uapi.GetLine(fd, &r))
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(r.Fd), p.FDName()), nil
}

// stands checks that a chip has the label, and the line the name, of the place.
func (p Place) stands(fd uintptr) error {
	chip, err := uapi.GetChipInfo(fd)
	if err != nil {
		return p.explain(fd, err)
	}
	label := uapi.BytesToString(chip.Label[:])
	if label != p.Label || p.Offset >= int(chip.Lines) {
		return &GoneError{Place: p, Err: fmt.Errorf("%s is now %s with %d lines", p.Path, label, chip.Lines)}
	}
	line, err := uapi.GetLineInfoV2(fd, p.Offset)
	if err != nil {
		return p.explain(fd, err)
	}
	if name := infoOf(line).Name; name != p.Line {
		return &GoneError{Place: p, Err: fmt.Errorf("its line %d is now %q", p.Offset, name)}
	}
	return nil
}

// explain turns what an ioctl said about the line into an error of this package.
func (p Place) explain(fd uintptr, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EBUSY):
		e := &InUseError{Place: p}
		if info, err := uapi.GetLineInfoV2(fd, p.Offset); err == nil {
			e.Consumer = infoOf(info).Consumer
		}
		return e
	case gone(err):
		return &GoneError{Place: p, Err: err}
	}
	if _, e := uapi.GetLineInfoV2(fd, p.Offset); isAny(e, syscall.EINVAL, syscall.ENOTTY) {
		return oldKernel()
	}
	return fmt.Errorf("requesting %v: %w", p, err)
}

// Reopen takes a line anew whose chip went away and came back, as this output.
// The chip is found by its label, the line by its name, wherever they are now.
func (l *Line) Reopen(chips []Chip, o Output) error {
	p, err := l.place.again(chips)
	if err != nil {
		return err
	}
	file, err := request(p, o.config())
	if err != nil {
		return err
	}
	_ = l.file.Close() // its chip is gone, so is the line: nothing is left to fail
	l.place, l.file, l.out = p, file, o
	return nil
}

// again finds the place in a new listing, after its chip went away and came back,
// perhaps under another name and with other lines.
func (p Place) again(chips []Chip) (Place, error) {
	var found []Place
	for _, c := range chips {
		for offset, line := range c.Lines {
			same := line.Name == p.Line && (p.Line != "" || offset == p.Offset)
			if c.Label == p.Label && same && !line.Flags.IsUsed() {
				found = append(found, c.place(offset))
			}
		}
	}
	switch len(found) {
	case 0:
		return Place{}, &GoneError{Place: p}
	case 1:
		return found[0], nil
	}
	return Place{}, &AmbiguousError{Spec: p.Address(), Candidates: found}
}
