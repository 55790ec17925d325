package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/slogtest"
	"time"

	"tasmota-azd/internal/logs"
	"tasmota-azd/internal/token"
)

type stringer struct{ Secret string }

func (stringer) String() string { return "c2d 7f0e" }

type panics struct{}

func (panics) Error() string { panic("no") }

// TestLines holds each kind of value in the journal's format, which has
// nothing before the message but the prefix.
func TestLines(t *testing.T) {
	key, err := token.ParseKey("Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 31, 9, 5, 0, 42e6, time.FixedZone("", 3600))
	for _, tt := range []struct {
		want string
		log  func(*slog.Logger)
	}{
		{`<6>command done part=device command=POWER index=1 arg=TOGGLE took=1.2ms`, func(l *slog.Logger) {
			l.With("part", "device").Info("command done", "command", "POWER", "index", 1, "arg", "TOGGLE", "took", 1234*time.Microsecond)
		}},
		{`<4>session ended err="link lost: EOF" retry_in=1.4s`, func(l *slog.Logger) {
			l.Warn("session ended", "err", fmt.Errorf("link lost: %w", io.EOF), "retry_in", 1423*time.Millisecond)
		}},
		{`<3>x`, func(l *slog.Logger) { l.Error("x") }},
		{`<7>x`, func(l *slog.Logger) { l.Debug("x") }},
		{`<3>x`, func(l *slog.Logger) { l.Log(context.Background(), slog.LevelError+4, "x") }},
		{`<6>x`, func(l *slog.Logger) { l.Log(context.Background(), slog.LevelInfo+1, "x") }},
		{`<7>x`, func(l *slog.Logger) { l.Log(context.Background(), slog.LevelInfo-1, "x") }},
		{`<6>two\nlines a="1\n<3>2" b="\x1b[31m" "k\n"=1`, func(l *slog.Logger) { l.Info("two\nlines", "a", "1\n<3>2", "b", "\x1b[31m", "k\n", 1) }},
		{`<6>"quoted" a=b a="" b=ä c="ä ö" d="a=b" e="\"" f="\\" g="\xff" h="a b"`, func(l *slog.Logger) {
			l.Info(`"quoted" a=b`, "a", "", "b", "ä", "c", "ä ö", "d", "a=b", "e", `"`, "f", `\`, "g", "\xff", "h", "a b")
		}},
		{`<6>x i=-1 u=18446744073709551615 f=1.5 b=true t=2026-01-31T09:05:00.042+01:00 n=<nil> y=bytes s="[a b]" l=WARN`, func(l *slog.Logger) {
			l.Info("x", "i", -1, "u", uint64(math.MaxUint64), "f", 1.5, "b", true, "t", at, "n", nil, "y", []byte("bytes"), "s", []string{"a", "b"}, "l", slog.LevelWarn)
		}},
		{`<6>x result={"POWER1":"ON"} spoof="{\"a\":1} on=true"`, func(l *slog.Logger) {
			l.Info("x", "result", `{"POWER1":"ON"}`, "spoof", `{"a":1} on=true`)
		}},
		{`<6>x cause="c2d 7f0e" key=[key]`, func(l *slog.Logger) { l.Info("x", "cause", stringer{"CANARY"}, "key", key) }},
		{`<6>x err="%!v(PANIC=Error method: no)"`, func(l *slog.Logger) { l.Info("x", "err", panics{}) }},
		{`<6>x err=<nil>`, func(l *slog.Logger) { l.Info("x", "err", (*os.PathError)(nil)) }},
		{`<6>x a=1 g.b=2 g.h.c=3 g.d=4`, func(l *slog.Logger) {
			l.With("a", 1).WithGroup("g").With("b", 2).Info("x", slog.Group("h", "c", 3), "d", 4, slog.Group("empty"))
		}},
		{`<6>x z=1 a=2 z=3`, func(l *slog.Logger) { l.With("z", 1).Info("x", "a", 2, "z", 3) }},
		{`<6>x a=` + strings.Repeat("a", 2048) + "…(10 bytes more)", func(l *slog.Logger) { l.Info("x", "a", strings.Repeat("a", 2058)) }},
		{`<6>x a=a` + strings.Repeat("ä", 1023) + "…(3 bytes more)", func(l *slog.Logger) { l.Info("x", "a", "a"+strings.Repeat("ä", 1024)+"b") }},
	} {
		var out bytes.Buffer
		tt.log(logs.New(&out, logs.Journal, slog.LevelDebug))
		if got := out.String(); got != tt.want+"\n" {
			t.Errorf("got:\n%swant:\n%s", got, tt.want)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1: "1ns", 999: "999ns", 1500: "1.5µs", 12345 * time.Microsecond: "12.3ms", 999 * time.Millisecond: "999ms",
		time.Second: "1s", 1423 * time.Millisecond: "1.4s", 59 * time.Second: "59s", time.Minute: "1m", 65*time.Second + 400*time.Millisecond: "1m5s",
		time.Hour: "1h", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h1s", 50 * time.Hour: "50h", -1500 * time.Millisecond: "-1.5s",
		math.MinInt64: "-2562047h47m16s", math.MaxInt64: "2562047h47m16s",
	} {
		var out bytes.Buffer
		logs.New(&out, logs.Journal, slog.LevelInfo).Info("x", "d", d)
		if got := strings.TrimSuffix(strings.TrimPrefix(out.String(), "<6>x d="), "\n"); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG x", slog.LevelInfo: "INFO  x", slog.LevelWarn: "WARN  x", slog.LevelError: "ERROR x", slog.LevelInfo + 2: "INFO+2 x",
	} {
		var out bytes.Buffer
		h := logs.New(&out, logs.Text, slog.LevelDebug).Handler()
		at := time.Date(2026, 1, 31, 9, 5, 0, 42_900_000, time.Local)
		if err := h.Handle(t.Context(), slog.NewRecord(at, level, "x", 0)); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != "2026-01-31 09:05:00.042 "+want+"\n" {
			t.Errorf("%q, want the time and %q", got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	logs.New(&out, logs.JSON, slog.LevelInfo).Info("command done", "took", 1234*time.Microsecond, "err", io.EOF, "cause", stringer{"CANARY"}, "n", 1, "none", nil)
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "time")
	want := map[string]any{"level": "INFO", "msg": "command done", "took": "1.234ms", "err": "EOF", "cause": "c2d 7f0e", "n": 1.0, "none": nil}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestAuto holds that journald is recognised by its stream alone.
func TestAuto(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	mine := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	for _, tt := range []struct {
		name, stream, format string
		w                    io.Writer
		journal              bool
	}{
		{"the stream", mine, logs.Auto, f, true},
		{"no format", mine, "", f, true},
		{"another stream", fmt.Sprintf("%d:%d", st.Dev, st.Ino+1), logs.Auto, f, false},
		{"no stream", "", logs.Auto, f, false},
		{"nonsense", "journal", logs.Auto, f, false},
		{"text wanted", mine, logs.Text, f, false},
		{"journal wanted", "", logs.Journal, f, true},
		{"not a file", mine, logs.Auto, &bytes.Buffer{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("JOURNAL_STREAM", tt.stream)
			if err := f.Truncate(0); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			logs.New(tt.w, tt.format, slog.LevelInfo).Info("x")
			got, err := os.ReadFile(f.Name())
			if b, ok := tt.w.(*bytes.Buffer); ok {
				got = b.Bytes()
			}
			if err != nil || bytes.Equal(got, []byte("<6>x\n")) != tt.journal || !tt.journal && !bytes.HasSuffix(got, []byte(" INFO  x\n")) {
				t.Errorf("%q (%v); journal: %v", got, err, tt.journal)
			}
		})
	}
}

func TestLevelChanges(t *testing.T) {
	for _, format := range []string{logs.Journal, logs.Text, logs.JSON} {
		var out bytes.Buffer
		var level slog.LevelVar
		log := logs.New(&out, format, &level).With("part", "hub")
		log.Debug("hidden")
		level.Set(slog.LevelDebug)
		log.Debug("shown")
		level.Set(slog.LevelError)
		log.Warn("hidden")
		if got := out.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "shown") {
			t.Errorf("%s: %q", format, got)
		}
	}
}

// TestSlog runs the tests that come with log/slog for handlers.
func TestSlog(t *testing.T) {
	for format, parse := range map[string]func(*testing.T, string) map[string]any{logs.Text: parseText, logs.JSON: parseJSON} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			slogtest.Run(t, func(*testing.T) slog.Handler {
				out.Reset()
				return logs.New(&out, format, slog.LevelInfo).Handler()
			}, func(t *testing.T) map[string]any { return parse(t, out.String()) })
		})
	}
}

func parseJSON(t *testing.T, line string) (m map[string]any) {
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

var (
	textLine = regexp.MustCompile(`^(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) )?([A-Z]+) +(\w+)((?: \S+=\S+)*)\n$`)
	pair     = regexp.MustCompile(` (\S+)=(\S+)`)
)

func parseText(t *testing.T, line string) map[string]any {
	m := textLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("not a line: %q", line)
	}
	all := map[string]any{slog.LevelKey: m[2], slog.MessageKey: m[3]}
	if m[1] != "" {
		all[slog.TimeKey] = m[1]
	}
	for _, p := range pair.FindAllStringSubmatch(m[4], -1) {
		group := all
		path := strings.Split(p[1], ".")
		for _, name := range path[:len(path)-1] {
			if group[name] == nil {
				group[name] = map[string]any{}
			}
			group = group[name].(map[string]any)
		}
		group[path[len(path)-1]] = p[2]
	}
	return all
}

// A lineWriter fails if it is written to by two at once, or not whole lines.
type lineWriter struct {
	t     *testing.T
	mu    sync.Mutex
	lines int
}

func (w *lineWriter) Write(p []byte) (int, error) {
	if !w.mu.TryLock() {
		w.t.Error("two lines are written at once")
		return len(p), nil
	}
	defer w.mu.Unlock()
	if !bytes.HasSuffix(p, []byte("\n")) || bytes.Count(p, []byte("\n")) != 1 || !bytes.HasPrefix(p, []byte("<6>x who=")) {
		w.t.Errorf("not a line: %q", p)
	}
	w.lines++
	return len(p), nil
}

func TestManyWriters(t *testing.T) {
	w := &lineWriter{t: t}
	log := logs.New(w, logs.Journal, slog.LevelInfo)
	var group sync.WaitGroup
	for who := range 8 {
		group.Go(func() {
			log := log.With("who", who)
			for i := range 100 {
				log.Info("x", "i", i, "pad", strings.Repeat("p", i))
			}
		})
	}
	group.Wait()
	if w.lines != 800 {
		t.Errorf("%d lines, want 800", w.lines)
	}
}

// A talker logs while it is being logged.
type talker struct{ log *slog.Logger }

func (t talker) String() string {
	t.log.Info("inner", "n", 1)
	return "talked"
}

func TestLogsWhileLogged(t *testing.T) {
	var out bytes.Buffer
	log := logs.New(&out, logs.Journal, slog.LevelInfo)
	log.Info("make a buffer to spare")
	out.Reset()
	log.Info("outer", "a", 1, "t", talker{log})
	if got, want := out.String(), "<6>inner n=1\n<6>outer a=1 t=talked\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWithIsACopy holds that two loggers made of one do not share attributes.
func TestWithIsACopy(t *testing.T) {
	var out bytes.Buffer
	log := logs.New(&out, logs.Journal, slog.LevelInfo).With("a", 1).With("b", 2).With("c", 3)
	one, two := log.With("d", 4), log.With("e", 5)
	one.Info("x")
	two.Info("x")
	if got, want := out.String(), "<6>x a=1 b=2 c=3 d=4\n<6>x a=1 b=2 c=3 e=5\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("on fire") }

func TestWriteError(t *testing.T) {
	h := logs.New(failing{}, logs.Journal, slog.LevelInfo).Handler()
	if err := h.Handle(t.Context(), slog.Record{Message: "x"}); err == nil {
		t.Error("the error is lost")
	}
}

// TestNoGarbage holds that the line which is written for each command makes
// no work for the garbage collector.
func TestNoGarbage(t *testing.T) {
	log := logs.New(io.Discard, logs.Journal, slog.LevelInfo).With("part", "device")
	got := testing.AllocsPerRun(100, func() {
		log.LogAttrs(context.Background(), slog.LevelInfo, "command done", slog.String("command", "POWER"), slog.Int("index", 1),
			slog.String("arg", "TOGGLE now"), slog.Duration("took", 1234567), slog.Bool("done", true))
	})
	if got > 0 {
		t.Errorf("%v allocations for a line, want none", got)
	}
}

func BenchmarkLine(b *testing.B) {
	log := logs.New(io.Discard, logs.Journal, slog.LevelInfo).With("part", "device")
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(context.Background(), slog.LevelInfo, "command done", slog.String("command", "POWER"), slog.Int("index", 1),
			slog.String("arg", "TOGGLE now"), slog.Duration("took", 1234567), slog.Bool("done", true))
	}
}

// FuzzLine holds that a record is one line of printable text, whatever the
// cloud sends.
func FuzzLine(f *testing.F) {
	f.Add("command done", "arg", "TOGGLE")
	f.Add("a\nb", "k=\n", "<3>\r\n\x00\u2028\u202e")
	f.Add("", "", "")
	f.Add("\xff", "\xff", strings.Repeat("\xff", 5000))
	f.Fuzz(func(t *testing.T, message, key, value string) {
		var out bytes.Buffer
		logs.New(&out, logs.Journal, slog.LevelInfo).Info(message, key, value)
		line := strings.TrimSuffix(out.String(), "\n")
		if !strings.HasPrefix(line, "<6>") || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u202e' }) {
			t.Errorf("%q", line)
		}
	})
}

func TestLast(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &s); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ stream, want string }{
		{"", "a:1: x\na:2: y\n"},
		{fmt.Sprintf("%d:%d", s.Dev, s.Ino), "<3>a:1: x\n<3>a:2: y\n"},
	} {
		t.Setenv("JOURNAL_STREAM", tt.stream)
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if err := logs.Last(f, "a:1: x\na:2: y"); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f.Name()); err != nil || string(got) != tt.want {
			t.Errorf("stream %q: %q (%v), want %q", tt.stream, got, err, tt.want)
		}
	}
}
