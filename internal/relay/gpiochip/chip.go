// Package gpiochip switches lines of the kernel's GPIO character device
// (uAPI v2, Linux 5.10 and later) as periph pins.
//
// A Chip is a device such as /dev/gpiochip0 with its lines. A Place is one line
// of one chip, found by the name an owner knows. A Line is a place that this
// process holds as an output.
//
// What periph's own driver for the same device cannot promise is why this one
// exists: a line is requested with its level and direction at once, so no other
// level is ever driven; nothing that reads makes an output an input; and a line
// is a file of its own, which may outlive the process in systemd's store.
package gpiochip

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/warthog618/go-gpiocdev/uapi"
)

// A Chip is a GPIO chip and the lines it had when it was listed.
type Chip struct {
	Path    string   // the device, "/dev/gpiochip0"
	Name    string   // the kernel's name, "gpiochip0"; it may differ after the next boot
	Label   string   // the hardware's name, "pinctrl-bcm2711"
	Aliases []string // further names in /dev that lead to this chip
	Lines   []Info   // by offset
}

// Info is what the kernel tells about a line to anyone.
type Info struct {
	Name     string // "GPIO17"; empty for a line without a name
	Consumer string // who holds it, in the holder's words
	Flags    uapi.LineFlagV2
}

// Held reports whether somebody holds the line.
func (i Info) Held() bool { return i.Flags.IsUsed() }

// Output reports whether the line is an output.
func (i Info) Output() bool { return i.Flags.IsOutput() }

// List reads all chips of this machine, in the order of their numbers. Together
// with an error (*NoChipError, *PermissionError, *OldKernelError, or several,
// joined) come the chips that could be read all the same.
func List() ([]Chip, error) {
	paths, err := filepath.Glob("/dev/gpiochip*")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(paths, byNumber)
	var (
		chips []Chip
		errs  []error
		seen  = map[uint64]int{} // device number to index in chips
	)
	for _, path := range paths {
		chip, device, err := read(path)
		if i, ok := seen[device]; ok && err == nil {
			chips[i].alias(path)
		} else if err == nil {
			seen[device] = len(chips)
			chips = append(chips, chip)
		} else if !gone(err) && !merged(errs, err) {
			errs = append(errs, err)
		}
	}
	if len(chips) == 0 && len(errs) == 0 {
		return nil, noChip("/")
	}
	return chips, errors.Join(errs...)
}

// read reads the chip at path, and the number that all names of the device share.
func read(path string) (Chip, uint64, error) {
	f, err := open(path)
	if err != nil {
		return Chip{}, 0, err
	}
	defer f.Close()
	var device uint64
	if info, err := f.Stat(); err != nil {
		return Chip{}, 0, err
	} else if st, ok := info.Sys().(*syscall.Stat_t); ok {
		device = uint64(st.Rdev)
	}
	chip := Chip{Path: path}
	if err := control(f, chip.describe); err != nil {
		return Chip{}, 0, fmt.Errorf("%s: %w", path, err)
	}
	return chip, device, nil
}

func (c *Chip) describe(fd uintptr) error {
	info, err := uapi.GetChipInfo(fd)
	if err != nil {
		return fmt.Errorf("this is not a GPIO chip: %w", err)
	}
	c.Name, c.Label = uapi.BytesToString(info.Name[:]), uapi.BytesToString(info.Label[:])
	c.Lines = make([]Info, info.Lines)
	for offset := range c.Lines {
		line, err := uapi.GetLineInfoV2(fd, offset)
		if isAny(err, syscall.EINVAL, syscall.ENOTTY) {
			return oldKernel()
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", offset, err)
		}
		c.Lines[offset] = infoOf(line)
	}
	return nil
}

func infoOf(l uapi.LineInfoV2) Info {
	return Info{Name: uapi.BytesToString(l.Name[:]), Consumer: uapi.BytesToString(l.Consumer[:]), Flags: l.Flags}
}

// alias notes another path of the chip. The path that bears the kernel's name is
// the chip's own, the others, such as links that keep old numbers alive, are not.
func (c *Chip) alias(path string) {
	if filepath.Base(path) == c.Name {
		c.Path, path = path, c.Path
	}
	c.Aliases = append(c.Aliases, filepath.Base(path))
}

// answersTo tells whether an owner may mean this chip by that name.
func (c *Chip) answersTo(name string) bool {
	return name == c.Name || name == c.Label || name == c.Path || name == filepath.Base(c.Path) ||
		slices.Contains(c.Aliases, strings.TrimPrefix(name, "/dev/"))
}

// byNumber puts gpiochip2 before gpiochip10.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// open opens a chip. Reading is all it takes, to request lines too.
func open(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrPermission) {
		return nil, noPermission(path, err)
	}
	return f, err
}

// control lends the descriptor of f to op; after Close it returns os.ErrClosed
// where a bare number might be another file by then.
func control(f *os.File, op func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if e := conn.Control(func(fd uintptr) { err = op(fd) }); e != nil {
		return e
	}
	return err
}

// isAny tells whether err is one of these.
func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
}

// gone tells whether err means that the chip is not there any more.
func gone(err error) bool {
	return isAny(err, os.ErrNotExist, syscall.ENODEV, syscall.ENXIO)
}
