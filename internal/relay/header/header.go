// Package header knows the names of the pins on the 40-pin header that every
// Raspberry Pi since the B+ carries, as periph.io writes them.
//
// A pin has three names: GPIO17, by the number Broadcom gave it; 17, the number
// alone; and P1_11, by its place on the header. The first is its proper name.
package header

import (
	"strconv"
	"strings"
)

// gpio gives the GPIO number at each place of the header, -1 where there is
// power or ground. Place 0 does not exist. Source: the header table of periph's
// package rpi, which follows the Raspberry Pi documentation.
var gpio = [41]int{
	-1,
	-1, -1, // 1, 2
	2, -1, 3, -1, 4, 14, -1, 15, // 3 to 10
	17, 18, 27, -1, 22, 23, -1, 24, 10, -1, // 11 to 20
	9, 25, 11, 8, -1, 7, 0, 1, 5, -1, // 21 to 30
	6, 12, 13, -1, 19, 16, 26, 20, -1, 21, // 31 to 40
}

// count is the number of GPIOs on the header: GPIO0 to GPIO27, no gaps.
const count = 28

// Proper returns the proper name of the pin called name, such as GPIO17 for
// 17, GPIO17 and P1_11. It returns false if the header has no such pin.
func Proper(name string) (string, bool) {
	n := -1
	if place, ok := strings.CutPrefix(name, "P1_"); ok {
		if i := number(place); i > 0 && i < len(gpio) {
			n = gpio[i]
		}
	} else {
		n = number(strings.TrimPrefix(name, "GPIO"))
	}
	if n < 0 || n >= count {
		return "", false
	}
	return "GPIO" + strconv.Itoa(n), true
}

// Names returns every name but the bare numbers: GPIO0 to GPIO27, then P1_3 to
// P1_40.
func Names() []string {
	var names []string
	for n := range count {
		names = append(names, "GPIO"+strconv.Itoa(n))
	}
	for place, n := range gpio {
		if n >= 0 {
			names = append(names, "P1_"+strconv.Itoa(place))
		}
	}
	return names
}

// number reads a decimal number as strconv.Itoa would write it, or returns -1.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s {
		return -1
	}
	return n
}
