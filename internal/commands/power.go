package commands

import (
	"errors"
	"slices"
	"strconv"
)

var powerFamily = map[string]handler{
	"POWER": (*Interpreter).power,
}

// The numbers Power acts on. All others ask for the state, 3 (BLINK) and 4
// (BLINKOFF) too: without blinking they are values above what there is.
const (
	powerOff    = 0
	powerOn     = 1
	powerToggle = 2
)

// power switches one relay, or with index 0 all of them, and publishes its
// state (language reference, 2.1).
func (in *Interpreter) power(c *call) error {
	n := in.relays.Len()
	if c.Index > n || n == 0 {
		return ErrRejected
	}
	want, ok := c.number()
	change := ok && powerOff <= want && want <= powerToggle
	if c.Index == 0 {
		return in.powerAll(c, want, change)
	}
	i := c.Index - 1
	if change {
		if err := in.switchRelays(c, i, i+1, want); err != nil {
			return err
		}
	}
	in.publishChange(c, i, change)
	return nil
}

// powerAll switches what it can: a pin that fails does not keep the others from
// being switched, and every relay is told as it then stands.
func (in *Interpreter) powerAll(c *call, want int, change bool) error {
	var err error
	if change {
		err = in.switchRelays(c, 0, in.relays.Len(), want)
	}
	if err == ErrExpired {
		return err
	}
	for i := range in.relays.Len() {
		in.publishPower(c, i)
	}
	if in.settings.on(optionExtraState) {
		in.publishState(c)
	}
	return err
}

// switchRelays switches the relays from first to end-1. While PowerOnState
// locks them on it switches all of them on instead, whatever is wanted
// (language reference, 2.4).
func (in *Interpreter) switchRelays(c *call, first, end, want int) error {
	if in.settings.PowerOnState() == stateLockedOn {
		first, end, want = 0, in.relays.Len(), powerOn
	}
	if in.tooOld(c, first, end) {
		return ErrExpired
	}
	var failed []error
	for i := first; i < end; i++ {
		on := want == powerOn || want == powerToggle && !in.relays.On(i)
		if err := in.relays.Set(i, on, c.Cause); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// tooOld tells whether a command may have waited for longer than one of the relays
// from first to end-1 allows. If so it switches none of them.
func (in *Interpreter) tooOld(c *call, first, end int) bool {
	for i := first; i < min(end, len(in.maxAge)); i++ {
		if most := in.maxAge[i]; most > 0 && c.Age > most {
			return true
		}
	}
	return false
}

// publishChange tells the state of relay i the way a command to that relay
// does: with SetOption59 a change comes with a STATE, and that first.
func (in *Interpreter) publishChange(c *call, i int, change bool) {
	if change && in.settings.on(optionExtraState) {
		in.publishState(c)
	}
	in.publishPower(c, i)
}

// publishPower tells the state of relay i. It is not an answer: a silent
// command sets it off as well.
func (in *Interpreter) publishPower(c *call, i int) {
	key := in.powerKey(i)
	c.publish(in.answerTopic(key), `{"`+key+`":"`+onOff(in.relays.On(i))+`"}`)
	c.replies[len(c.replies)-1].Relay = i + 1
}

// powerKey names relay i: POWER if it is the only one, unless SetOption26 wants
// the index.
func (in *Interpreter) powerKey(i int) string {
	if in.relays.Len() == 1 && !in.settings.on(optionAlwaysIndex) {
		return "POWER"
	}
	return "POWER" + strconv.Itoa(i+1)
}

// powerBits shows all relays as binary digits, the first one rightmost.
func (in *Interpreter) powerBits() string {
	bits := make([]byte, in.relays.Len())
	for i := range bits {
		bits[i] = '0'
		if in.relays.On(i) {
			bits[i] = '1'
		}
	}
	slices.Reverse(bits)
	return string(bits)
}

func onOff(on bool) string {
	if on {
		return "ON"
	}
	return "OFF"
}
