package logs

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// appendPriority appends the priority as a prefix of the line (sd-daemon(3)).
func appendPriority(b []byte, r slog.Record) []byte {
	return append(b, '<', priority(r.Level), '>')
}

// priority is the digit by which journald knows a level.
func priority(level slog.Level) byte {
	switch {
	case level >= slog.LevelError:
		return '3'
	case level >= slog.LevelWarn:
		return '4'
	case level >= slog.LevelInfo:
		return '6'
	}
	return '7'
}

func appendTimeAndLevel(b []byte, r slog.Record) []byte {
	if !r.Time.IsZero() {
		b = r.Time.AppendFormat(b, "2006-01-02 15:04:05.000 ")
	}
	level := r.Level.String()
	b = append(b, level...)
	return append(b, "      "[min(len(level), 5):]...) // in one column
}

// appendMessage appends the message without quotes, and what would break the
// line as an escape.
func appendMessage(b []byte, message string) []byte {
	if isPlain(message, true) {
		return append(b, message...)
	}
	start := len(b)
	b = strconv.AppendQuote(b, message)
	return append(b[:start], b[start+1:len(b)-1]...)
}

// appendAttr appends " key=value", and for a group as many as it has.
func appendAttr(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if a.Key == "" && v.Kind() == slog.KindAny && v.Any() == nil {
		return b // slog's rule: an empty Attr is ignored
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			b = appendAttr(b, group, inner)
		}
		return b
	}
	b = append(b, ' ')
	b = appendKey(b, group)
	b = appendKey(b, a.Key)
	b = append(b, '=')
	return appendValue(b, v)
}

func appendKey(b []byte, key string) []byte {
	if isPlain(key, false) && !strings.Contains(key, `"`) {
		return append(b, key...)
	}
	return strconv.AppendQuote(b, key)
}

func appendValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendText(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindFloat64:
		return strconv.AppendFloat(b, v.Float64(), 'g', -1, 64)
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool())
	case slog.KindDuration:
		return appendDuration(b, v.Duration())
	case slog.KindTime:
		return v.Time().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	}
	if text, ok := v.Any().([]byte); ok {
		return appendText(b, string(text))
	}
	// fmt calls Error or String, and survives it if they panic.
	return appendText(b, fmt.Sprint(v.Any()))
}

// maxText is how much of a text is shown, in bytes. A line of journald has
// 48 KiB at most; what is longer becomes a record of its own.
const maxText = 2 << 10

// appendText appends text, in quotes if it is not a single plain word.
func appendText(b []byte, text string) []byte {
	rest := 0
	if len(text) > maxText {
		cut := maxText
		for cut > maxText-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text, rest = text[:cut], len(text)-cut
	}
	if text != "" && text[0] != '"' && isPlain(text, false) {
		b = append(b, text...)
	} else {
		b = strconv.AppendQuote(b, text)
	}
	if rest > 0 {
		b = fmt.Appendf(b, "…(%d bytes more)", rest)
	}
	return b
}

// isPlain reports whether text can stand in a line as it is. Blanks and equals
// signs may be in a message, but not in a word. A quote may be in both: a word
// ends at the next blank, and so an answer such as {"POWER":"ON"} reads as sent.
func isPlain(text string, message bool) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= utf8.RuneSelf:
			return isPrintable(text[i:], message)
		case c < ' ', c == 0x7f, !message && (c == ' ' || c == '=' || c == '\\'):
			return false
		}
	}
	return true
}

// isPrintable is isPlain for text that is not ASCII.
func isPrintable(text string, message bool) bool {
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) || !message && (r == ' ' || r == '=' || r == '\\') {
			return false
		}
	}
	return true
}

// appendDuration appends d with two or three digits that matter, such as
// 1h30m, 45s, 1.4s, 12.3ms.
func appendDuration(b []byte, d time.Duration) []byte {
	if d < 0 {
		if d == -d { // the most negative duration has no positive one
			d++
		}
		return appendDuration(append(b, '-'), -d)
	}
	switch {
	case d >= time.Minute:
		return appendClock(b, d.Round(time.Second))
	case d >= time.Second:
		return appendTenths(b, d, time.Second, "s")
	case d >= time.Millisecond:
		return appendTenths(b, d, time.Millisecond, "ms")
	case d >= time.Microsecond:
		return appendTenths(b, d, time.Microsecond, "µs")
	case d == 0:
		return append(b, "0s"...)
	}
	return append(strconv.AppendInt(b, int64(d), 10), "ns"...)
}

// appendClock appends whole seconds as hours, minutes and seconds, without
// those that are zero.
func appendClock(b []byte, d time.Duration) []byte {
	if h := d / time.Hour; h > 0 {
		b = append(strconv.AppendInt(b, int64(h), 10), 'h')
	}
	if m := d % time.Hour / time.Minute; m > 0 {
		b = append(strconv.AppendInt(b, int64(m), 10), 'm')
	}
	if s := d % time.Minute / time.Second; s > 0 {
		b = append(strconv.AppendInt(b, int64(s), 10), 's')
	}
	return b
}

// appendTenths appends d in a unit, with one decimal unless that is zero.
func appendTenths(b []byte, d, unit time.Duration, name string) []byte {
	tenths := int64(d.Round(unit/10) / (unit / 10))
	b = strconv.AppendInt(b, tenths/10, 10)
	if tenths%10 != 0 {
		b = append(b, '.', byte('0'+tenths%10))
	}
	return append(b, name...)
}
