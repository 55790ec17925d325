package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/relay/gpiochip"
)

// A Keeper keeps the files of lines for the next run of the daemon; systemd's
// store of file descriptors is one. A name may be kept more than once.
type Keeper interface {
	Keep(name string, f *os.File) error
	Forget(name string) error // all files of that name; they are closed when it returns
}

// noKeeper is a daemon that nobody keeps anything for.
type noKeeper struct{}

func (noKeeper) Keep(string, *os.File) error { return nil }
func (noKeeper) Forget(string) error         { return nil }

// A kernel is what this package asks of package gpiochip.
type kernel struct {
	list    func() ([]gpiochip.Chip, error)
	check   func([]gpiochip.Chip, ...gpiochip.Place) error
	request func(gpiochip.Place, gpiochip.Output) (held, error)
	adopt   func([]gpiochip.Chip, *os.File) (held, error)
}

// A held is a line that this process holds: a *gpiochip.Line.
type held interface {
	Place() gpiochip.Place
	Off() gpio.Level
	File() *os.File
	Level() (gpio.Level, error)
	Out(gpio.Level) error
	Configure(gpiochip.Output) error
	Reopen([]gpiochip.Chip, gpiochip.Output) error
	Release() error
	Close() error
}

var linux = kernel{
	list:  gpiochip.List,
	check: gpiochip.Check,
	request: func(p gpiochip.Place, o gpiochip.Output) (held, error) {
		return orNil(gpiochip.Request(p, o))
	},
	adopt: func(chips []gpiochip.Chip, f *os.File) (held, error) {
		return orNil(gpiochip.Adopt(chips, f))
	},
}

// orNil keeps a nil pointer from becoming an interface that is not nil.
func orNil(l *gpiochip.Line, err error) (held, error) {
	if err != nil {
		return nil, err
	}
	return l, nil
}

// chips are the lines of this machine on the way from their names to pins.
type chips struct {
	kernel kernel
	keeper Keeper
	log    *slog.Logger
	found  []gpiochip.Chip
}

// open finds the lines that o names, and takes back those of o.Kept. As long
// as a name is not found, or no chip is ready, it leaves o.Kept alone.
func (k kernel) open(o Options) (Found, error) {
	c := &chips{kernel: k, keeper: o.Keeper, log: o.Log}
	unread := c.list()
	if len(c.found) == 0 {
		return Found{}, unread
	}
	places, err := c.match(o.Names)
	if err != nil {
		return Found{}, errors.Join(err, unread)
	}
	if unread != nil {
		c.log.Warn("a GPIO chip cannot be read; no relay hangs on it", "err", unread)
	}
	adopted, dropped := c.adopt(o.Kept)
	if dropped { // what held lines may have let go of them
		if err := c.list(); len(c.found) == 0 {
			return Found{}, err
		}
	}
	pins, err := c.pins(o.Names, places, adopted)
	if err != nil {
		return Found{}, err
	}
	return Found{Driver: driverOf(places), Pins: pins, Others: c.others(adopted), more: c.more}, nil
}

// more finds a further line, when this process holds some already.
func (c *chips) more(name string, have []Pin) (Pin, error) {
	unread := c.list()
	places, err := c.match([]string{name})
	if err != nil {
		return nil, errors.Join(err, unread)
	}
	for _, p := range have {
		if l, ok := p.(*chipLine); ok && l.place == places[0] {
			return l, nil
		}
	}
	pins, err := c.pins([]string{name}, places, nil)
	if err != nil {
		return nil, err
	}
	return pins[0], nil
}

// list reads the chips of this machine.
func (c *chips) list() error {
	var err error
	c.found, err = c.kernel.list()
	return passing(err)
}

// passing makes an error that a booting machine gets over match ErrNotReady.
func passing(err error) error {
	_, absent := errors.AsType[*gpiochip.NoChipError](err)
	_, denied := errors.AsType[*gpiochip.PermissionError](err)
	if absent || denied {
		return fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	return err
}

// match finds the place of each name. The error joins a *NameError for each that
// is a mistake.
func (c *chips) match(names []string) ([]gpiochip.Place, error) {
	var errs []error
	owner := make(map[gpiochip.Place]int)
	places := make([]gpiochip.Place, len(names))
	for i, name := range names {
		p, err := gpiochip.Match(c.found, name)
		if err != nil {
			errs = append(errs, &NameError{Relay: i, Name: name, Hint: err.Error(), Err: err})
			continue
		}
		if first, taken := owner[p]; taken {
			errs = append(errs, &NameError{Relay: i, Name: name, Hint: fmt.Sprintf("%s is already relays[%d]", p.Name(), first)})
			continue
		}
		owner[p], places[i] = i, p
	}
	return places, errors.Join(errs...)
}

// adopt takes lines back from their kept files. What is not a line of ours leaves
// the keeper, and dropped tells that something did.
func (c *chips) adopt(kept []*os.File) (lines map[gpiochip.Place]held, dropped bool) {
	lines = make(map[gpiochip.Place]held)
	forgotten := make(map[string]bool)
	for _, f := range kept {
		line, err := c.kernel.adopt(c.found, f)
		if err == nil && lines[line.Place()] != nil {
			err = fmt.Errorf("%s: kept twice", f.Name())
		}
		if err != nil {
			c.log.Warn("a file kept from before is of no use", "err", err)
			_ = f.Close() // it is of no use, and so is an error
			c.forget(f.Name())
			forgotten[f.Name()] = true
			continue
		}
		lines[line.Place()] = line
	}
	for p, line := range lines {
		if forgotten[p.FDName()] { // with another of the same name
			c.keep(line)
		}
	}
	return lines, len(forgotten) > 0
}

func (c *chips) keep(line held) {
	if err := c.keeper.Keep(line.Place().FDName(), line.File()); err != nil {
		c.log.Warn("line is not kept over a restart", "pin", line.Place().Name(), "err", err)
	}
}

func (c *chips) forget(name string) {
	if err := c.keeper.Forget(name); err != nil {
		c.log.Warn("file is still kept", "name", name, "err", err)
	}
}

// pins makes the pin of each place, and takes those of adopted that have one.
func (c *chips) pins(names []string, places []gpiochip.Place, adopted map[gpiochip.Place]held) ([]Pin, error) {
	var free []gpiochip.Place
	pins := make([]Pin, len(places))
	for i, p := range places {
		line := adopted[p]
		if line == nil {
			free = append(free, p)
		}
		delete(adopted, p)
		pins[i] = newLine(c, p, line)
	}
	if err := c.kernel.check(c.found, free...); err != nil {
		return nil, named(err, names, places)
	}
	return pins, nil
}

// named says to which relay each line belongs that is in use.
func named(err error, names []string, places []gpiochip.Place) error {
	all := []error{err}
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		all = list.Unwrap()
	}
	for n, err := range all {
		if used, ok := errors.AsType[*gpiochip.InUseError](err); ok {
			if i := slices.Index(places, used.Place); i >= 0 {
				all[n] = &NameError{Relay: i, Name: names[i], Hint: err.Error(), Err: err}
			}
		}
	}
	return errors.Join(all...)
}

// others makes pins of adopted lines that no name asked for.
func (c *chips) others(adopted map[gpiochip.Place]held) []Line {
	var others []Line
	for p, line := range adopted {
		others = append(others, newLine(c, p, line))
	}
	slices.SortFunc(others, func(a, b Line) int { return strings.Compare(a.Name(), b.Name()) })
	return others
}

// driverOf says which chips the places are on.
func driverOf(places []gpiochip.Place) Driver {
	var chips []string
	for _, p := range places {
		if chip := p.Chip + " (" + p.Label + ")"; !slices.Contains(chips, chip) {
			chips = append(chips, chip)
		}
	}
	return Driver{Name: "gpiochip", About: strings.Join(chips, ", ")}
}
