package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// header is the 40-pin header of the Raspberry Pi, P1, by position. The first
// 26 are the same on the boards that have no more.
var header = [41]string{
	1: "3.3 V", 2: "5 V",
	3: "GPIO2", 4: "5 V",
	5: "GPIO3", 6: "ground",
	7: "GPIO4", 8: "GPIO14",
	9: "ground", 10: "GPIO15",
	11: "GPIO17", 12: "GPIO18",
	13: "GPIO27", 14: "ground",
	15: "GPIO22", 16: "GPIO23",
	17: "3.3 V", 18: "GPIO24",
	19: "GPIO10", 20: "ground",
	21: "GPIO9", 22: "GPIO25",
	23: "GPIO11", 24: "GPIO8",
	25: "ground", 26: "GPIO7",
	27: "GPIO0", 28: "GPIO1",
	29: "GPIO5", 30: "ground",
	31: "GPIO6", 32: "GPIO12",
	33: "GPIO13", 34: "ground",
	35: "GPIO19", 36: "GPIO16",
	37: "GPIO26", 38: "GPIO20",
	39: "ground", 40: "GPIO21",
}

// relays reads the relays, from a preset if there is one.
func (c *checker) relays(w *written, cfg *Config) {
	if !w.Board.given {
		cfg.Relays = c.listed(&w.Relays, cfg.GPIO)
		for _, r := range w.Relays.items {
			cfg.PinLines = append(cfg.PinLines, r.Pin.line)
		}
		return
	}
	if b, ok := c.board(w.Board); ok {
		cfg.Board = b.Name
		cfg.Relays = c.preset(b, w.Board, &w.Relays, cfg.GPIO)
		cfg.PinLines = slices.Repeat([]int{w.Board.line}, len(cfg.Relays))
	}
}

// listed reads relays that are given with their pins.
func (c *checker) listed(w *list[writtenRelay], gpio GPIO) []Relay {
	at := scalar{path: w.path, line: w.line}
	switch n := len(w.items); {
	case n == 0:
		c.missing(at, "list 1 to 32 relays, each with a name and a pin, or write board: with the name of a relay board")
		return nil
	case n > maxRelays:
		c.hidden(at, "has %d entries; 32 relays are the most", n)
		return nil
	}
	relays := make([]Relay, len(w.items))
	names, pins := map[string]string{}, map[string]string{} // to the path of the relay that has it
	for i, r := range w.items {
		path := fmt.Sprintf("%s[%d]", w.path, i)
		relays[i].Name = c.relayName(r.Name, path, names)
		relays[i].Pin = c.pin(r.Pin, path, pins, gpio.Driver == DriverSim)
		c.boolean(r.ActiveLow, &relays[i].ActiveLow)
		c.minInterval(r.MinInterval, &relays[i].MinInterval)
		relays[i].MaxAge = gpio.MaxAge
		c.maxAge(r.MaxAge, &relays[i].MaxAge)
		if r.Channel.given {
			c.wrong(r.Channel, "has a meaning only beside board:, the name of a relay board")
		}
	}
	return relays
}

func (c *checker) relayName(s scalar, path string, taken map[string]string) string {
	if !s.given {
		c.missing(s, "write what the relay switches, such as Pump")
		return ""
	}
	var name string
	if !c.text(s, &name, relayNameFault) {
		return ""
	}
	if owner, ok := taken[name]; ok {
		c.wrong(s, "is already the name of %s", owner)
		return ""
	}
	taken[name] = path
	return name
}

func (c *checker) pin(s scalar, path string, taken map[string]string, sim bool) string {
	if !s.given {
		c.missing(s, "write the pin the relay is wired to, such as GPIO17")
		return ""
	}
	if !c.worded(s) {
		return ""
	}
	name, why := pinName(s.text)
	switch owner, used := taken[name]; {
	case why != "":
		c.wrong(s, "%s", why)
		return ""
	case sim && !simulated(name):
		c.wrong(s, "the sim driver has the pins GPIO0 to GPIO27 and their header positions only")
		return ""
	case used && name != s.text:
		c.wrong(s, "is %s, already the pin of %s", name, owner)
		return ""
	case used:
		c.wrong(s, "is already the pin of %s", owner)
		return ""
	}
	taken[name] = path
	return s.text
}

var (
	gpioPin   = pattern(`^GPIO(0|[1-9][0-9]{0,2})$`)
	nearGPIO  = pattern(`(?i)^(gpio|bcm|io)[ _.-]?0*([0-9]{1,3})$`)
	nearP1    = pattern(`(?i)^(p1|j8)[ _.:-]?0*([0-9]{1,2})$`)
	physical  = pattern(`(?i)^(pin|phys|physical|board|header)[ _.:-]?0*([0-9]{1,2})$`)
	position  = pattern(`^P1_(0|[1-9][0-9]?)$`)
	leading0  = pattern(`^0[0-9]+$`)
	pinNumber = pattern(`^[0-9]{1,3}$`)
	chipLine  = pattern(`^(.+):([0-9]+)$`)
	otherPin  = pattern(`^[A-Za-z0-9/[][A-Za-z0-9_.:/()[\] -]{0,63}$`)
	letter    = pattern(`[A-Za-z]`)
)

// pinName returns the name that a pin has however it is written: GPIO17 for
// 17, GPIO17 and P1_11. A chip with an offset, such as gpiochip0:17, and names
// of other boards, such as "7J1 Header Pin11", are returned as they are. If the
// pin is a mistake, why says what would be right.
func pinName(text string) (name, why string) {
	switch {
	case gpioPin().MatchString(text):
		return text, ""
	case leading0().MatchString(text):
		return "", "begins with 0, which makes it octal to some readers of YAML; write " + cmp.Or(strings.TrimLeft(text, "0"), "0")
	case pinNumber().MatchString(text):
		return "GPIO" + text, ""
	case position().MatchString(text):
		return headerPin(text)
	}
	if m := nearGPIO().FindStringSubmatch(text); m != nil {
		return "", "write GPIO" + m[2]
	}
	if m := nearP1().FindStringSubmatch(text); m != nil {
		return "", "write P1_" + m[2]
	}
	if m := physical().FindStringSubmatch(text); m != nil {
		return "", fmt.Sprintf("write P1_%s if position %s of the header is meant, GPIO%[1]s if the number of the GPIO", m[2], m[2])
	}
	if m := chipLine().FindStringSubmatch(text); m != nil && leading0().MatchString(m[2]) {
		return "", "begins its offset with 0; write " + m[1] + ":" + cmp.Or(strings.TrimLeft(m[2], "0"), "0")
	}
	if !otherPin().MatchString(text) || !letter().MatchString(text) {
		return "", "is not a pin; write its name, number, header position or chip and offset, such as GPIO17, 17, P1_11 or gpiochip0:17"
	}
	return text, ""
}

func headerPin(text string) (name, why string) {
	n, _ := strconv.Atoi(strings.TrimPrefix(text, "P1_")) // one or two digits
	switch {
	case n < 1 || n >= len(header):
		return "", "the header has the positions P1_1 to P1_40"
	case !strings.HasPrefix(header[n], "GPIO"):
		return "", "this position of the header is " + header[n] + ", not a GPIO"
	}
	return header[n], ""
}

// simulated reports whether the sim driver has a pin.
func simulated(name string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "GPIO"))
	return gpioPin().MatchString(name) && err == nil && n <= 27
}

var piLine = pattern(`^pinctrl-(?:bcm2835|bcm2711|rp1):([0-9]{1,2})$`)

// BCM returns the number that the Raspberry Pi's firmware has for the pin, 0 to
// 27, if what is written names a pin of its header on every board it has.
func (r Relay) BCM() (int, bool) {
	name, why := pinName(r.Pin)
	if m := piLine().FindStringSubmatch(r.Pin); m != nil {
		name = "GPIO" + m[1]
	}
	if why != "" || !simulated(name) {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(name, "GPIO"))
	return n, err == nil
}
