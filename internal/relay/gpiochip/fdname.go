package gpiochip

import (
	"fmt"
	"strconv"
	"strings"
)

// Over a restart, a line's file waits in systemd's store, where it has a name and
// nothing else: "relay-", the chip's label, "-", the offset. systemd takes up to 255
// printable characters without a colon (sd_pid_notify_with_fds, FDNAME), so what
// a label may have beyond that is written as %3a.
const fdPrefix = "relay-"

// FDName is the place as a name for systemd's store: "relay-pinctrl-bcm2835-17".
func (p Place) FDName() string {
	var b strings.Builder
	b.WriteString(fdPrefix)
	for _, c := range []byte(p.Label) {
		if c <= ' ' || c > '~' || c == ':' || c == '%' {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String() + "-" + strconv.Itoa(p.Offset)
}

// IsFDName tells whether a name in systemd's store is one of a line.
func IsFDName(name string) bool {
	_, _, ok := parseFDName(name)
	return ok
}

// maxFDName is the length at which systemd stops.
const maxFDName = 255

func parseFDName(name string) (label string, offset int, ok bool) {
	rest, ok := strings.CutPrefix(name, fdPrefix)
	dash := strings.LastIndexByte(rest, '-')
	if !ok || dash < 0 || len(name) > maxFDName {
		return "", 0, false
	}
	if offset, ok = number(rest[dash+1:]); !ok {
		return "", 0, false
	}
	var b strings.Builder
	for i := 0; i < dash; i++ {
		c := rest[i]
		if c == '%' {
			if dash-i < 3 {
				return "", 0, false
			}
			n, err := strconv.ParseUint(rest[i+1:i+3], 16, 8)
			if err != nil {
				return "", 0, false
			}
			c, i = byte(n), i+2
		}
		b.WriteByte(c)
	}
	p := Place{Label: b.String(), Offset: offset}
	return p.Label, offset, p.FDName() == name // one name for one place
}
