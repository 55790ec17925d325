package commands

import (
	"math"
	"strings"
)

// binaryIndex is the lowest index that makes an argument binary: it is neither
// trimmed nor read as a number (language reference, 1.4-4).
const binaryIndex = 300

// blanks are what C calls white space.
const blanks = " \t\n\v\f\r"

// Parse takes a command apart (language reference, 1.4). Only what follows the
// last "/" of topic counts, so "power2", "/power2" and "cmnd/any/POWER2" are
// the same.
func Parse(topic, payload string) Command {
	word := topic[strings.LastIndexByte(topic, '/')+1:]
	name := strings.TrimRight(word, "0123456789")
	c := Command{Name: upper(name), Index: 1, Arg: payload}
	if digits := word[len(name):]; digits != "" {
		c.Index, c.Indexed = index(digits), true
	}
	if len(c.Name) > 1 && c.Name[0] == '_' {
		c.Name, c.Silent = c.Name[1:], true
	}
	if c.Index < binaryIndex {
		c.Arg = strings.TrimLeft(payload, blanks)
		if c.Arg == "?" {
			c.Arg = ""
		}
	}
	return c
}

// upper changes ASCII letters only: no command has others, and a foreign word
// is to be quoted as it came.
func upper(s string) string {
	for i := range len(s) {
		if c := s[i]; 'a' <= c && c <= 'z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'a' <= b[i] && b[i] <= 'z' {
					b[i] -= 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// index reads decimal digits, stopping at the largest 32-bit number.
func index(digits string) int {
	var n int64
	for _, d := range []byte(digits) {
		n = min(n*10+int64(d-'0'), math.MaxInt32)
	}
	return int(n)
}

// number returns the numeric value of the argument, and whether it has one
// (language reference, 1.4-8).
func (c *Command) number() (n int, ok bool) {
	if c.Index >= binaryIndex || c.Arg == "" {
		return 0, false
	}
	if n, ok := stateWord(c.Arg); ok {
		return n, true
	}
	return leadingNumber(c.Arg)
}

// stateWord returns the value of a word that stands for a number.
func stateWord(s string) (n int, ok bool) {
	if len(s) > len("FAHRENHEIT") {
		return 0, false
	}
	switch upper(s) {
	case "OFF", "FALSE", "STOP", "DOWN", "CLOSE", "CELSIUS":
		return 0, true
	case "ON", "TRUE", "START", "USER", "FAHRENHEIT":
		return 1, true
	case "TOGGLE", "ADMIN":
		return 2, true
	case "BLINK":
		return 3, true
	case "BLINKOFF":
		return 4, true
	case "UP", "OPEN":
		return 100, true
	case "ALL":
		return 255, true
	}
	return 0, false
}

// leadingNumber reads the number s begins with, as C's strtol does with base 0:
// decimal, hexadecimal behind "0x", octal behind "0", whatever follows is
// ignored, and what is too large for 32 bits becomes the largest there is.
func leadingNumber(s string) (n int, ok bool) {
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	base := 10
	switch {
	case len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && digit(s[2]) < 16:
		base, s = 16, s[2:]
	case strings.HasPrefix(s, "0"):
		base = 8
	}
	var size int64
	for len(s) > 0 && digit(s[0]) < base {
		size = min(size*int64(base)+int64(digit(s[0])), math.MaxInt32)
		s, ok = s[1:], true
	}
	if negative {
		size = -size
	}
	return int(size), ok
}

// digit returns the value of a digit in any base up to 16, and 99 for what is
// none.
func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 99
}
