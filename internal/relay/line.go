package relay

import (
	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/relay/gpiochip"
)

// A chipLine is a line of a GPIO chip. It is requested by Claim, and kept for the
// next run from then on.
type chipLine struct {
	chips *chips
	place gpiochip.Place
	line  held // nil until it is claimed
	level gpio.Level
}

// newLine makes the pin of a place; line is nil or was adopted.
func newLine(c *chips, p gpiochip.Place, line held) *chipLine {
	l := &chipLine{chips: c, place: p, line: line}
	if line != nil {
		level, err := line.Level()
		if err != nil { // it could be read a moment ago
			c.log.Warn("line kept from before cannot be read", "pin", p.Name(), "err", err)
		}
		l.level = level
	}
	return l
}

// Name returns the line's proper name, such as GPIO17.
func (l *chipLine) Name() string { return l.place.Name() }

// Held returns the last level of a line that is ours.
func (l *chipLine) Held() (gpio.Level, bool) { return l.level, l.line != nil }

// Off returns the level that Release leaves behind.
func (l *chipLine) Off() gpio.Level { return l.line.Off() }

// Claim makes the line an output with this level, in one step. On a line that is
// held and as it should be it does nothing.
func (l *chipLine) Claim(level, off gpio.Level) error {
	o := gpiochip.Output{Level: level, Off: off}
	switch {
	case l.line == nil:
		line, err := l.chips.kernel.request(l.place, o)
		if err != nil {
			return err
		}
		l.line, l.level = line, level
		l.chips.keep(line)
		return nil
	case l.line.Off() != off:
		if err := l.line.Configure(o); err != nil {
			return err
		}
		l.level = level
		return nil
	case l.level != level:
		return l.Out(level)
	}
	return nil
}

// Out drives a line that was claimed.
func (l *chipLine) Out(level gpio.Level) error {
	if err := l.line.Out(level); err != nil {
		return err
	}
	l.level = level
	return nil
}

// Regain takes the line anew after its chip was gone. What was kept of it is
// dead, and leaves the keeper before its successor comes.
func (l *chipLine) Regain(level gpio.Level) error {
	found, err := l.chips.kernel.list()
	if len(found) == 0 {
		return err
	}
	before := l.line.Place().FDName()
	if err := l.line.Reopen(found, gpiochip.Output{Level: level, Off: l.line.Off()}); err != nil {
		return err
	}
	l.place, l.level = l.line.Place(), level
	l.chips.forget(before)
	l.chips.keep(l.line)
	return nil
}

// Release drives the line off and lets it go, here and in the keeper.
func (l *chipLine) Release() error {
	err := l.line.Release()
	l.line = nil
	l.chips.forget(l.place.FDName())
	return err
}

// Halt closes the line's file here. In the keeper it lives on.
func (l *chipLine) Halt() error {
	if l.line == nil {
		return nil
	}
	return l.line.Close()
}
