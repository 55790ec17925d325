package system

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// heapKiB returns what the daemon's live objects and those not yet swept take.
// Package runtime/metrics would say it without stopping the program for some
// microseconds, but holds 30 KiB for the names of all it knows.
func heapKiB() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc >> 10)
}

// programKiB returns the size of the file that is running, also if another one
// has taken its place.
func (s *System) programKiB() int {
	info, err := os.Stat(filepath.Join(s.proc, "self/exe"))
	if err != nil {
		return 0
	}
	return int(info.Size() >> 10)
}

// memAvailable finds "MemAvailable:  512000 kB" in the text of /proc/meminfo.
func memAvailable(meminfo string) int {
	value, _ := setting(meminfo, ":", "MemAvailable")
	kib, _ := strconv.ParseUint(strings.TrimSuffix(value, " kB"), 10, 31)
	return int(kib)
}

// loadPercent reads the load of the last minute, "0.38 0.25 0.19 1/123 4567",
// and spreads it over the processors.
func loadPercent(loadavg string, cpus int) int {
	minute, _, _ := strings.Cut(loadavg, " ")
	load, err := strconv.ParseFloat(minute, 64)
	if err != nil || !(load >= 0 && load < 1e6) {
		return 0
	}
	return int(math.Round(load * 100 / float64(cpus)))
}

// board returns what the device tree calls the board, on a PC what its maker
// does, and else the kind of processor.
func (s *System) board() string {
	for _, name := range []string{
		s.line(s.proc, "device-tree/model"),
		s.line(s.sys, "class/dmi/id/product_name"),
	} {
		if name != "" {
			return name
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Machine[:])
}

// release names the operating system, such as "Debian GNU/Linux 12 (bookworm)",
// and else the kernel.
func (s *System) release() string {
	if name, ok := setting(s.read(s.etc, "os-release"), "=", "PRETTY_NAME"); ok {
		return strings.Trim(name, `"'`)
	}
	return strings.TrimSpace("Linux " + s.line(s.proc, "sys/kernel/osrelease"))
}

// megahertz returns the highest clock of the first processor, or that which it
// has now.
func (s *System) megahertz() int {
	khz, err := strconv.ParseUint(s.line(s.sys, "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"), 10, 31)
	if err == nil {
		return int(khz / 1000)
	}
	value, _ := setting(s.read(s.proc, "cpuinfo"), ":", "cpu MHz")
	mhz, err := strconv.ParseFloat(value, 64)
	if err != nil || !(mhz >= 0 && mhz < 1e6) {
		return 0
	}
	return int(math.Round(mhz))
}

// setting returns what stands behind the name and the separator in the first
// such line of text.
func setting(text, separator, name string) (value string, ok bool) {
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(line, separator)
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}
