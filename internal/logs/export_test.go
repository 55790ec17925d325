package logs

import (
	"io"
	"log/slog"
)

// NewAt returns a logger for a journald that listens at path, with w for what it does
// not take.
func NewAt(path string, w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(&native{to: dialJournald(path), next: newHandler(w, level, appendPriority), level: level})
}
