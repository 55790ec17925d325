package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/control"
)

// serve runs a server until the test ends. It answers a command with who sent what.
func serve(t testing.TB) (client *control.Client, path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "control") // a path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := control.Listen(dir, control.Options{
		Status: func(context.Context) (any, error) { return map[string]int{"relays": 2}, nil },
		Command: func(_ context.Context, name, arg, who string) (int, []byte, error) {
			if name == "end" {
				return 0, nil, errors.New("the daemon is about to end")
			}
			body, err := json.Marshal([]string{name, arg, who})
			return 200, body, err
		},
		Why: func(_ context.Context, relay string, most int) (any, error) {
			if relay == "none" {
				return nil, fmt.Errorf("relay: %w", control.ErrNoSuch)
			}
			return []any{relay, most}, nil
		},
		Watch: func(ctx context.Context) (<-chan any, error) {
			c := make(chan any)
			go func() {
				defer close(c)
				for i := 0; ; i++ {
					select {
					case c <- i:
					case <-ctx.Done():
						return
					}
				}
			}()
			return c, nil
		},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	path = filepath.Join(dir, control.Socket)
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
	})
	return control.NewClient(path), path
}

func TestAsk(t *testing.T) {
	c, path := serve(t)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o660|os.ModeSocket {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	var status map[string]int
	if err := c.Status(t.Context(), &status); err != nil || status["relays"] != 2 {
		t.Errorf("%v, %v", status, err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`["Power1","tog\"gle","%s/%d"]`, me.Username, os.Getpid())
	if a, err := c.Command(t.Context(), control.Request{Command: "Power1", Payload: `tog"gle`}); err != nil || string(a.Body) != want || a.Status != 200 {
		t.Errorf("%d %s, %v, want %s", a.Status, a.Body, err, want)
	}
	if _, err := c.Command(t.Context(), control.Request{Command: "end"}); err == nil || err.Error() != "the daemon is about to end" {
		t.Error(err)
	}
	if _, err := c.Command(t.Context(), control.Request{}); err == nil || !strings.Contains(err.Error(), "the body must be JSON such as") {
		t.Error(err)
	}
	if _, err := c.Command(t.Context(), control.Request{Command: "x", Payload: strings.Repeat("x", 70_000)}); err == nil {
		t.Error("a body of 70 kB is taken")
	}
	var why []any
	if err := c.Why(t.Context(), "a/b c", 7, &why); err != nil || why[0] != "a/b c" || why[1] != 7.0 {
		t.Errorf("%v, %v", why, err)
	}
	if err := c.Why(t.Context(), "none", 7, &why); err == nil || err.Error() != "relay: there is none" {
		t.Error(err)
	}
	for _, n := range []int{0, -1, 257} {
		if err := c.Why(t.Context(), "1", n, &why); err == nil {
			t.Errorf("%d moves are asked for", n)
		}
	}
}

// What a caller says of itself is its word, and adds nothing else to a cause.
func TestCallerSays(t *testing.T) {
	c, path := serve(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	who := func() string {
		a, err := c.Command(t.Context(), control.Request{Command: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReplacer(fmt.Sprint(os.Getpid()), "PID", me.Username, "ME").Replace(string(a.Body))
	}
	t.Setenv("SUDO_USER", "")
	if got := who(); got != `["x","","ME/PID"]` {
		t.Error(got)
	}
	if os.Geteuid() == 0 {
		t.Setenv("SUDO_USER", "pi c2d/\n7\"-"+strings.Repeat("x", 100))
		if got, want := who(), `["x","","ME-says-pi_c2d__7_-`+strings.Repeat("x", 21)+`/PID"]`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/command HTTP/1.0\r\nContent-Length: 15\r\nTasmota-Caller: a b/9\r\n\r\n{\"command\":\"x\"}")
	answer, err := io.ReadAll(conn)
	if want := fmt.Sprintf(`%s-says-a_b_9/%d"]`, me.Username, os.Getpid()); err != nil || !strings.Contains(string(answer), want) {
		t.Errorf("%v: %s", err, answer)
	}
}

func TestEvents(t *testing.T) {
	c, _ := serve(t)
	var got []string
	enough := errors.New("enough")
	err := c.Events(t.Context(), func(line []byte) error {
		got = append(got, string(line))
		if len(got) == 3 {
			return enough
		}
		return nil
	})
	if err != enough || strings.Join(got, " ") != "0 1 2" {
		t.Errorf("%q, %v", got, err)
	}
}

// A caller gone mad does not keep the daemon from its work.
func TestTooManyRequests(t *testing.T) {
	c, _ := serve(t)
	refused := 0
	for range 500 {
		var v any
		if err := c.Status(t.Context(), &v); err != nil {
			refused++
			if !strings.Contains(err.Error(), "too many requests") {
				t.Fatal(err)
			}
		}
	}
	if refused == 0 {
		t.Error("500 requests at once are all answered")
	}
}

func TestNobodyThere(t *testing.T) {
	c := control.NewClient(filepath.Join(t.TempDir(), "none"))
	var v any
	if err := c.Status(t.Context(), &v); err == nil || !strings.Contains(err.Error(), "systemctl status tasmota-azd") {
		t.Error(err)
	}
}

// What an earlier daemon left is replaced.
func TestListenAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, control.Socket), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := control.Listen(dir, control.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Error(err)
	}
	if _, err := control.Listen(filepath.Join(dir, "none"), control.Options{Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a directory that there is not has a socket")
	}
}

// FuzzRequests: whatever comes over the socket is answered or cut off.
func FuzzRequests(f *testing.F) {
	_, path := serve(f)
	f.Add([]byte("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("POST /v1/command HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\n\r\n{\"command\":\"State\"}"))
	f.Add([]byte("GET /v1/why/%00?last=%ff HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("nonsense"))
	f.Fuzz(func(t *testing.T, request []byte) {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(request) // it may be cut off before the end
		_ = conn.(*net.UnixConn).CloseWrite()
		_, _ = io.CopyN(io.Discard, conn, 1<<16) // events have no end
	})
}
