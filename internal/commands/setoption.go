package commands

import (
	"fmt"
	"strconv"
	"strings"
)

var optionFamily = map[string]handler{
	"SETOPTION": (*Interpreter).setOption,
	"SO":        (*Interpreter).setOption,
}

// The options this daemon acts on (language reference, 2.7). Its meaning is at
// the place that asks for it.
const (
	optionSaveState   = 0  // relay states survive a restart
	optionOwnTopic    = 4  // answers on <COMMAND> instead of RESULT
	optionAlwaysIndex = 26 // POWER1 also where there is one relay
	optionGap         = 34 // pause between backlog commands in ms
	optionExtraState  = 59 // a STATE message with each Power and State
)

// Options below optionCount exist. Those from firstNumber to lastNumber are
// numbers, the others are switches.
const (
	optionCount = 178
	firstNumber = 32
	lastNumber  = 49
)

// optionDefaults holds the value of each option on a new device. Of an option
// the daemon does not act on it is what is in force here, for ever: only JSON
// (90) over TLS (103) to a session that persists (140), nothing retained
// (104), no discovery messages (19), relays that can be operated locally (61),
// buttons that cannot reset the device (1).
var optionDefaults = [optionCount]uint8{
	optionSaveState: 1, optionGap: 200,
	1: 1, 3: 1, 19: 1, 32: 40, 45: 40, 61: 1, 90: 1, 103: 1, 104: 1, 140: 1,
}

// settable tells whether the daemon acts on option i.
func settable(i int) bool {
	switch i {
	case optionSaveState, optionOwnTopic, optionAlwaysIndex, optionGap, optionExtraState:
		return true
	}
	return false
}

func isNumber(i int) bool {
	return firstNumber <= i && i <= lastNumber
}

func optionMin(i int) int {
	if i == 32 || i == 33 || i == 45 {
		return 1
	}
	return 0
}

func optionMax(i int) int {
	switch {
	case !isNumber(i):
		return 1
	case optionMin(i) == 1:
		return 250
	}
	return 255
}

// setOption shows or changes an option. One the daemon does not act on answers
// with what is in force, whatever was asked for: to store it and echo it would
// promise an effect that does not come, and let a value from long ago take
// effect in a version that has the option.
func (in *Interpreter) setOption(c *call) error {
	if !c.Indexed && c.Arg == "" {
		in.answer(c, in.optionList())
		return nil
	}
	if c.Index >= optionCount {
		return ErrRejected
	}
	if v, ok := c.number(); ok && v >= 0 {
		if v < optionMin(c.Index) || v > optionMax(c.Index) {
			return ErrRejected
		}
		if settable(c.Index) {
			in.settings.setOption(c.Index, v)
		}
	}
	var o object
	key, v := "SetOption"+strconv.Itoa(c.Index), in.settings.option(c.Index)
	if isNumber(c.Index) {
		o.number(key, v)
	} else {
		o.text(key, onOff(v != 0))
	}
	in.answer(c, o.String())
	return nil
}

// optionList names every switch, with "!" before those that are off (language
// reference, 11: the newest answer to a bare SetOption).
func (in *Interpreter) optionList() string {
	var list []string
	for i := range optionCount {
		if isNumber(i) {
			continue
		}
		name := strconv.Itoa(i)
		if !in.settings.on(i) {
			name = "!" + name
		}
		list = append(list, name)
	}
	var o object
	o.text("SetOption", strings.Join(list, ","))
	return o.String()
}

// optionWords returns the options as Status 3 shows them: 32 switches to a
// word, the numbers as bytes (language reference, 4).
func (s Settings) optionWords() []string {
	var numbers strings.Builder
	for i := firstNumber; i <= lastNumber; i++ {
		numbers.WriteString(fmt.Sprintf("%02X", s.option(i)))
	}
	words := []string{s.optionWord(0), numbers.String()}
	for first := lastNumber + 1; first < optionCount; first += 32 {
		words = append(words, s.optionWord(first))
	}
	return words
}

// optionWord packs 32 switches, the first into the lowest bit.
func (s Settings) optionWord(first int) string {
	var word uint32
	for bit := range 32 {
		word |= uint32(s.option(first+bit)) << bit
	}
	return fmt.Sprintf("%08X", word)
}
