package logs_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/logs"
	"tasmota-azd/internal/token"
)

// journald stands in for the one of systemd: it returns a path, and what came there.
func journald(t testing.TB) (path string, next func() string, conn *net.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "logs") // a path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "socket")
	conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, func() string {
		b := make([]byte, 1<<16)
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}, conn
}

func TestNative(t *testing.T) {
	key, err := token.ParseKey("Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ")
	if err != nil {
		t.Fatal(err)
	}
	path, next, _ := journald(t)
	var rest bytes.Buffer
	log := logs.NewAt(path, &rest, slog.LevelInfo)
	for _, tt := range []struct {
		want string
		log  func(*slog.Logger)
	}{
		{"PRIORITY=6\nSYSLOG_IDENTIFIER=tasmota-azd\nMESSAGE_ID=c\nMESSAGE=relay switched part=relay relay=1 on=true cause=\"c2d 7f0e\"\n" +
			"TASMOTA_PART=relay\nTASMOTA_RELAY=1\nTASMOTA_ON=true\nTASMOTA_CAUSE=c2d 7f0e\nTASMOTA_DOOR=c2d\nTASMOTA_MID=7f0e\n", func(l *slog.Logger) {
			l.With("part", "relay").Info("relay switched", "relay", 1, "on", true, "cause", "c2d 7f0e")
		}},
		{"PRIORITY=4\nSYSLOG_IDENTIFIER=tasmota-azd\nMESSAGE=x err=\"a: EOF\" took=1.2ms cause=stop\n" +
			"TASMOTA_ERR=a: EOF\nTASMOTA_TOOK=1.2ms\nTASMOTA_CAUSE=stop\nTASMOTA_DOOR=stop\n", func(l *slog.Logger) {
			l.Warn("x", "err", errors.New("a: "+io.EOF.Error()), "took", 1234*time.Microsecond, "cause", "stop")
		}},
		{"PRIORITY=3\nSYSLOG_IDENTIFIER=tasmota-azd\nMESSAGE=a\\nb g.k-1=\"1\\nPRIORITY=0\" key=[key]\n" +
			"TASMOTA_G_K_1\n\x0c\x00\x00\x00\x00\x00\x00\x001\nPRIORITY=0\nTASMOTA_KEY=[key]\n", func(l *slog.Logger) {
			l.Error("a\nb", slog.Group("g", "k-1", "1\nPRIORITY=0"), "key", key)
		}},
		{"PRIORITY=6\nSYSLOG_IDENTIFIER=tasmota-azd\nMESSAGE=x w.a=1\nTASMOTA_W_A=1\n", func(l *slog.Logger) { l.WithGroup("w").Info("x", "a", 1) }},
	} {
		tt.log(log)
		got := next()
		if i := strings.Index(got, "MESSAGE_ID="); i >= 0 { // which one the test of the catalog holds
			got = got[:i] + "MESSAGE_ID=c" + got[i+len("MESSAGE_ID=")+32:]
		}
		if got != tt.want {
			t.Errorf("got:\n%q\nwant:\n%q", got, tt.want)
		}
	}
	log.Debug("hidden")
	if rest.Len() > 0 {
		t.Errorf("not taken: %s", &rest)
	}
}

// What journald does not take, because it is gone or does not read, is a line as before.
func TestNativeGone(t *testing.T) {
	path, _, conn := journald(t)
	var rest bytes.Buffer
	log := logs.NewAt(path, &rest, slog.LevelInfo).With("part", "hub")
	for range 10_000 {
		if log.Info("x", "a", 1); rest.Len() > 0 {
			break
		}
	}
	if rest.String() != "<6>x part=hub a=1\n" {
		t.Errorf("journald does not read: %q", &rest)
	}
	rest.Reset()
	conn.Close()
	if log.WithGroup("g").Info("y", "a", 1); rest.String() != "<6>y part=hub g.a=1\n" {
		t.Errorf("journald is gone: %q", &rest)
	}
}

// FuzzNative holds that what the cloud sends adds no field of its own.
func FuzzNative(f *testing.F) {
	f.Add("arg", "TOGGLE")
	f.Add("a=b\n", "1\nPRIORITY=0\n")
	f.Add("", strings.Repeat("\xff\n", 3000))
	path, next, _ := journald(f)
	log := logs.NewAt(path, io.Discard, slog.LevelInfo)
	f.Fuzz(func(t *testing.T, key, value string) {
		log.Info("x", slog.String(key, value))
		fields(t, next(), value)
	})
}

// fields reads an entry as journald does.
func fields(t *testing.T, entry, value string) {
	for n := 0; entry != ""; n++ {
		line, rest, ended := strings.Cut(entry, "\n")
		name, _, plain := strings.Cut(line, "=")
		known := name == "PRIORITY" || name == "SYSLOG_IDENTIFIER" || name == "MESSAGE"
		if known != (n < 3) || !known && !strings.HasPrefix(name, "TASMOTA_") || len(name) > 64 || !ended {
			t.Fatalf("field %d is %q", n, name)
		}
		entry = rest
		if !plain {
			size := int(entry[0]) | int(entry[1])<<8
			if got := entry[8 : 8+size]; !strings.HasPrefix(value, got) || entry[8+size] != '\n' {
				t.Fatalf("%q in place of %q", got, value)
			}
			entry = entry[8+size+1:]
		}
	}
}
