// Package boards knows relay boards by name: which pin each of their relays
// hangs on, what is printed next to it, and which level closes it.
//
// The presets are the files of configs/boards, which are built in. A board that
// cannot be driven is known too, with the reason, so that nobody searches in
// vain.
package boards

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tasmota-azd/configs"
)

// A Polarity says which level of the pin closes a relay.
type Polarity string

// The polarities of a board. Where no source tells, the owner has to try.
const (
	High    Polarity = "high"
	Low     Polarity = "low"
	Unknown Polarity = "unknown"
)

// A Board is one relay board, as it is sold.
type Board struct {
	Name        string     `yaml:"-"`     // in a configuration: waveshare-rpi-relay-board-b
	Title       string     `yaml:"title"` // maker, product, number of the article
	Active      Polarity   `yaml:"active"`
	Channels    []Channel  `yaml:"channels"`    // the relays, in the order of the board
	Conflicts   []Conflict `yaml:"conflicts"`   // what else may use its pins
	Notes       []string   `yaml:"notes"`       // what an owner should know besides
	Sources     []string   `yaml:"sources"`     // of these facts
	Unsupported string     `yaml:"unsupported"` // why it cannot be driven; empty if it can
}

// A Channel is one relay of a board.
type Channel struct {
	Label string `yaml:"label"` // as printed on the board
	Pin   string `yaml:"pin"`   // GPIO0 to GPIO27 of a Raspberry Pi
}

// A Conflict is a function of the Raspberry Pi that may have pins of the board.
type Conflict struct {
	Function string   `yaml:"function"` // 1-Wire, SPI, …
	Pins     []string `yaml:"pins"`     // of the channels, those it uses
	Off      string   `yaml:"off"`      // the command or the change that ends it
}

// Names returns the names of all boards, in alphabetic order.
func Names() []string {
	files, err := configs.Boards.ReadDir("boards")
	if err != nil {
		panic(err) // the directory is built in
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	return names
}

// All returns all boards, in alphabetic order.
func All() []Board {
	var all []Board
	for _, name := range Names() {
		b, _ := Find(name)
		all = append(all, b)
	}
	return all
}

// Find returns the board of that name.
func Find(name string) (Board, bool) {
	if !slices.Contains(Names(), name) {
		return Board{}, false
	}
	text, err := configs.Boards.ReadFile(path.Join("boards", name+".yaml"))
	if err == nil {
		var b Board
		if b, err = parse(name, text); err == nil {
			return b, true
		}
	}
	panic(fmt.Sprintf("preset %s: %v", name, err)) // it is built in, and a test reads all of them
}

// Channel returns the index of the relay that an owner means by its label, in
// any letter case, or by its number, counted from 1.
func (b Board) Channel(text string) (int, bool) {
	for i, c := range b.Channels {
		if strings.EqualFold(text, c.Label) {
			return i, true
		}
	}
	for i := range b.Channels {
		if text == fmt.Sprint(i+1) {
			return i, true
		}
	}
	return 0, false
}

// parse reads a preset and checks that it is whole.
func parse(name string, text []byte) (Board, error) {
	b := Board{Name: name}
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	if err := in.Decode(&b); err != nil {
		return Board{}, err
	}
	return b, b.check()
}

var headerPin = regexp.MustCompile(`^GPIO([0-9]|1[0-9]|2[0-7])$`)

func (b Board) check() error {
	switch {
	case b.Title == "" || len(b.Sources) == 0:
		return errors.New("title or sources are missing")
	case b.Unsupported != "":
		if len(b.Channels) > 0 || b.Active != "" {
			return errors.New("is not supported, and yet has channels")
		}
		return nil
	case b.Active != High && b.Active != Low && b.Active != Unknown:
		return fmt.Errorf("active is %q", b.Active)
	case len(b.Channels) == 0:
		return errors.New("has no channels")
	}
	return errors.Join(b.checkChannels(), b.checkConflicts())
}

func (b Board) checkChannels() error {
	taken := map[string]bool{}
	for _, c := range b.Channels {
		switch {
		case c.Label == "" || taken[strings.ToLower(c.Label)]:
			return fmt.Errorf("label %q is missing or double", c.Label)
		case !headerPin.MatchString(c.Pin) || taken[c.Pin]:
			return fmt.Errorf("pin %q of %s is none or double", c.Pin, c.Label)
		}
		taken[strings.ToLower(c.Label)], taken[c.Pin] = true, true
	}
	return nil
}

func (b Board) checkConflicts() error {
	for _, c := range b.Conflicts {
		if c.Function == "" || c.Off == "" || len(c.Pins) == 0 {
			return fmt.Errorf("conflict %+v is not whole", c)
		}
		for _, pin := range c.Pins {
			if !slices.ContainsFunc(b.Channels, func(ch Channel) bool { return ch.Pin == pin }) {
				return fmt.Errorf("conflict with %s on %s, which is no pin of the board", c.Function, pin)
			}
		}
	}
	return nil
}
