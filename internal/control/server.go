// Package control lets people on the same machine talk to the running daemon, over a
// Unix socket: HTTP with JSON.
//
// It owns the socket and who may speak how much. What is asked it hands on: it knows
// nothing of relays.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Socket is the name of the socket in its directory.
const Socket = "control.sock"

const (
	socketMode  = 0o660 // the owner, and the group of the service
	maxBody     = 64 << 10
	maxConns    = 16
	perSecond   = 50 // requests of all together, and so many at once
	headersIn   = 5 * time.Second
	answerIn    = 20 * time.Second // a command may wait for its backlog
	lastAnswers = 2 * time.Second  // at the end of the daemon
)

// Options say who answers. All functions may be called from several goroutines at
// once; what they return is written as JSON.
type Options struct {
	Status  func(context.Context) (any, error)
	Command func(ctx context.Context, name, arg, who string) (status int, body []byte, err error)
	Why     func(ctx context.Context, relay string, most int) (any, error)
	Watch   func(context.Context) (<-chan any, error) // closed when ctx ends
	Metrics Metrics
	Level   *slog.LevelVar // of the log
	Log     *slog.Logger
}

// A Server serves one socket. Use Listen or ListenMetrics.
type Server struct {
	l    net.Listener
	http http.Server
	rate rate
}

// Listen makes the socket in dir. One that an earlier daemon has left is replaced:
// whoever holds the lock on the state directory is the only daemon.
func Listen(dir string, o Options) (*Server, error) {
	path := filepath.Join(dir, Socket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	// Nobody can connect before the mode is set: the umask is that of the process.
	old := syscall.Umask(0o777 &^ socketMode)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", o.status)
	mux.HandleFunc("POST /v1/command", o.command)
	mux.HandleFunc("GET /v1/why/{relay}", o.why)
	mux.HandleFunc("GET /v1/events", o.events)
	mux.HandleFunc("GET /v1/metrics", o.Metrics.serve)
	mux.HandleFunc("GET /v1/log-level", o.level)
	mux.HandleFunc("PUT /v1/log-level", o.setLevel)
	return newServer(l, mux, o.Log), nil
}

// newServer returns a server that has not begun to answer.
func newServer(l net.Listener, h http.Handler, log *slog.Logger) *Server {
	s := &Server{l: l}
	s.http = http.Server{
		Handler: s.limited(h), ReadHeaderTimeout: headersIn, IdleTimeout: headersIn, MaxHeaderBytes: 8 << 10,
		ConnContext: withPeer, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers until ctx ends, and removes a Unix socket.
func (s *Server) Serve(ctx context.Context) error {
	base, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.http.BaseContext = func(net.Listener) context.Context { return base }
	stop := context.AfterFunc(ctx, func() {
		cancel() // ends what goes on
		last, done := context.WithTimeout(context.Background(), lastAnswers)
		defer done()
		if s.http.Shutdown(last) != nil {
			_ = s.http.Close() // somebody does not read his answer
		}
	})
	defer stop()
	err := s.http.Serve(limitListener(s.l, maxConns))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: %w", s.l.Addr(), err)
}

// limited lets no more requests through than the loop can bear beside its work.
func (s *Server) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.rate.take(time.Now()) {
			fail(w, http.StatusTooManyRequests, "too many requests: ask again in a second")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

func (o *Options) status(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerIn)
	defer cancel()
	v, err := o.Status(ctx)
	answer(w, v, err)
}

// A Request is the body of a command.
type Request struct {
	Command string `json:"command"` // with its index, such as "Power1"
	Payload string `json:"payload"` // its argument
}

// An Answer is what came of it.
type Answer struct {
	Status int             `json:"status"` // as of a direct method: 200, 202, 400, 404, 503
	Body   json.RawMessage `json:"body"`   // the command's own JSON
}

func (o *Options) command(w http.ResponseWriter, r *http.Request) {
	var in Request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Command == "" {
		fail(w, http.StatusBadRequest, `the body must be JSON such as {"command":"Power1","payload":"toggle"}`)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerIn)
	defer cancel()
	status, body, err := o.Command(ctx, in.Command, in.Payload, peerOf(r).String())
	answer(w, Answer{status, body}, err)
}

// mostMoves is how many moves of a relay there are to tell.
const mostMoves = 256

func (o *Options) why(w http.ResponseWriter, r *http.Request) {
	most := mostMoves
	if text := r.FormValue("last"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostMoves {
			fail(w, http.StatusBadRequest, fmt.Sprintf("last must be a number from 1 to %d", mostMoves))
			return
		}
		most = n
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerIn)
	defer cancel()
	v, err := o.Why(ctx, r.PathValue("relay"), most)
	answer(w, v, err)
}

// events writes one line for each thing that happens, until the other side leaves.
func (o *Options) events(w http.ResponseWriter, r *http.Request) {
	all, err := o.Watch(r.Context())
	if err != nil {
		answer(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	for enc := json.NewEncoder(w); err == nil; {
		if err = out.Flush(); err != nil {
			return
		}
		e, more := <-all
		if !more {
			return
		}
		err = errors.Join(out.SetWriteDeadline(time.Now().Add(answerIn)), enc.Encode(e))
	}
}

// ErrNoSuch matches the error of a question about something that there is not.
var ErrNoSuch = errors.New("there is none")

func answer(w http.ResponseWriter, v any, err error) {
	switch {
	case errors.Is(err, ErrNoSuch):
		fail(w, http.StatusNotFound, err.Error())
		return
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who does not read it has left
}

func fail(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text}) // as above
}

// A rate is a bucket of requests that fills again.
type rate struct {
	mu   sync.Mutex
	left float64
	at   time.Time
}

func (r *rate) take(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() {
		r.left = perSecond
	} else {
		r.left = min(r.left+perSecond*now.Sub(r.at).Seconds(), perSecond)
	}
	r.at = now
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}

// A limited listener accepts no more while so many connections are open.
type limitedListener struct {
	net.Listener
	free chan struct{}
}

func limitListener(l net.Listener, most int) net.Listener {
	return &limitedListener{l, make(chan struct{}, most)}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: c, done: sync.OnceFunc(func() { <-l.free })}, nil
}

type limitedConn struct {
	net.Conn
	done func()
}

func (c *limitedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}
