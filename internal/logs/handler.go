package logs

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
)

// A handler writes one line for each record.
type handler struct {
	out   *output
	level slog.Leveler
	head  func([]byte, slog.Record) []byte // appends what stands before the message
	attrs []byte                           // of With, as they are written
	group string                           // of WithGroup, ending in a dot
}

func newHandler(w io.Writer, level slog.Leveler, head func([]byte, slog.Record) []byte) *handler {
	return &handler{out: &output{w: w}, level: level, head: head}
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	line := h.head(h.out.take(), r)
	line = appendMessage(line, r.Message)
	line = append(line, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		line = appendAttr(line, h.group, a)
		return true
	})
	return h.out.write(append(line, '\n'))
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		with.attrs = appendAttr(with.attrs, h.group, a)
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.group += name + "."
	return &with
}

// An output writes whole lines, one at a time. It keeps the buffer of the
// last line for the next.
type output struct {
	mu    sync.Mutex
	w     io.Writer
	spare []byte
}

// take returns an empty buffer, which belongs to the caller until it is
// written. Another goroutine gets another one.
func (o *output) take() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.spare
	o.spare = nil
	return b[:0]
}

// maxSpare is the largest buffer that is kept, in bytes.
const maxSpare = 8 << 10

func (o *output) write(line []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := o.w.Write(line)
	if cap(line) <= maxSpare {
		o.spare = line
	}
	return err
}
