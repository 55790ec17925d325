package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"tasmota-azd/internal/boards"
	"tasmota-azd/internal/boards/trial"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/relay"
	"tasmota-azd/internal/relay/gpiochip"
	"tasmota-azd/internal/store"
)

// tryBoard clicks the relays of a board or, without a name, of the configuration
// at path, and prints what follows.
func tryBoard(ctx context.Context, path, name string, in io.Reader, out io.Writer) error {
	cfg, entries, err := whatToTry(path, name, out)
	if err != nil {
		return err
	}
	free, err := reserve(stateDirs(cfg))
	if err != nil {
		return err
	}
	defer free()
	pins, err := openPins(cfg.GPIO, entries)
	if err != nil {
		return err
	}
	findings, err := trial.Run(ctx, trial.Options{Entries: entries, Pins: pins, In: in, Out: out})
	if err != nil {
		return err
	}
	return printTried(out, name, entries, findings)
}

// whatToTry returns the relays, and the configuration that says how to drive them:
// with a name, that is the default where there is no usable file yet.
func whatToTry(path, name string, out io.Writer) (config.Config, []boards.Entry, error) {
	cfg, err := load(path)
	if name == "" {
		return cfg, configured(cfg), err
	}
	b, known := findBoard(name)
	if known != nil {
		return cfg, nil, known
	}
	if b.Unsupported != "" {
		return cfg, nil, fmt.Errorf("%s cannot be used: %s", b.Title, b.Unsupported)
	}
	if err != nil {
		cfg = config.Defaults()
		fmt.Fprintf(out, "%s cannot be used as it is, so the pins are taken with gpio.driver: %s.\n", path, cfg.GPIO.Driver)
	}
	return cfg, b.Entries(), nil
}

// configured returns the relays of a configuration.
func configured(cfg config.Config) []boards.Entry {
	var all []boards.Entry
	for _, r := range cfg.Relays {
		active := boards.High
		if r.ActiveLow {
			active = boards.Low
		}
		all = append(all, boards.Entry{Name: r.Name, Pin: r.Pin, Active: active, MinInterval: r.MinInterval})
	}
	return all
}

// stopIt is how an owner makes the daemon let go of the relays.
const stopIt = "stop it for the test: sudo systemctl stop tasmota-azd"

// stateDirs are where a daemon that drives these pins has its lock. Under systemd
// that is the default, whatever the file says.
func stateDirs(cfg config.Config) []string {
	dirs := []string{stateDir(cfg)}
	if under := config.Defaults().StateDir; cfg.GPIO.Driver != config.DriverSim && !slices.Contains(dirs, under) {
		dirs = append(dirs, under)
	}
	return dirs
}

// reserve fails if a daemon holds one of the state directories, and else keeps one
// from starting until free is called.
func reserve(dirs []string) (free func(), err error) {
	var held []*os.File
	free = func() {
		for _, f := range held {
			f.Close() // it was only read
		}
	}
	for _, dir := range dirs {
		f, err := os.Open(filepath.Join(dir, "lock"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // no daemon has ever run there
		}
		if err != nil {
			free()
			return nil, fmt.Errorf("whether tasmota-azd is running cannot be seen: %w: run this with sudo", err)
		}
		held = append(held, f)
		if err := lock(f); err != nil {
			locked := &store.LockedError{Dir: dir, PID: readPID(f)}
			free()
			if !errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
			}
			return nil, fmt.Errorf("%w; %s", locked, stopIt)
		}
	}
	return free, nil
}

// readPID returns the process id in a lock file, or 0 if nothing readable is there.
// It does without fmt.Fscan, which nothing else here needs.
func readPID(f *os.File) int {
	text := make([]byte, 20)
	n, _ := f.Read(text)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return 0
	}
	return pid
}

// lock takes the lock of a state directory, as package store does.
func lock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = conn.Control(func(fd uintptr) { locked = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) })
	return errors.Join(err, locked)
}

// openPins finds the pins of the entries, and touches none.
func openPins(g config.GPIO, entries []boards.Entry) ([]trial.Pin, error) {
	o := relay.Options{Driver: g.Driver, SimDir: g.SimDir}
	for _, e := range entries {
		o.Names = append(o.Names, e.Pin)
	}
	found, err := relay.Open(o)
	if used, ok := errors.AsType[*gpiochip.InUseError](err); ok && used.Consumer == "tasmota-azd" {
		return nil, fmt.Errorf("%w\n%s; what systemd then still keeps is let go by: sudo systemctl clean --what=fdstore tasmota-azd", err, stopIt)
	}
	if err != nil {
		return nil, err
	}
	var pins []trial.Pin
	for _, p := range found.Pins {
		pins = append(pins, &tryPin{pin: p})
	}
	return pins, nil
}

// A tryPin is a pin of the trial. A line of a chip is claimed with the first level
// that is asked for, so that it never has another.
type tryPin struct {
	pin     relay.Pin
	claimed bool
}

func (p *tryPin) Drive(high bool) error {
	line, ok := p.pin.(relay.Line)
	first := ok && !p.claimed
	p.claimed = true
	switch {
	case first && high:
		return line.Claim(true, true)
	case first:
		return line.Claim(false, false)
	case high:
		return p.pin.Out(true)
	}
	return p.pin.Out(false)
}

// printTried prints what was found out about the board of that name, or about the
// configuration.
func printTried(out io.Writer, name string, entries []boards.Entry, findings []trial.Finding) error {
	corrected, doubts := trial.Correct(entries, findings)
	fmt.Fprintln(out)
	for _, d := range doubts {
		fmt.Fprintf(out, "# %s\n", d)
	}
	switch same := trial.Same(entries, corrected); {
	case !slices.ContainsFunc(findings, func(f trial.Finding) bool { return f.Tested }):
		_, err := fmt.Fprintln(out, "Nothing was tested.")
		return err
	case same && name != "":
		_, err := fmt.Fprintf(out, "What was tested is as the preset says. For the configuration:\n\nboard: %s\n", name)
		return err
	case same:
		_, err := fmt.Fprintln(out, "What was tested is as the configuration says.")
		return err
	}
	if _, err := fmt.Fprint(out, "For the configuration, in place of relays: and of board:, if that is there:\n\n"); err != nil {
		return err
	}
	return boards.WriteRelays(out, corrected)
}
