package commands

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// An object is a JSON object being written, one member after the other, in the
// order and with the bytes the language reference gives. Its zero value is
// ready.
type object struct{ b []byte }

func (o *object) key(k string) {
	switch {
	case len(o.b) == 0:
		o.b = append(o.b, '{')
	case o.b[len(o.b)-1] != '{':
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, k...)
	o.b = append(o.b, '"', ':')
}

func (o *object) text(k, v string) {
	o.key(k)
	o.b = appendText(o.b, v)
}

func (o *object) number(k string, v int) {
	o.key(k)
	o.b = strconv.AppendInt(o.b, int64(v), 10)
}

// raw writes a member whose value is JSON already.
func (o *object) raw(k, v string) {
	o.key(k)
	o.b = append(o.b, v...)
}

func (o *object) texts(k string, vs ...string) {
	o.key(k)
	o.b = append(o.b, '[')
	for i, v := range vs {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendText(o.b, v)
	}
	o.b = append(o.b, ']')
}

// open begins an inner object, which close ends.
func (o *object) open(k string) {
	o.key(k)
	o.b = append(o.b, '{')
}

func (o *object) close() {
	o.b = append(o.b, '}')
}

// String ends the object and returns it.
func (o *object) String() string {
	if len(o.b) == 0 {
		return "{}"
	}
	return string(append(o.b, '}'))
}

// appendText appends s as a JSON string.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s, len(s)*len(`\u0000`))
	return append(b, '"')
}

// appendEscaped appends what may stand between the quotes of a JSON string,
// as many whole characters of s as fit into limit bytes. Bytes that are no
// UTF-8 become U+FFFD. Characters that JSON allows are not escaped.
func appendEscaped(b []byte, s string, limit int) []byte {
	limit += len(b)
	for len(s) > 0 {
		before := len(b)
		r, size := utf8.DecodeRuneInString(s)
		b = appendRune(b, r)
		if len(b) > limit {
			return b[:before]
		}
		s = s[size:]
	}
	return b
}

func appendRune(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	if r < ' ' {
		return fmt.Appendf(b, `\u%04x`, r)
	}
	return utf8.AppendRune(b, r)
}
