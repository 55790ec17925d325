// Package fresh makes the first configuration of a board: the sample, explanations and
// all, with what its owner answers filled in.
//
// It asks and it writes text. Where that goes, and whether it is right, is for others.
package fresh

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"tasmota-azd/configs"
	"tasmota-azd/internal/boards"
)

// Answers are what a configuration cannot do without, and little more.
type Answers struct {
	Host     string // of the hub that the device was created in; or
	Scope    string // the ID Scope of DPS
	DeviceID string // with DPS the registration id; empty: the MAC address
	KeyFile  string // empty: device.key, with DPS enrollment.key
	KeyKind  string // with DPS group or individual; empty: group

	Board    string          // name of a relay board, or empty
	Relays   []Relay         // all of them; with Board those that get a name
	ClosesAt boards.Polarity // level that closes a relay; empty: as Board says, else high
}

// A Relay is a name, and a pin or with a board the label of one of its relays.
type Relay struct{ Name, At string }

// ParseRelay reads a relay as it is written on a command line, such as Pump=GPIO17.
func ParseRelay(text string) (Relay, error) {
	i := strings.LastIndex(text, "=")
	if i < 1 || i == len(text)-1 {
		return Relay{}, fmt.Errorf("%q is not a name, = and a pin, such as Pump=GPIO17", text)
	}
	return Relay{Name: text[:i], At: text[i+1:]}, nil
}

// Text returns the configuration.
func (a Answers) Text() (string, error) {
	s := newSheet(configs.Sample)
	if err := a.connection(s); err != nil {
		return "", err
	}
	if err := a.relays(s); err != nil {
		return "", err
	}
	return s.String(), nil
}

// connection fills in one of the two ways to a hub.
func (a Answers) connection(s *sheet) error {
	switch {
	case a.Host != "" && a.Scope != "":
		return errors.New("either a hub or the ID Scope of DPS, not both: DPS names the hub")
	case a.Host != "" && a.KeyKind != "":
		return errors.New("the kind of key is a matter of DPS, and a hub is given")
	case a.Host != "":
		s.set("hub.host", a.Host)
		s.setIf("hub.device_id", a.DeviceID)
		s.setIf("hub.key_file", a.KeyFile)
	case a.Scope != "":
		s.off("hub.key_file")
		s.set("dps.scope_id", a.Scope)
		s.setIf("dps.registration_id", a.DeviceID)
		s.set("dps.key_file", cmp.Or(a.KeyFile, "enrollment.key"))
		s.setIf("dps.key_kind", a.KeyKind)
	default:
		return errors.New("the host name of a hub or the ID Scope of DPS is needed")
	}
	return nil
}

// relays fills in the board and the relays.
func (a Answers) relays(s *sheet) error {
	if a.ClosesAt != "" && a.ClosesAt != boards.Low && a.ClosesAt != boards.High {
		return fmt.Errorf("a relay closes at low or at high, not at %q", a.ClosesAt)
	}
	if a.Board == "" {
		if len(a.Relays) == 0 {
			return errors.New("a relay board or at least one relay is needed")
		}
		s.entries("relays.pin", a.Relays, a.ClosesAt)
		s.off("relays.channel")
		return nil
	}
	entries, err := a.ofBoard()
	if err != nil {
		return err
	}
	s.set("board", a.Board)
	s.off("relays.pin")
	if len(entries) == 0 {
		s.off("relays")
		s.off("relays.name")
		return nil
	}
	closesAt := a.ClosesAt
	if b, _ := boards.Find(a.Board); b.Active == closesAt {
		closesAt = ""
	}
	s.entries("relays.channel", entries, closesAt)
	return nil
}

// ofBoard returns the entries that a configuration with the board needs: all relays if
// the board does not say at which level they close, else those that get a name.
func (a Answers) ofBoard() ([]Relay, error) {
	b, ok := boards.Find(a.Board)
	switch {
	case !ok:
		return nil, fmt.Errorf("no relay board is known as %q; tasmota-azd board list has the names", a.Board)
	case b.Unsupported != "":
		return nil, fmt.Errorf("%s cannot be used: %s", b.Title, b.Unsupported)
	case b.Active == boards.Unknown && a.ClosesAt == "":
		return nil, fmt.Errorf("at which level the relays of %s close is not known; \"tasmota-azd board test %s\" finds out", b.Title, b.Name)
	case a.ClosesAt == "" || a.ClosesAt == b.Active:
		return a.Relays, nil
	}
	named := map[int]string{}
	for _, r := range a.Relays {
		i, ok := b.Channel(r.At)
		if !ok {
			return nil, fmt.Errorf("%s has no relay %q", b.Title, r.At)
		}
		named[i] = r.Name
	}
	var all []Relay
	for i, c := range b.Channels {
		all = append(all, Relay{Name: cmp.Or(named[i], c.Label), At: c.Label})
	}
	return all, nil
}
