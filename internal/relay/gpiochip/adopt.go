package gpiochip

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/warthog618/go-gpiocdev/uapi"
	"periph.io/x/conn/v3/gpio"
)

// An AdoptError says why a file from the store is not what its name says.
type AdoptError struct {
	Name string // in the store
	Err  error
}

func (e *AdoptError) Error() string { return fmt.Sprintf("%s from the store: %v", e.Name, e.Err) }

func (e *AdoptError) Unwrap() error { return e.Err }

// Adopt takes back a line that came out of systemd's store as f, whose name is the
// one in the store. It believes neither name nor file: the kernel must say that the
// line of that name is an output of ours, and, if it can (Linux 6.1), that f is it.
// The line has the level that it has; only Level was asked for. If Adopt fails,
// with *AdoptError, f is still the caller's to close.
func Adopt(chips []Chip, f *os.File) (*Line, error) {
	l := &Line{file: f}
	if err := l.adopt(chips); err != nil {
		return nil, &AdoptError{Name: f.Name(), Err: err}
	}
	return l, nil
}

func (l *Line) adopt(chips []Chip) error {
	label, offset, ok := parseFDName(l.file.Name())
	if !ok {
		return errors.New("that is not the name of a line")
	}
	l.place = Place{Label: label, Offset: offset, BCM: -1}
	if _, err := l.Level(); err != nil { // first of all, is it a line, and alive?
		return err
	}
	chip, err := l.chip(chips)
	if err != nil {
		return err
	}
	info := chip.Lines[offset]
	l.place = chip.place(offset)
	if err := ours(info); err != nil {
		return err
	}
	l.out.Off = gpio.Level(info.Flags.IsActiveLow())
	l.out.Level, err = l.Level()
	return err
}

// chip finds the chip of a line that came out of the store.
func (l *Line) chip(chips []Chip) (Chip, error) {
	text, err := l.fdinfo()
	if err != nil {
		return Chip{}, err
	}
	name, offset := parseFDInfo(text)
	if name != "" && offset != l.place.Offset {
		return Chip{}, fmt.Errorf("it is line %d of %s", offset, name)
	}
	var found []Chip
	for _, c := range chips {
		if c.Label == l.place.Label && l.place.Offset < len(c.Lines) && (name == "" || name == c.Name) {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Chip{}, fmt.Errorf("%d chips have the label %s", len(found), l.place.Label)
	case name != "":
		return Chip{}, fmt.Errorf("it is line %d of %s, which has another label", offset, name)
	}
	return Chip{}, fmt.Errorf("there is no chip %s", l.place.Label)
}

// ours tells whether a line is as Request leaves it, apart from the level.
func ours(i Info) error {
	if i.Consumer != consumer {
		return fmt.Errorf("%q holds that line", i.Consumer)
	}
	flags := i.Flags &^ uapi.LineFlagV2ActiveLow
	if flags != uapi.LineFlagV2Used|uapi.LineFlagV2Output {
		return fmt.Errorf("that line is not a plain output (flags %#x)", uint64(i.Flags))
	}
	return nil
}

// fdinfo reads what the kernel tells about the line's file.
func (l *Line) fdinfo() (text []byte, err error) {
	err = control(l.file, func(fd uintptr) error {
		text, err = os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
		return err
	})
	return text, err
}

// parseFDInfo finds "gpio-chip:\tgpiochip0" and "gpio-line:\t17". The chip is empty
// if the kernel does not tell, and the offset -1 if there is not one line.
func parseFDInfo(text []byte) (chip string, offset int) {
	offset = -1
	lines := 0
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		key, value, _ := strings.Cut(s.Text(), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "gpio-chip":
			chip = value
		case "gpio-line":
			lines++
			if n, ok := number(value); ok && lines == 1 {
				offset = n
			} else {
				offset = -1
			}
		}
	}
	return chip, offset
}
