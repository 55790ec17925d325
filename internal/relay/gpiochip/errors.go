package gpiochip

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The errors of this package say what is wrong and then what to do about it, in
// one line. Their types are for callers that decide, such as to try again.
type (
	// A NoLineError says that no chip has such a line.
	NoLineError struct {
		Spec string   // as the owner wrote it
		Why  string   // if that is known
		Near []string // names that are like it
	}

	// An AmbiguousError says that more than one line may be meant.
	AmbiguousError struct {
		Spec       string
		Candidates []Place
	}

	// An InUseError says that something else holds the line, or has the pin for a
	// function of its own.
	InUseError struct {
		Place    Place
		Consumer string // in the holder's words; empty if the kernel does not tell
	}

	// A PermissionError says that the chips must not be opened.
	PermissionError struct {
		Paths []string // the devices
		Group string   // that may open them; empty if no group may
		User  string   // who we are
		Err   error    // EACCES: the file's mode forbids it; EPERM: a sandbox does
	}

	// A NoChipError says that there is no GPIO chip to open.
	NoChipError struct {
		Model     string   // of the machine, if the device tree tells
		Hidden    []string // chips that the kernel has and /dev has not
		Container bool     // we seem to be in one
	}

	// An OldKernelError says that the kernel lacks uAPI v2.
	OldKernelError struct{ Release string }

	// A GoneError says that the line's chip is not there any more: unplugged, or
	// its driver was unloaded.
	GoneError struct {
		Place Place
		Err   error
	}
)

func (e *NoLineError) Error() string {
	text := fmt.Sprintf("there is no line %q", e.Spec)
	if e.Why != "" {
		text += ": " + e.Why
	}
	if len(e.Near) > 0 {
		text += "; nearest: " + strings.Join(e.Near, ", ")
	}
	return text
}

func (e *AmbiguousError) Error() string {
	var names []string
	for _, p := range e.Candidates {
		name := p.Address()
		if slices.ContainsFunc(e.Candidates, func(o Place) bool { return o != p && o.Address() == name }) {
			name = p.Chip + ":" + strconv.Itoa(p.Offset) // chips of the same kind
		}
		names = append(names, name)
	}
	return fmt.Sprintf("%q is the name of %d lines: write which one, %s", e.Spec, len(names), strings.Join(names, " or "))
}

func (e *InUseError) Error() string {
	holder := "something that gives no name"
	if e.Consumer != "" {
		holder = strconv.Quote(e.Consumer)
	}
	return fmt.Sprintf("%v is in use by %s: %s", e.Place, holder, remedy(e.Consumer, e.Place.BCM))
}

func (e *PermissionError) Error() string {
	text := "no permission to open " + strings.Join(e.Paths, ", ") + ": "
	switch {
	case errors.Is(e.Err, syscall.EPERM):
		return text + "a sandbox forbids it: a systemd unit needs DeviceAllow=char-gpiochip rw, a container --device " + e.Paths[0]
	case e.Group == "":
		return text + "only root may, as long as udev has no rule like " +
			`SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"`
	}
	return text + fmt.Sprintf("run \"sudo usermod -aG %s %s\" and log in again", e.Group, e.User)
}

func (e *PermissionError) Unwrap() error { return e.Err }

func (e *NoChipError) Error() string {
	const text = "there is no /dev/gpiochip*: "
	model := e.Model
	if model == "" {
		model = "a computer without a device tree, so not a Raspberry Pi"
	}
	switch {
	case len(e.Hidden) > 0:
		return text + "the kernel has " + strings.Join(e.Hidden, ", ") +
			", but it is not to be seen here: a systemd unit must not have PrivateDevices=yes, a container needs --device /dev/" + e.Hidden[0]
	case e.Container:
		return text + "this is a container on a machine without GPIO (" + model + ")"
	}
	return text + "this machine has no GPIO that Linux knows (" + model + ")"
}

func (e *OldKernelError) Error() string {
	return fmt.Sprintf("the kernel (%s) is too old for GPIO lines without glitches: it takes 5.10 or later", e.Release)
}

func (e *GoneError) Error() string {
	text := fmt.Sprintf("%v: its chip is gone", e.Place)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *GoneError) Unwrap() error { return e.Err }

func noPermission(path string, err error) error {
	e := &PermissionError{Paths: []string{path}, User: strconv.Itoa(os.Getuid()), Err: err}
	if u, err := user.LookupId(e.User); err == nil {
		e.User = u.Username
	}
	info, err := os.Stat(path)
	if err != nil {
		return e
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Gid != 0 && info.Mode().Perm()&0o040 != 0 {
		e.Group = strconv.Itoa(int(st.Gid))
		if g, err := user.LookupGroupId(e.Group); err == nil {
			e.Group = g.Name
		}
	}
	return e
}

// merged adds the paths of err to an error of the same cause among errs.
func merged(errs []error, err error) bool {
	more, ok := errors.AsType[*PermissionError](err)
	for _, e := range errs {
		if first, is := errors.AsType[*PermissionError](e); is && ok && first.Group == more.Group {
			first.Paths = append(first.Paths, more.Paths...)
			return true
		}
		if _, is := errors.AsType[*OldKernelError](e); is {
			return true // one kernel has all the chips
		}
	}
	return false
}

// noChip looks around below root for the reason.
func noChip(root string) error {
	e := &NoChipError{}
	hidden, _ := filepath.Glob(filepath.Join(root, "sys/bus/gpio/devices/gpiochip*")) // the pattern is good
	for _, path := range hidden {
		e.Hidden = append(e.Hidden, filepath.Base(path))
	}
	if model, err := os.ReadFile(filepath.Join(root, "proc/device-tree/model")); err == nil {
		e.Model = strings.TrimRight(string(model), "\x00\n")
	}
	for _, mark := range []string{"run/systemd/container", "run/.containerenv", ".dockerenv"} {
		if _, err := os.Stat(filepath.Join(root, mark)); err == nil {
			e.Container = true
		}
	}
	return e
}

func oldKernel() error {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return &OldKernelError{Release: "of unknown version"}
	}
	return &OldKernelError{Release: strings.TrimSpace(string(release))}
}
