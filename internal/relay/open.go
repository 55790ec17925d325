package relay

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/relay/gpiochip"
	"tasmota-azd/internal/relay/host"
	"tasmota-azd/internal/relay/sim"
)

// Options say which pins to find, and how.
type Options struct {
	Driver string   // "auto", "gpiochip", "periph" or "sim"
	SimDir string   // the directory of simulated pins
	Names  []string // one pin for each relay, as its owner wrote it

	// What an earlier run gave to Keeper, and who keeps it. Only gpiochip keeps
	// anything.
	Kept   []*os.File
	Keeper Keeper

	Log *slog.Logger
}

// A Driver is what Open chose, for a log.
type Driver struct {
	Name   string // "gpiochip", "periph" or "sim"
	About  string // such as "gpiochip0 (pinctrl-bcm2711)"
	Kernel string // its release, such as "6.12.47+rpt-rpi-v8"
}

// Found is what Open found.
type Found struct {
	Driver Driver
	Pins   []Pin  // one for each name
	Others []Line // lines that were kept for relays which no name stands for any more

	more func(name string, have []Pin) (Pin, error) // of the same driver
}

// Again finds pins by the same driver once more, for another list of names. A pin that
// have holds is that same value again: by the name it has there it is not even looked
// for, as its chip may be gone. As Open does it moves none, and its errors are alike.
func (f Found) Again(names []string, have map[string]Pin) ([]Pin, error) {
	var errs []error
	pins, known := make([]Pin, len(names)), slices.Collect(maps.Values(have))
	for i, name := range names {
		if pins[i] = have[name]; pins[i] == nil {
			pin, err := f.more(name, known)
			if err != nil {
				errs = append(errs, of(i, err))
				continue
			}
			pins[i], known = pin, append(known, pin)
		}
		if first := slices.Index(pins[:i], pins[i]); first >= 0 {
			errs = append(errs, &NameError{Relay: i, Name: name, Hint: fmt.Sprintf("%s is already relays[%d]", pins[i].Name(), first)})
		}
	}
	return pins, errors.Join(errs...)
}

// of makes an error about the only name that was looked for one about relay i.
func of(i int, err error) error {
	if e, ok := errors.AsType[*NameError](err); ok {
		e.Relay = i
	}
	return err
}

// board is what a driver has to know. Pin returns nil for a name it does not
// know; whatever the name, the pin has its proper one.
type board interface {
	Pin(name string) gpio.PinOut
	Names() []string
	About() string
}

// Open finds the pins and moves none. The error is ErrNotReady if trying again
// may help, else it joins a *NameError for each pin that is a mistake: one that
// does not exist, is another relay's already, or is held by something else.
//
// The driver "auto" is gpiochip where the kernel can do what that needs, and else
// periph; it is never sim.
func Open(o Options) (Found, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Keeper == nil {
		o.Keeper = noKeeper{}
	}
	found, err := linux.choose(o)
	found.Driver.Kernel = release()
	return found, err
}

func (k kernel) choose(o Options) (Found, error) {
	switch o.Driver {
	case "auto":
		found, err := k.open(o)
		if !lacking(err) {
			return found, err
		}
		older, olderErr := openPeriph(o)
		if olderErr != nil && errors.Is(err, ErrNotReady) {
			return Found{}, err
		}
		if olderErr != nil {
			return Found{}, fmt.Errorf("%w; and with periph's drivers: %w", err, olderErr)
		}
		return older, nil
	case "gpiochip":
		return k.open(o)
	case "periph":
		found, err := openPeriph(o)
		return k.withOthers(found, o, err)
	case "sim":
		b, err := sim.Open(o.SimDir)
		if err != nil {
			return Found{}, err
		}
		found, err := look("sim", b, o.Names)
		return k.withOthers(found, o, err)
	}
	return Found{}, fmt.Errorf("gpio.driver: %q: auto, gpiochip, periph or sim", o.Driver)
}

// withOthers adds the lines that were kept when the driver was another one.
func (k kernel) withOthers(found Found, o Options, err error) (Found, error) {
	if err != nil || len(o.Kept) == 0 {
		return found, err
	}
	o.Names = nil
	kept, err := k.open(o)
	found.Others = kept.Others
	return found, err
}

// lacking tells whether this machine has nothing that gpiochip could work with.
// Chips that the kernel has and hides from us are something.
func lacking(err error) bool {
	if _, old := errors.AsType[*gpiochip.OldKernelError](err); old {
		return true
	}
	none, ok := errors.AsType[*gpiochip.NoChipError](err)
	return ok && len(none.Hidden) == 0
}

func openPeriph(o Options) (Found, error) {
	b, err := host.Open()
	if err != nil {
		return Found{}, err
	}
	return look("periph", b, o.Names)
}

// look finds the pins of a board.
func look(name string, b board, names []string) (Found, error) {
	pins, err := find(b, names)
	return Found{Driver: Driver{Name: name, About: b.About()}, Pins: pins, more: func(name string, have []Pin) (Pin, error) {
		pins, err := find(b, []string{name})
		if err != nil {
			return nil, err
		}
		if old := slices.IndexFunc(have, func(h Pin) bool { return h.Name() == pins[0].Name() }); old >= 0 {
			return have[old], nil
		}
		return pins[0], nil
	}}, err
}

// release is the kernel's, or empty.
func release() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// find looks every name up.
func find(b board, names []string) ([]Pin, error) {
	var errs []error
	pins := make([]Pin, len(names))
	owner := make(map[string]int)
	for i, name := range names {
		pin := b.Pin(name)
		if pin == nil {
			errs = append(errs, &NameError{Relay: i, Name: name, Hint: unknown(b, name)})
			continue
		}
		if first, taken := owner[pin.Name()]; taken {
			errs = append(errs, &NameError{Relay: i, Name: name, Hint: fmt.Sprintf("%s is already relays[%d]", pin.Name(), first)})
			continue
		}
		owner[pin.Name()] = i
		pins[i] = pin
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return pins, nil
}

// unknown words the mistake of a name that the board does not have.
func unknown(b board, name string) string {
	hint := fmt.Sprintf("no such pin (%s)", b.About())
	if near := nearest(name, b.Names()); len(near) > 0 {
		hint += "; nearest: " + strings.Join(near, ", ")
	}
	return hint
}

// nearest returns up to three of names that differ from name by the fewest
// slips, but not more than two; those of its length come first.
func nearest(name string, names []string) []string {
	const slips, most = 2, 3
	if len(name) > 40 { // no pin's name is, and distance takes its time
		return nil
	}
	best := slips
	var near []string
	for _, n := range names {
		d := distance(strings.ToUpper(name), strings.ToUpper(n))
		if d < best {
			best, near = d, nil
		}
		if d == best {
			near = append(near, n)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int {
		return cmp.Compare(abs(len(a)-len(name)), abs(len(b)-len(name)))
	})
	return near[:min(len(near), most)]
}

// distance counts the slips between a and b: a letter too many, missing or
// wrong, or two neighbours swapped.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range b {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

func abs(n int) int { return max(n, -n) }
