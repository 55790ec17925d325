package hubsim

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// The door for MQTT over WebSocket (contract, section 9; W01).
const (
	webSocketPath  = "/$iothub/websocket"
	webSocketProto = "mqtt"
	// noCertificate is a parameter of the path. It keeps the service from asking
	// for a client certificate; here, what was shown without asking is ignored.
	noCertificate = "iothub-no-client-cert"
	// maxWebSocketMessage lets a client put some packets into one message. No
	// memory is held for it: the packets in it are read one by one.
	maxWebSocketMessage = 4 * maxPacket
)

// ServeWebSocket is Serve for devices that speak MQTT over WebSocket.
func (s *Sim) ServeWebSocket(ctx context.Context, ln net.Listener, config *tls.Config) error {
	return s.accept(ctx, ln, config, s.ServeWebSocketConn)
}

// ServeWebSocketConn speaks MQTT over WebSocket with one device until the
// connection ends, and closes it.
func (s *Sim) ServeWebSocketConn(conn net.Conn) { s.door(WebSocket, conn, s.serveWebSocket) }

// serveWebSocket lets HTTP have the connection until it is upgraded.
func (s *Sim) serveWebSocket(l *link) {
	one := &oneConn{conn: l.conn, over: make(chan struct{})}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.upgrade(w, r, l, one) }),
		ReadHeaderTimeout: handshakeTimeout,
		ReadTimeout:       handshakeTimeout,
		IdleTimeout:       handshakeTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				one.end()
			}
		},
	}
	server.Serve(one) // until one has ended, as an error always says
}

// upgrade answers one HTTP request. It returns when the MQTT in it has ended, if it is not
// one of the device API.
func (s *Sim) upgrade(w http.ResponseWriter, r *http.Request, l *link, one *oneConn) {
	switch {
	case strings.HasPrefix(r.URL.Path, restPrefix):
		s.rest(w, r, l)
		return
	case r.URL.Path != webSocketPath:
		http.Error(w, "no such path", http.StatusNotFound)
		return
	case !slices.Contains(websocket.Subprotocols(r), webSocketProto):
		http.Error(w, "the subprotocol is mqtt", http.StatusBadRequest)
		return
	}
	up := websocket.Upgrader{
		HandshakeTimeout: handshakeTimeout,
		Subprotocols:     []string{webSocketProto},
		CheckOrigin:      func(*http.Request) bool { return true }, // who may come in is said by CONNECT
	}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		s.log.Warn("WebSocket handshake failed", "conn", l.id, "err", err)
		return // with the answer written, or the connection closed
	}
	defer one.end()
	ws.SetReadLimit(maxWebSocketMessage)
	ws.SetPingHandler(func(text string) error {
		if l.mute.Load() {
			return nil
		}
		ws.WriteControl(websocket.PongMessage, []byte(text), time.Now().Add(time.Second)) // the reader will see why it fails
		return nil
	})
	if r.URL.Query().Get(noCertificate) == "true" {
		l.peer = nil
	}
	s.mu.Lock()
	l.conn = &webSocketConn{Conn: l.conn, ws: ws}
	s.mu.Unlock()
	s.serve(l)
}

// webSocketConn is a WebSocket as a stream of bytes. Everything but these
// methods is that of the connection below.
type webSocketConn struct {
	net.Conn
	ws *websocket.Conn
	in io.Reader // of the message being read

	mu sync.Mutex // a WebSocket bears one writer at a time
}

var errText = errors.New("a text message: MQTT travels in binary ones")

// NetConn returns the connection below.
func (c *webSocketConn) NetConn() net.Conn { return c.Conn }

// Read reads on, from one message to the next.
func (c *webSocketConn) Read(p []byte) (int, error) {
	for {
		if c.in == nil {
			kind, in, err := c.ws.NextReader()
			switch {
			case err != nil:
				return 0, plainCause(err)
			case kind != websocket.BinaryMessage:
				return 0, errText
			}
			c.in = in
		}
		n, err := c.in.Read(p)
		if err == io.EOF {
			c.in, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, plainCause(err)
		}
	}
}

// plainCause turns errors of a WebSocket into those of a connection without.
func plainCause(err error) error {
	if _, ok := errors.AsType[*websocket.CloseError](err); ok {
		return io.EOF
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return os.ErrDeadlineExceeded
	}
	return err
}

// Write sends p as one binary message.
func (c *webSocketConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetWriteDeadline is told to the WebSocket, which sets it anew at each write.
func (c *webSocketConn) SetWriteDeadline(t time.Time) error { return c.ws.SetWriteDeadline(t) }

// oneConn is a listener that has one connection to give.
type oneConn struct {
	conn  net.Conn
	given bool
	once  sync.Once
	over  chan struct{}
}

// Accept returns the connection, and then waits for its end.
func (o *oneConn) Accept() (net.Conn, error) {
	if !o.given {
		o.given = true
		return o.conn, nil
	}
	<-o.over
	return nil, net.ErrClosed
}

func (o *oneConn) end() { o.once.Do(func() { close(o.over) }) }

// Close does nothing: the connection is closed by whoever serves it.
func (o *oneConn) Close() error { return nil }

// Addr returns the address of the connection.
func (o *oneConn) Addr() net.Addr { return o.conn.LocalAddr() }
