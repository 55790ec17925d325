package hub_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hub"
)

// A script is a connection on which the other side says what it is given, and
// takes everything.
type script struct {
	net.Conn
	said  io.Reader
	heard bytes.Buffer
	// shake makes an answer of the request, if it is not nil.
	shake func(request []byte) string
}

func (s *script) Read(p []byte) (int, error) {
	if s.shake != nil {
		s.said, s.shake = io.MultiReader(strings.NewReader(s.shake(s.heard.Bytes())), s.said), nil
	}
	return s.said.Read(p)
}

func (s *script) Write(p []byte) (int, error)      { return s.heard.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// FuzzProxy: whatever a proxy answers, it is a way or an error in words.
func FuzzProxy(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"))
	f.Add([]byte("SSH-2.0-OpenSSH\r\n"))
	f.Add(bytes.Repeat([]byte("x"), 100_000))
	f.Fuzz(func(t *testing.T, answer []byte) {
		proxy := &url.URL{Scheme: "http", Host: "proxy:3128", User: url.UserPassword("pump", "CANARY")}
		err := hub.Tunnel(t.Context(), &script{said: bytes.NewReader(answer)}, proxy, "hub:443")
		if e, ok := errors.AsType[*hub.Error](err); err != nil && (!ok || !e.Network() || len(e.Error()) > 1000) {
			t.Errorf("error %v", err)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") && !bytes.Contains(answer, []byte("CANARY")) {
			t.Errorf("the password is shown: %v", err)
		}
	})
}

// FuzzWebSocket: whatever frames come, reading them ends.
func FuzzWebSocket(f *testing.F) {
	f.Add([]byte{0x82, 2, 0xd0, 0})             // one binary frame
	f.Add([]byte{0x02, 1, 0xd0, 0x80, 1, 0})    // in two fragments
	f.Add([]byte{0x82, 0, 0x89, 0, 0x82, 1, 1}) // an empty one, a ping, another
	f.Add([]byte{0x88, 2, 3, 0xe9})             // goodbye
	f.Add([]byte{0x81, 2, 'h', 'i'})            // text
	f.Add([]byte{0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, frames []byte) {
		s := &script{said: bytes.NewReader(frames), shake: accept}
		conn, err := hub.Upgrade(t.Context(), s, hub.Identity{Host: hubName}, 443)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, conn); n > int64(len(frames)) {
			t.Errorf("%d bytes of %d, %v", n, len(frames), err)
		}
	})
}

// accept answers the request for a WebSocket as RFC 6455, section 4.2.2, says.
func accept(request []byte) string {
	_, after, _ := strings.Cut(string(request), "Sec-WebSocket-Key: ")
	key, _, _ := strings.Cut(after, "\r\n")
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	h := http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Protocol": {"mqtt"},
		"Sec-Websocket-Accept": {base64.StdEncoding.EncodeToString(sum[:])},
	}
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	h.Write(&b) // a builder takes all
	return b.String() + "\r\n"
}
