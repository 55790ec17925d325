package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// needed is what the daemon does with the machine.
var needed = []attempt{
	{"write its state", func() error { return write("/var/lib/tasmota-azd/probe") }},
	{"write its runtime directory", func() error { return write("/run/tasmota-azd/probe") }},
	{"open the GPIO chip", func() error { return open("/dev/gpiochip0", unix.O_RDWR) }},
	{"read its configuration", func() error { return read("/etc/tasmota-azd/config.yaml") }},
	{"read the boot id", func() error { return read("/proc/sys/kernel/random/boot_id") }},
	{"read the device tree", func() error { return read("/proc/device-tree/model") }},
	{"read the memory", func() error { return read("/proc/meminfo") }},
	{"read the routes", func() error { return read("/proc/net/route") }},
	{"read what the kernel tells of a file", func() error { return read("/proc/self/fdinfo/0") }},
	{"list interfaces in /sys", func() error { return glob("/sys/class/net/*") }},
	{"list interfaces by netlink", func() error { _, err := net.Interfaces(); return err }},
	{"ask about Wi-Fi", func() error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC) }},
	{"read the root certificates", func() error { return read("/etc/ssl/certs/ca-certificates.crt") }},
	{"listen on TCP", func() error { return listen("tcp", "127.0.0.1:0") }},
	{"listen on UDP over IPv6", func() error { return socket(unix.AF_INET6, unix.SOCK_DGRAM, 0) }},
	{"run timedatectl", func() error {
		out, err := exec.Command("timedatectl", "show", "--property=NTPSynchronized", "--value").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}},
}

func write(path string) error { return os.WriteFile(path, []byte("probe\n"), 0o600) }

func read(path string) error {
	_, err := os.ReadFile(path)
	return err
}

func open(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return unix.Close(fd)
}

func socket(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func listen(network, address string) error {
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	return l.Close()
}

func glob(pattern string) error {
	found, err := filepath.Glob(pattern)
	if err == nil && len(found) == 0 {
		return fmt.Errorf("%s: nothing there", pattern)
	}
	return err
}
