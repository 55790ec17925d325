package pins_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"tasmota-azd/test/pins"
	rpiemu "tasmota-azd/test/rpi-emu"
	"tasmota-azd/test/uml"
)

// A pi is an emulated Raspberry Pi.
type pi struct {
	o    rpiemu.Options
	arch string // of the programs
}

// Emulated Raspberry Pis. The kernel of pi3 and piZero2 keeps an output that is let
// go, as Raspberry Pi OS does.
var (
	pi3     = board{name: "emulated Pi 3B", lines: header, pi: &pi{arch: "arm64"}}
	pi3lets = board{name: "emulated Pi 3B", lines: header, pi: &pi{arch: "arm64", o: rpiemu.Options{Args: []string{"--append", "pinctrl_bcm2835.persist_gpio_outputs=n"}}}}
	piZero  = board{name: "emulated Pi Zero", lines: header, pi: &pi{arch: "arm", o: rpiemu.Options{Machine: "raspi0"}}}
	piZero2 = board{name: "emulated Pi Zero 2 W", lines: header, pi: &pi{arch: "arm64", o: rpiemu.Options{Board: "zero2w"}}}
)

// periph names the driver that periph chooses on a board.
func (b board) periph() string {
	if b.name == piZero2.name {
		return "bcm283x"
	}
	return "gpioioctl"
}

// boot boots the board, whose steps must succeed, with the program hold.
func (b board) boot(t *testing.T, s pins.Scenario) uml.Result {
	t.Helper()
	if b.pi == nil {
		s.Bins = append(s.Bins, hold(t))
		return run(t, s)
	}
	o := b.pi.o
	o.Timeout = s.Timeout
	o.Need(t)
	p := pins.Programs{Daemon: built(t, "cmd/tasmota-azd", b.pi.arch)}
	if s.Cloud {
		p.Hub = built(t, "cmd/hubsim", b.pi.arch)
	}
	o.Args = append(o.Args, "--bin", built(t, "test/pins/hold", b.pi.arch)+":/usr/local/bin/hold")
	r := pins.RunPi(t, p, o, s)
	if r.Exit != 0 || t.Failed() {
		t.Errorf("exit %d\n%s", r.Exit, r.Stdout)
	}
	return r
}

// built are programs for Raspberry Pis, each built once for all tests.
func built(t *testing.T, pkg, arch string) string {
	t.Helper()
	build, _ := builds.LoadOrStore(pkg+arch, sync.OnceValues(func() (string, error) {
		return rpiemu.Build(buildDir, "tasmota-azd/"+pkg, arch)
	}))
	bin, err := build.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

var builds sync.Map

// The same start, restart, crash and stop with each program that is
// released, on the processor it is for: each line goes through the same.
func TestStartUp(t *testing.T) {
	for arch, b := range map[string]board{
		"amd64": {name: "small kernel", lines: header, o: uml.Options{Board: "pi3", NoPersist: true}},
		"arm64": pi3lets,
		"armv6": piZero,
	} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			startUp(t, b)
		})
	}
}

// startUp plays it on a board whose kernel makes a released output an input.
func startUp(t *testing.T, b board) {
	o := b.o
	o.Timeout = 10 * time.Minute
	o.Cmd = `set -e; relays='GPIO17=1 GPIO27=1 GPIO22=0 GPIO23=0'
		saved "on off on off"; want -=0; wanted on off on off
		up; are on off on off
		restart; are on off on off
		killed; are on off on off
		wanted off off off off; down
		wanted on off on off; up; are on off on off
		stop USR2; want -=end`
	r := b.boot(t, pins.Scenario{Options: o, Config: strings.Replace(four, "on_stop: hold", "on_stop: off", 1)})
	section := pins.Section(r.Trace, "0")
	for line, want := range map[string]string{
		"GPIO17": "1 free 1 free 1 0 free 1 free",
		"GPIO27": "0 free 0 free 0 free 0 free",
		"GPIO22": "0 free 0 free 0 1 free 0 free",
		"GPIO23": "1 free 1 free 1 free 1 free",
	} {
		if got := course(section, line); got != want {
			t.Errorf("%s went %q, want %q", line, got, want)
		}
	}
	if c := pins.Count(pins.Moves(section)); c.Unexpected != 0 || c.Missing() != 0 {
		t.Errorf("%+v", c)
	}
}

// course lists what a line did, one after the other.
func course(events []uml.Event, line string) string {
	var list []string
	moves, _ := pins.Moves(events)
	for _, m := range moves {
		if m.Line == line && !m.Want && (len(list) == 0 || list[len(list)-1] != m.To) {
			list = append(list, m.To)
		}
	}
	return strings.Join(list, " ")
}
