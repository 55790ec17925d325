package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"tasmota-azd/internal/relay/gpiochip"
)

// setValues is GPIO_V2_LINE_SET_VALUES_IOCTL of linux/gpio.h.
const setValues = 0xc010b40f

// A bare line is set by nothing but the ioctl.
type bare struct{ file *os.File }

func newBare(name string) (bare, error) {
	chips, err := gpiochip.List()
	if err != nil {
		return bare{}, err
	}
	place, err := gpiochip.Match(chips, name)
	if err != nil {
		return bare{}, err
	}
	line, err := gpiochip.Request(place, gpiochip.Output{})
	if err != nil {
		return bare{}, err
	}
	return bare{line.File()}, nil
}

func (b bare) set(high bool) error {
	values := struct{ bits, mask uint64 }{mask: 1} // struct gpio_v2_line_values
	if high {
		values.bits = 1
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, b.file.Fd(), setValues, uintptr(unsafe.Pointer(&values))); errno != 0 {
		return errno
	}
	return nil
}
