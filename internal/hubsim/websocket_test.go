package hubsim_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/gorilla/websocket"

	"tasmota-azd/internal/hubsim"
)

const webSocketURL = "ws://localhost/$iothub/websocket"

// upgrade asks for a WebSocket over a pipe.
func (c *cloud) upgrade(url string, protocols ...string) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{
		Subprotocols: protocols,
		NetDialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go c.ServeWebSocketConn(there)
			c.t.Cleanup(func() { here.Close() })
			return here, nil
		},
	}
	return d.DialContext(c.t.Context(), url, nil)
}

// dialWebSocket opens a connection without a word of MQTT.
func (c *cloud) dialWebSocket() (*client, *websocket.Conn) {
	c.t.Helper()
	ws, _, err := c.upgrade(webSocketURL, "mqtt")
	must(c.t, err)
	cl := &client{c.t, hubsim.WebSocketConn(ws), make(chan packets.ControlPacket, 2000)}
	go cl.read()
	return cl, ws
}

func (c *cloud) connectWebSocket(change ...func(*connectPacket)) (*client, *websocket.Conn) {
	c.t.Helper()
	cl, ws := c.dialWebSocket()
	p := hello()
	for _, f := range change {
		f(p)
	}
	cl.send(p)
	if code := cl.connack(); code != 0 {
		c.t.Fatalf("CONNACK %d", code)
	}
	return cl, ws
}

func TestW01Handshake(t *testing.T) {
	for _, tt := range []struct {
		url, protocol string
		status        int
	}{
		{webSocketURL, "mqtt", 101},
		{webSocketURL + "?iothub-no-client-cert=true", "mqtt", 101},
		{"ws://localhost/%24iothub/websocket", "mqtt", 101},
		{webSocketURL, "mqtt,other", 101},
		{webSocketURL, "", 400},
		{webSocketURL, "mqttv3.1", 400},
		{"ws://localhost/", "mqtt", 404},
		{"ws://localhost/$iothub/websocket/", "mqtt", 404},
		{"ws://localhost/iothub/websocket", "mqtt", 404},
	} {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			var protocols []string
			if tt.protocol != "" {
				protocols = strings.Split(tt.protocol, ",")
			}
			ws, res, err := c.upgrade(tt.url, protocols...)
			if res == nil || res.StatusCode != tt.status || (err == nil) != (tt.status == 101) {
				t.Fatalf("%s with %q: %v, %v; want %d", tt.url, tt.protocol, res, err, tt.status)
			}
			if err == nil && ws.Subprotocol() != "mqtt" {
				t.Errorf("%s with %q: subprotocol %q", tt.url, tt.protocol, ws.Subprotocol())
			}
		})
	}
}

// TestW01WholeWay: over WebSocket all is as over TLS.
func TestW01WholeWay(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl, ws := c.connectWebSocket()
		cl.subscribe(1, c2d)
		c.c2d("toggle")
		m := cl.message()
		cl.puback(m.MessageID)
		cl.publish(5, events+"a=b", "done")
		if r := c.record("done"); r.Properties["a"] != "b" {
			t.Errorf("record %+v", r)
		}
		if p := cl.next(); p.Details().MessageID != 5 {
			t.Errorf("got %v", p)
		}
		if l := c.Logins()[0]; l.Transport != hubsim.WebSocket {
			t.Errorf("login %+v", l)
		}
		if code := c.try(func(*connectPacket) {}); code != 0 || c.Logins()[1].Transport != hubsim.MQTT {
			t.Errorf("over MQTT: %d, %+v", code, c.Logins())
		}
		cl.closed() // taken over
		if _, _, err := ws.NextReader(); err == nil {
			t.Error("the WebSocket goes on")
		}
	})
}

// TestW01Stream: a message of WebSocket may hold half a packet, or several.
func TestW01Stream(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl, ws := c.dialWebSocket()
		all := wire(hello(), packets.NewControlPacket(packets.Pingreq), packets.NewControlPacket(packets.Pingreq))
		for _, part := range [][]byte{all[:1], all[1:20], nil, all[20:]} {
			must(t, ws.WriteMessage(websocket.BinaryMessage, part))
		}
		if code := cl.connack(); code != 0 {
			t.Errorf("CONNACK %d", code)
		}
		for range 2 {
			if _, ok := cl.next().(*packets.PingrespPacket); !ok {
				t.Error("no PINGRESP")
			}
		}
	})
}

// TestW01Ends: a text message, one that is too large, a Close of WebSocket and
// silence end the session, each with its reason.
func TestW01Ends(t *testing.T) {
	for name, tt := range map[string]struct {
		end func(*websocket.Conn)
		why string
	}{
		"text":    {func(ws *websocket.Conn) { ws.WriteMessage(websocket.TextMessage, []byte("\xc0\x00")) }, "a text message: MQTT travels in binary ones"},
		"close":   {func(ws *websocket.Conn) { ws.WriteControl(websocket.CloseMessage, nil, time.Time{}) }, "the device closed the connection"},
		"lost":    {func(ws *websocket.Conn) { ws.NetConn().Close() }, "the device closed the connection"},
		"silence": {func(*websocket.Conn) {}, "the device was silent for longer than 1.5 × keep-alive"},
		"size": {func(ws *websocket.Conn) {
			ws.NetConn().Write([]byte{0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4})
		}, "websocket: read limit exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
				_, ws := c.connectWebSocket(withWill("gone"), func(p *connectPacket) { p.Keepalive = 10 })
				go tt.end(ws) // which may wait for a reader
				c.record("gone")
				if l := c.Logins()[0]; l.End != tt.why {
					t.Errorf("%q, want %q", l.End, tt.why)
				}
			})
		})
	}
}

// TestW01Ping: a ping of WebSocket is answered, but is no MQTT.
func TestW01Ping(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl, ws := c.connectWebSocket()
		pongs := make(chan string, 1)
		ws.SetPongHandler(func(text string) error { pongs <- text; return nil })
		must(t, ws.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second)))
		if got := <-pongs; got != "x" {
			t.Errorf("pong %q", got)
		}
		cl.quiet(90*time.Second - time.Millisecond)
		cl.closed()
	})
}

// TestW01Faults: what can go wrong over MQTT can here.
func TestW01Faults(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl, _ := c.connectWebSocket()
		cl.subscribe(1, c2d)
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.CutC2D}))
		c.c2d("cut")
		for p := cl.next(); p != nil; p = cl.next() {
			t.Errorf("got %v", p)
		}
		cl, ws := c.connectWebSocket()
		cl.message()
		must(t, c.Freeze(dev))
		ws.SetPongHandler(func(string) error { t.Error("a pong over a frozen link"); return nil })
		must(t, ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)))
		cl.quiet(time.Hour)
	})
}

// TestT03BlockedTransport: one port is closed, or a black hole, while the other
// works.
func TestT03BlockedTransport(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseTCP, Transport: hubsim.MQTT, Count: hubsim.Always}))
		for range 2 {
			c.dial().closed()
			c.connectWebSocket()
		}
		c.ClearFaults("")
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.HalfOpen, Transport: hubsim.WebSocket, Count: hubsim.Always}))
		c.connect()
		here, there := net.Pipe()
		go c.ServeWebSocketConn(there)
		go io.WriteString(here, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		must(t, here.SetReadDeadline(time.Now().Add(time.Hour)))
		if n, err := here.Read(make([]byte, 1)); err == nil || n != 0 {
			t.Error("a black hole answers")
		}
		here.Close()
		if c.Inject(hubsim.Fault{Kind: hubsim.HalfOpen, Transport: "amqp"}) == nil || c.Inject(hubsim.Fault{Kind: hubsim.DropPuback, Transport: hubsim.MQTT}) == nil {
			t.Error("a transport that makes no sense is taken")
		}
	})
}

// TestW01CloseEndsEverything: whatever state HTTP is in.
func TestW01CloseEndsEverything(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		c.connectWebSocket()
		c.dialWebSocket()
		here, there := net.Pipe()
		go c.ServeWebSocketConn(there)
		io.WriteString(here, "GET / HT")
		synctest.Wait()
		c.Close()
		if _, err := here.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("got %v", err)
		}
	})
}

// TestW01SilentHTTP: who does not ask for a WebSocket is not waited for.
func TestW01SilentHTTP(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		here, there := net.Pipe()
		go c.ServeWebSocketConn(there)
		start := time.Now()
		if _, err := here.Read(make([]byte, 1)); err != io.EOF || time.Since(start) > time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// TestW01TLS goes over sockets, with the certificate of the hub, and is reset
// and refused as TCP is.
func TestW01TLS(t *testing.T) {
	l := listenOn(t, (*hubsim.Sim).ServeWebSocket)
	d := websocket.Dialer{
		Subprotocols: []string{"mqtt"}, TLSClientConfig: &tls.Config{RootCAs: l.ca.Pool(), ServerName: "localhost"},
		NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, l.addr)
		},
	}
	ws, _, err := d.DialContext(t.Context(), "wss://localhost/$iothub/websocket", nil)
	must(t, err)
	defer ws.Close()
	login(t, hubsim.WebSocketConn(ws))
	must(t, l.Reset(dev))
	if _, _, err := ws.NextReader(); err == nil || strings.Contains(err.Error(), "EOF") {
		t.Errorf("got %v, want a reset", err)
	}
	must(t, l.Inject(hubsim.Fault{Kind: hubsim.RefuseTCP, Transport: hubsim.WebSocket}))
	if _, _, err := d.DialContext(t.Context(), "wss://localhost/$iothub/websocket", nil); err == nil || strings.Contains(err.Error(), "EOF") {
		t.Errorf("got %v, want a reset", err)
	}
}

// FuzzServeWebSocketConn sends bytes instead of HTTP, or after the handshake.
// Whatever they are, the connection ends with its other side.
func FuzzServeWebSocketConn(f *testing.F) {
	const ask = "GET /$iothub/websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
	frame := func(kind byte, body []byte) []byte {
		return append([]byte{0x80 | kind, 0x80 | 126, byte(len(body) >> 8), byte(len(body)), 0, 0, 0, 0}, body...)
	}
	f.Add(true, frame(2, wire(hello(), packets.NewControlPacket(packets.Pingreq))))
	f.Add(true, frame(9, []byte("ping")))
	f.Add(true, frame(8, nil))
	f.Add(true, frame(1, []byte("text")))
	f.Add(true, []byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(false, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add(false, wire(hello()))
	f.Fuzz(func(t *testing.T, honest bool, data []byte) {
		s := hubsim.New(hubsim.Options{})
		must(t, s.AddDevice(hubsim.Device{ID: dev, Key: key(t, keyText)}))
		here, there := net.Pipe()
		served := make(chan struct{})
		go func() { defer close(served); s.ServeWebSocketConn(there) }()
		if honest {
			io.WriteString(here, ask)
			res, err := http.ReadResponse(bufio.NewReader(here), nil)
			must(t, err)
			if res.StatusCode != 101 {
				t.Fatal(res.Status)
			}
		}
		go io.Copy(io.Discard, here)
		io.Copy(here, bytes.NewReader(data)) // the hub may close before it has read all
		here.Close()
		<-served
		s.Close()
	})
}
