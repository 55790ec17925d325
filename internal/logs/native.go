package logs

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// journalSocket is where journald takes entries with fields, one in a datagram
// (Native Journal Protocol, systemd.io/JOURNAL_NATIVE_PROTOCOL).
const journalSocket = "/run/systemd/journal/socket"

// sendWithin is how long an entry may wait for a journald that is busy. The relays'
// loop waits as long.
const sendWithin = 100 * time.Millisecond

// identifier is by what journalctl -t finds the entries.
const identifier = "tasmota-azd"

// A native handler sends each record to journald, with a field for each attribute
// beside the line. What journald does not take becomes a line of next.
type native struct {
	to     *journald
	next   slog.Handler
	level  slog.Leveler
	attrs  []byte // of With, as in the line
	fields []byte // the same, as fields
	group  string
}

// Enabled implements slog.Handler.
func (h *native) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// Handle implements slog.Handler.
func (h *native) Handle(ctx context.Context, r slog.Record) error {
	entry := appendHead(h.to.take(), r.Level, messageIDs[r.Message])
	entry = appendMessage(append(entry, "MESSAGE="...), r.Message)
	entry = append(entry, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		entry = appendAttr(entry, h.group, a)
		return true
	})
	entry = append(append(entry, '\n'), h.fields...)
	r.Attrs(func(a slog.Attr) bool {
		entry = appendFields(entry, h.group, a)
		return true
	})
	if h.to.write(entry) != nil {
		return h.next.Handle(ctx, r)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (h *native) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.next = h.next.WithAttrs(attrs)
	with.attrs, with.fields = slices.Clone(h.attrs), slices.Clone(h.fields)
	for _, a := range attrs {
		with.attrs = appendAttr(with.attrs, h.group, a)
		with.fields = appendFields(with.fields, h.group, a)
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *native) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.next = h.next.WithGroup(name)
	with.group += name + "."
	return &with
}

// appendHead appends the fields that every entry has.
func appendHead(b []byte, level slog.Level, id string) []byte {
	b = append(b, "PRIORITY="...)
	b = append(b, priority(level), '\n')
	b = append(b, "SYSLOG_IDENTIFIER="+identifier+"\n"...)
	if id != "" {
		b = append(append(append(b, "MESSAGE_ID="...), id...), '\n')
	}
	return b
}

// appendFields appends an attribute as a field TASMOTA_KEY. A cause becomes two more:
// the door and what the sender calls the wish.
func appendFields(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			b = appendFields(b, group, inner)
		}
		return b
	}
	if a.Key == "" {
		return b
	}
	b = appendField(b, group+a.Key, v)
	if a.Key == "cause" && v.Kind() == slog.KindString {
		door, id, named := strings.Cut(v.String(), " ")
		b = appendField(b, "door", slog.StringValue(door))
		if named {
			b = appendField(b, "mid", slog.StringValue(id))
		}
	}
	return b
}

// maxName is the longest name of a field that journald takes.
const maxName = 64

func appendField(b []byte, key string, v slog.Value) []byte {
	start := len(b)
	b = append(b, "TASMOTA_"...)
	for i := 0; i < len(key) && len(b)-start < maxName; i++ {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z':
			b = append(b, c-'a'+'A')
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			b = append(b, c)
		default:
			b = append(b, '_')
		}
	}
	var text string
	switch v.Kind() {
	case slog.KindString:
		text = v.String()
	case slog.KindAny: // fmt calls Error or String, and survives it if they panic
		text = fmt.Sprint(v.Any())
	default: // one line
		return append(appendValue(append(b, '='), v), '\n')
	}
	if len(text) > maxText {
		text = text[:maxText]
	}
	if !strings.Contains(text, "\n") {
		return append(append(append(b, '='), text...), '\n')
	}
	b = binary.LittleEndian.AppendUint64(append(b, '\n'), uint64(len(text)))
	return append(append(b, text...), '\n')
}

// A journald takes entries, one at a time.
type journald struct {
	output
	conn *net.UnixConn
	path net.UnixAddr
}

// dialJournald returns where entries go, or nil if there is no journald. The socket
// stays unconnected: it then finds one that was made anew.
func dialJournald(path string) *journald {
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return nil
	}
	j := &journald{conn: conn, path: net.UnixAddr{Name: path, Net: "unixgram"}}
	j.output.w = j
	return j
}

// Write sends one entry.
func (j *journald) Write(entry []byte) (int, error) {
	if err := j.conn.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return 0, err
	}
	return j.conn.WriteToUnix(entry, &j.path)
}
