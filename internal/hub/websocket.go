package hub

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// upgrade turns a TLS connection into a WebSocket that carries MQTT (contract,
// section 9).
func upgrade(ctx context.Context, conn net.Conn, id Identity, port int) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	d := websocket.Dialer{
		NetDialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		Subprotocols:   []string{"mqtt"},
	}
	// ws, not wss: the connection has its TLS already.
	ws, resp, err := d.DialContext(ctx, "ws://"+webHost(id.target(), port)+webPath(id), nil)
	switch {
	case err != nil && resp != nil:
		return nil, webError(id.target(), port, resp.StatusCode)
	case err != nil:
		return nil, silentError(id, "the request for a WebSocket", because(ctx, err))
	case ws.Subprotocol() != "mqtt":
		return nil, webError(id.target(), port, http.StatusSwitchingProtocols)
	}
	return &webConn{Conn: conn, ws: ws}, nil
}

// because returns why something ended that ctx bounds.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// webHost is the Host of the request: with the port only if it is not the usual one.
func webHost(host string, port int) string {
	if port == webPort {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// webPath keeps the service from asking for a certificate where there is none.
func webPath(id Identity) string {
	const path = "/$iothub/websocket"
	if id.Certificate.IsZero() {
		return path + "?iothub-no-client-cert=true"
	}
	return path
}

var errTextFrame = errors.New("the other side sent text in a WebSocket that carries MQTT")

// A webConn carries a stream of bytes in the binary frames of a WebSocket. MQTT
// packets need not begin where frames do.
type webConn struct {
	net.Conn // TLS, below the WebSocket
	ws       *websocket.Conn
	frame    io.Reader // what is left of the frame being read
}

// Read returns io.EOF when the other side has said goodbye.
func (c *webConn) Read(p []byte) (int, error) {
	for {
		if c.frame == nil {
			kind, frame, err := c.ws.NextReader()
			if _, over := errors.AsType[*websocket.CloseError](err); over {
				return 0, io.EOF
			}
			if err == nil && kind != websocket.BinaryMessage {
				err = errTextFrame
			}
			if err != nil {
				return 0, err
			}
			c.frame = frame
		}
		n, err := c.frame.Read(p)
		if err == io.EOF {
			c.frame, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *webConn) Write(p []byte) (int, error) {
	err := c.ws.WriteMessage(websocket.BinaryMessage, p)
	if errors.Is(err, websocket.ErrCloseSent) { // as the other side has said goodbye
		err = io.ErrClosedPipe
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() { // which the WebSocket puts into an error of its own
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetWriteDeadline replaces that of the connection below, which the WebSocket
// sets itself for each frame.
func (c *webConn) SetWriteDeadline(t time.Time) error { return c.ws.SetWriteDeadline(t) }

// CloseWrite says that nothing follows; the other side then closes the connection.
func (c *webConn) CloseWrite() error {
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	return c.ws.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
}

// Close says goodbye on both layers.
func (c *webConn) Close() error {
	_ = c.CloseWrite() // the other side may be gone already, which is no fault at the end
	return c.Conn.Close()
}

// NetConn returns the connection below TLS.
func (c *webConn) NetConn() net.Conn { return c.Conn.(netConner).NetConn() }

// A netConner has a layer below that ends at once when it is closed.
type netConner interface{ NetConn() net.Conn }
