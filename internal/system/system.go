// Package system looks at the machine the daemon runs on and says what Status,
// STATE and INFO tell of it: network, memory, load, board, operating system.
//
// It reads a few small files of /proc and /sys each time it is asked, caches
// nothing, and takes what it cannot find out as not known: no answer to the
// cloud fails because a file is missing.
//
// It also knows which start of the kernel this is (BootID), and what Tasmota
// would give as the reason of a start.
package system

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/system/nl80211"
)

// Options say where to look. The zero value is the machine itself.
type Options struct {
	Proc string // mount point of procfs, default /proc
	Sys  string // mount point of sysfs, default /sys
	Etc  string // where resolv.conf and os-release are, default /etc

	// Addrs returns the addresses of a network interface, as net.Interface's
	// method does, which it is by default.
	Addrs func(name string) ([]net.Addr, error)

	CPUs int // processors that share the load, default runtime.NumCPU
}

// A System answers what a machine looks like. It is safe for concurrent use.
type System struct {
	proc, sys, etc string
	addrs          func(string) ([]net.Addr, error)
	cpus           int
	askRadio       func(device string, within time.Duration) (nl80211.Network, error)
}

// New returns the System that o describes.
func New(o Options) *System {
	s := &System{proc: o.Proc, sys: o.Sys, etc: o.Etc, addrs: o.Addrs, cpus: o.CPUs, askRadio: nl80211.Ask}
	if s.proc == "" {
		s.proc = "/proc"
	}
	if s.sys == "" {
		s.sys = "/sys"
	}
	if s.etc == "" {
		s.etc = "/etc"
	}
	if s.addrs == nil {
		s.addrs = interfaceAddrs
	}
	if s.cpus == 0 {
		s.cpus = runtime.NumCPU()
	}
	return s
}

// Facts returns what the machine looks like now.
func (s *System) Facts() commands.Facts {
	f := commands.Facts{
		Hostname:   s.line(s.proc, "sys/kernel/hostname"),
		HeapKiB:    heapKiB(),
		FreeKiB:    memAvailable(s.read(s.proc, "meminfo")),
		ProgramKiB: s.programKiB(),
		LoadAvg:    loadPercent(s.read(s.proc, "loadavg"), s.cpus),
		DNS:        nameservers(s.read(s.etc, "resolv.conf")),
	}
	s.network(&f)
	return f
}

// Device returns what stays the same while the daemon runs. Version, BuildTime
// and RestartReason are for the caller to fill.
func (s *System) Device() commands.Device {
	return commands.Device{
		Core:     s.release(),
		SDK:      runtime.Version(),
		Hardware: s.board(),
		CPUMHz:   s.megahertz(),
	}
}

// BootID returns the kernel's name for this start of the machine, a UUID, and
// an empty text where it cannot be read.
func (s *System) BootID() string {
	return s.line(s.proc, "sys/kernel/random/boot_id")
}

// RestartReason returns Tasmota's text for why the daemon starts (language
// reference, 3.4): before is the BootID of its last run, empty if there was
// none, and now the present one. A machine that started anew is a power-on;
// where that cannot be told it is not.
func RestartReason(before, now string) string {
	if now != "" && now != before {
		return "Power On"
	}
	return "Software/System restart"
}

// fileLimit is how much is read of a file. The longest, the routing tables,
// have a hundred bytes for each route.
const fileLimit = 64 << 10

// read returns the beginning of a file, nothing if it cannot be read.
func (s *System) read(root, name string) string {
	f, err := os.Open(filepath.Join(root, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fileLimit))
	if err != nil {
		return ""
	}
	return string(b)
}

// line returns the first line of a file, without blanks around it and the NUL
// that ends a text of the device tree.
func (s *System) line(root, name string) string {
	text, _, _ := strings.Cut(s.read(root, name), "\n")
	return strings.Trim(text, " \t\x00")
}
