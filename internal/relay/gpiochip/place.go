package gpiochip

import (
	"fmt"
	"strconv"
	"strings"
)

// A Place is one line of one chip. Places of the same listing can be compared.
type Place struct {
	Path   string // the chip's device, "/dev/gpiochip0"
	Chip   string // the chip's name, "gpiochip0"
	Label  string // the chip's label, "pinctrl-bcm2711"
	Offset int    // the line's number within the chip
	Line   string // the line's name, "GPIO17"; it may be empty
	BCM    int    // the number on a Raspberry Pi's header; -1 on other chips
}

// Name is what to call the line in a message: GPIO17 on a Raspberry Pi, else the
// line's own name, else label:offset.
func (p Place) Name() string {
	switch {
	case p.BCM >= 0:
		return "GPIO" + strconv.Itoa(p.BCM)
	case p.Line != "":
		return p.Line
	}
	return p.Address()
}

// Address is label:offset, "pinctrl-bcm2711:17". It means the same after the next
// boot, while the number of a chip need not.
func (p Place) Address() string {
	return p.Label + ":" + strconv.Itoa(p.Offset)
}

// String is the name with the address.
func (p Place) String() string {
	if p.Name() == p.Address() {
		return p.Address()
	}
	return fmt.Sprintf("%s (%s)", p.Name(), p.Address())
}

// headers are the chips that drive the header of a Raspberry Pi: Zero to 3, 4, 5.
// On each of them the offset of a line is its BCM number, whatever its name: many
// device trees call GPIO2 "SDA1".
var headers = []string{"pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"}

// headerBCM has the BCM number of each position on the 40-pin header, from
// position 1 on; -1 is power or ground.
var headerBCM = [40]int{
	-1, -1, 2, -1, 3, -1, 4, 14, -1, 15,
	17, 18, 27, -1, 22, 23, -1, 24, 10, -1,
	9, 25, 11, 8, -1, 7, 0, 1, 5, -1,
	6, 12, 13, -1, 19, 16, 26, 20, -1, 21,
}

// A spec is a line as an owner writes it.
type spec struct {
	text   string
	bcm    int    // of 17, GPIO17 and P1_11; else -1
	form   form   // in which the number was written
	chip   string // of chip:offset
	offset int    // of chip:offset; else -1
}

type form int

const (
	plain    form = iota // 17, or no number at all
	named                // GPIO17, which a line of any chip may be called
	position             // P1_11, which makes sense on a Raspberry Pi only
)

// maxSpec is more than the longest label and offset (31 bytes are the kernel's
// limit for a label, and for the name of a line).
const maxSpec = 100

func parse(text string) (spec, error) {
	s := spec{text: text, bcm: -1, offset: -1}
	upper := strings.ToUpper(text)
	switch {
	case text == "" || len(text) > maxSpec:
		return s, &NoLineError{Spec: text, Why: "write a line as GPIO17, P1_11 or chip:offset"}
	case strings.HasPrefix(upper, "P1_"):
		n, ok := number(upper[len("P1_"):])
		if !ok || n < 1 || n > len(headerBCM) {
			break // it can still be the name of a line
		}
		s.bcm, s.form = headerBCM[n-1], position
		if s.bcm < 0 {
			return s, &NoLineError{Spec: text, Why: "that position of the header is power or ground"}
		}
	case strings.HasPrefix(upper, "GPIO"):
		if n, ok := number(upper[len("GPIO"):]); ok {
			s.bcm, s.form = n, named
		}
	default:
		if n, ok := number(text); ok {
			s.bcm = n
		}
	}
	if i := strings.LastIndexByte(text, ':'); i > 0 {
		if n, ok := number(text[i+1:]); ok {
			s.chip, s.offset = text[:i], n
		}
	}
	return s, nil
}

// number reads a number as people write one: without a sign or leading zeros.
func number(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return int(n), err == nil && strconv.FormatUint(n, 10) == text
}
