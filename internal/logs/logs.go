// Package logs makes the daemon's one slog.Logger.
//
// There are three formats. Journal is for journald, which keeps the time and
// reads the level from a prefix; text is the same for people, with both
// written out; json is for machines. In the first two a line is the message
// and then key=value for each attribute, in the order in which they were
// given:
//
//	<6>command done part=device command=POWER index=1 arg=TOGGLE took=1.2ms
//	2026-01-31 09:05:00.042 WARN  session ended part=hub err="link lost: EOF" retry_in=1.4s
//
// A record is always one line and one write, whatever its values hold.
//
// Under systemd, with journal, the lines go to journald's own socket, with the
// attributes as fields as well (TASMOTA_RELAY=1) and, for the messages that the journal
// catalog explains, their MESSAGE_ID.
package logs

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
)

// The formats of New.
const (
	Auto    = "auto"    // Journal if the output goes to journald, else Text
	Journal = "journal" // priority prefix, no time
	Text    = "text"    // time and level
	JSON    = "json"    // one object a line
)

// New returns a logger that writes to w. A format that is none of the four is
// taken for Auto. The level may be a *slog.LevelVar, and then be changed at
// any time.
func New(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	under := toJournal(w, os.Getenv("JOURNAL_STREAM"))
	switch format {
	case Journal, Text, JSON:
	default:
		format = Text
		if under {
			format = Journal
		}
	}
	switch format {
	case Journal:
		lines := newHandler(w, level, appendPriority)
		if to := dialJournald(journalSocket); under && to != nil {
			return slog.New(&native{to: to, next: lines, level: level})
		}
		return slog.New(lines)
	case JSON:
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: readable}))
	default:
		return slog.New(newHandler(w, level, appendTimeAndLevel))
	}
}

// Last writes the error that ends the program, which no logger of New may be there
// to tell. The journal gets each of its lines as an error, people get it as it is.
func Last(w io.Writer, text string) error {
	if !toJournal(w, os.Getenv("JOURNAL_STREAM")) {
		_, err := fmt.Fprintln(w, text)
		return err
	}
	to := dialJournald(journalSocket)
	for line := range strings.SplitSeq(text, "\n") {
		if to != nil && to.write(append(append(appendHead(nil, slog.LevelError, lastID), "MESSAGE="+line...), '\n')) == nil {
			continue
		}
		if _, err := fmt.Fprintln(w, "<3>"+line); err != nil {
			return err
		}
	}
	return nil
}

// toJournal reports whether w is the stream to journald that systemd set up.
// It says which one that is by device and inode in $JOURNAL_STREAM
// (systemd.exec(5)), because the variable is inherited by programs whose
// output was sent elsewhere.
func toJournal(w io.Writer, stream string) bool {
	f, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// readable makes of a JSON attribute what the other formats show: a duration
// with its unit, and the words of a value that has some.
func readable(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value; v.Kind() {
	case slog.KindDuration:
		a.Value = slog.StringValue(v.Duration().String())
	case slog.KindAny:
		switch v.Any().(type) {
		case error, slog.Level: // slog writes their text itself
		case fmt.Stringer, fmt.Formatter:
			a.Value = slog.StringValue(fmt.Sprint(v.Any()))
		}
	}
	return a
}
