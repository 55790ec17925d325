package fresh

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tasmota-azd/internal/boards"
)

// errEnd is for whoever has no terminal.
var errEnd = errors.New("the answers ended before the last question; give them as flags, which --help lists")

// A dialogue asks on out and reads answers, one a line, from in.
type dialogue struct {
	in  *bufio.Scanner
	out io.Writer
	err error // the first; after it all answers are empty
}

// Ask asks for everything.
func Ask(in io.Reader, out io.Writer) (Answers, error) {
	d := &dialogue{in: bufio.NewScanner(in), out: out}
	var a Answers
	d.connection(&a)
	d.relays(&a)
	return a, d.err
}

func (d *dialogue) connection(a *Answers) {
	switch d.oneOf("Is the device created in an IoT Hub by hand (hub), or by the Device Provisioning Service (dps)?", "hub", "hub", "dps") {
	case "hub":
		a.Host = d.must("Host name of the hub, such as myiothub.azure-devices.net")
		a.DeviceID = d.may("Id of the device, capitals matter; nothing for the MAC address")
		a.KeyFile = d.or("File with the key of the device", "device.key")
	case "dps":
		a.Scope = d.must("ID Scope, such as 0ne00223A39")
		a.DeviceID = d.may("Registration id; nothing for the MAC address")
		a.KeyKind = d.oneOf("Whose is the key: of an enrollment group or of this individual device?", "group", "group", "individual")
		a.KeyFile = d.or("File with that key", "enrollment.key")
	}
}

func (d *dialogue) relays(a *Answers) {
	a.Board = d.may(`Relay board, as "tasmota-azd board list" names it; nothing if you say the pins yourself`)
	b, known := boards.Find(a.Board)
	if a.Board != "" && (!known || b.Active != boards.Unknown) {
		return
	}
	a.ClosesAt = boards.Polarity(d.oneOf("Does a relay close when its pin is high or when it is low?", "high", "high", "low"))
	if a.Board != "" {
		return
	}
	for len(a.Relays) < 32 {
		name := d.may(fmt.Sprintf("Name of relay %d, such as Pump; nothing if there are no more", len(a.Relays)+1))
		if d.err != nil || name == "" {
			return
		}
		a.Relays = append(a.Relays, Relay{Name: name, At: d.must("Its pin, such as GPIO17 or P1_11")})
	}
}

// may asks for something that may be left out.
func (d *dialogue) may(question string) string {
	if d.err != nil {
		return ""
	}
	if _, d.err = fmt.Fprintf(d.out, "%s: ", question); d.err != nil {
		return ""
	}
	if !d.in.Scan() {
		d.err = errEnd
		if err := d.in.Err(); err != nil {
			d.err = err
		}
		return ""
	}
	return strings.TrimSpace(d.in.Text())
}

// must asks until there is an answer.
func (d *dialogue) must(question string) (answer string) {
	for d.err == nil && answer == "" {
		answer = d.may(question)
	}
	return answer
}

// or asks for something that has a usual value.
func (d *dialogue) or(question, usual string) string {
	if answer := d.may(question + " [" + usual + "]"); answer != "" {
		return answer
	}
	return usual
}

// oneOf asks until the answer is one of words.
func (d *dialogue) oneOf(question, usual string, words ...string) string {
	for d.err == nil {
		answer := d.or(question, usual)
		if slices.Contains(words, answer) {
			return answer
		}
	}
	return ""
}
