package hub_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"tasmota-azd/internal/certificate/certtest"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

// web is the identity that signs in by WebSocket with a key.
func web(t *testing.T) hub.Identity {
	return hub.Identity{Host: "localhost", DeviceID: dev, Key: key(t), Way: hub.WebSocket}
}

// runAs runs a client with an identity until the test has seen enough.
func runAs(t *testing.T, o hub.Options, id hub.Identity) (client *hub.Client, events chan hub.Event, stop func()) {
	t.Helper()
	if o.Identify == nil {
		o.Identify = func(context.Context, hub.Trouble) (hub.Identity, error) { return id, nil }
	}
	client, events = hub.New(o), make(chan hub.Event)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- client.Run(ctx, events) }()
	return client, events, func() {
		cancel()
		must(t, <-ended)
	}
}

// TestSessionOverWebSocket goes the whole way once: command, answer, a message
// of many frames, renewal, and a polite end.
func TestSessionOverWebSocket(t *testing.T) {
	ca := newAuthority(t, "Root")
	sim := hubsim.New(hubsim.Options{})
	defer sim.Close()
	must(t, sim.AddDevice(hubsim.Device{ID: dev, Key: key(t)}))
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())}}
	port := listen(t, func(c net.Conn) { sim.ServeWebSocketConn(tls.Server(c, config)) })
	var took hub.Identity
	o := hub.Options{WebPort: port, TokenTTL: 2 * time.Second, Roots: ca.pool(), Accepted: func(id hub.Identity) { took = id }}
	client, events, stop := runAs(t, o, web(t))
	long := strings.Repeat("x", 60_000)
	for answered := 0; answered < 2; {
		switch ev := (<-events).(type) {
		case hub.Connected:
			if ev.Port != port {
				t.Errorf("told of port %d, want %d", ev.Port, port)
			}
			_, err := sim.Send(dev, hubsim.C2D{Body: []byte(long)})
			must(t, err)
		case hub.Message:
			if string(ev.Body) != long {
				t.Errorf("%d bytes arrived", len(ev.Body))
			}
			client.Send(hub.Telemetry{Body: append([]byte("did "), ev.Body...)})
			client.Ack(ev)
			answered++
		case hub.Disconnected:
			if !ev.Renewal {
				t.Fatal(ev.Err)
			}
		}
	}
	_, err := sim.WaitRecord(t.Context(), func(r hubsim.Record) bool { return r.Seq == 2 })
	must(t, err)
	stop()
	must(t, sim.Wait(t.Context(), func() bool { return !sim.Devices()[0].Connected }))
	if all := sim.Logins(); len(all) != 2 || all[1].End != "the device sent DISCONNECT" || all[1].Transport != hubsim.WebSocket {
		t.Errorf("logins %+v", all)
	}
	for _, r := range sim.Records() {
		if string(r.Body) != "did "+long {
			t.Errorf("the hub has %d bytes", len(r.Body))
		}
	}
	if took.Way != hub.WebSocket {
		t.Errorf("accepted by way %d", took.Way)
	}
}

// webServer answers requests over TLS.
func webServer(t *testing.T, h http.HandlerFunc) (port int, roots *authority) {
	t.Helper()
	ca := newAuthority(t, "Root")
	l, err := tls.Listen("tcp", "localhost:0", &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())}})
	must(t, err)
	s := &http.Server{Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().(*net.TCPAddr).Port, ca
}

func TestWebSocketRequest(t *testing.T) {
	pair := certtest.SelfSigned(t, dev, time.Now().AddDate(1, 0, 0))
	for _, tt := range []struct {
		name string
		id   func(*hub.Identity)
		uri  string
	}{
		{"with a key", func(*hub.Identity) {}, "/$iothub/websocket?iothub-no-client-cert=true"},
		{"with a certificate", func(id *hub.Identity) { id.Certificate = pair.Parse(t) }, "/$iothub/websocket"},
		{"by a gateway", func(id *hub.Identity) { id.Host, id.Gateway = hubName, "localhost" }, "/$iothub/websocket?iothub-no-client-cert=true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var saw atomic.Pointer[http.Request]
			port, ca := webServer(t, func(w http.ResponseWriter, r *http.Request) {
				saw.Store(r)
				http.Error(w, "no", http.StatusNotFound)
			})
			id := web(t)
			tt.id(&id)
			_, events, stop := runAs(t, hub.Options{WebPort: port, Roots: ca.pool()}, id)
			<-events
			stop()
			r := saw.Load()
			if r.RequestURI != tt.uri || r.Header.Get("Sec-WebSocket-Protocol") != "mqtt" || r.Header.Get("Authorization") != "" {
				t.Errorf("asked for %s with %v", r.RequestURI, r.Header)
			}
			if host, _, _ := net.SplitHostPort(r.Host); host != "localhost" || r.TLS.ServerName != "localhost" {
				t.Errorf("host %q, SNI %q", r.Host, r.TLS.ServerName)
			}
		})
	}
}

func TestNoWebSocket(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		kind    hub.Kind
		words   string
	}{
		{"not found", func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, hub.Unreachable, "does not open a WebSocket for MQTT on port"},
		{"login page", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, hub.Unreachable, "(HTTP 200): is the name of the hub right"},
		{"without a subprotocol", func(w http.ResponseWriter, r *http.Request) {
			if ws, err := new(websocket.Upgrader).Upgrade(w, r, nil); err == nil {
				ws.Close()
			}
		}, hub.Unreachable, "does not open a WebSocket"},
		{"closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, hub.Refused, "closed the connection"},
		{"text frames", func(w http.ResponseWriter, r *http.Request) {
			if ws, err := (&websocket.Upgrader{Subprotocols: []string{"mqtt"}}).Upgrade(w, r, nil); err == nil {
				ws.WriteMessage(websocket.TextMessage, []byte("hello"))
				ws.ReadMessage()
				ws.Close()
			}
		}, hub.Refused, "sent text in a WebSocket"},
		{"goodbye", func(w http.ResponseWriter, r *http.Request) {
			if ws, err := (&websocket.Upgrader{Subprotocols: []string{"mqtt"}}).Upgrade(w, r, nil); err == nil {
				ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, "maintenance"), time.Now().Add(time.Second))
				ws.ReadMessage()
				ws.Close()
			}
		}, hub.Refused, "closed the connection instead of answering CONNECT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port, ca := webServer(t, tt.handler)
			_, events, stop := runAs(t, hub.Options{WebPort: port, Roots: ca.pool()}, web(t))
			ev := <-events
			stop()
			d, _ := ev.(hub.Disconnected)
			e, ok := errors.AsType[*hub.Error](d.Err)
			if !ok || e.Kind != tt.kind || !strings.Contains(e.Error(), tt.words) {
				t.Errorf("told: %+v", ev)
			}
		})
	}
}

// TestTrial: MQTT over TLS is given five seconds, and then the WebSocket is
// taken within the same attempt.
func TestTrial(t *testing.T) {
	for _, tt := range []struct {
		name   string
		direct func(context.Context) error // nil: connected
		way    hub.Way
		after  time.Duration
	}{
		{"open", nil, hub.Direct, 0},
		{"blocked", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }, hub.WebSocket, 5 * time.Second},
		{"refused", func(context.Context) error { return errors.New("connection refused") }, hub.WebSocket, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var took []hub.Way
			s := setup{manual: true}
			s.options.Accepted = func(id hub.Identity) { took = append(took, id.Way) }
			s.options.Identify = func(context.Context, hub.Trouble) (hub.Identity, error) {
				return hub.Identity{Host: hubName, DeviceID: dev, Key: key(t), Way: hub.Trial}, nil
			}
			var c *cloud
			var ports []int
			s.options.Dial = func(ctx context.Context, host string, port int) (net.Conn, error) {
				ports = append(ports, port)
				if port == 8883 && tt.direct != nil {
					return nil, tt.direct(ctx)
				}
				return c.Dial(ctx, host, port)
			}
			inBubble(t, s, func(t *testing.T, cl *cloud, d *device) {
				c = cl
				d.run()
				time.Sleep(10 * time.Second)
				wantEqual(t, d.history(), "connected")
				if len(took) != 1 || took[0] != tt.way || c.attempts()[0] != tt.after {
					t.Errorf("way %v after %v, want %v after %v", took, c.attempts(), tt.way, tt.after)
				}
				if want := map[hub.Way]int{hub.Direct: 8883, hub.WebSocket: 443}[tt.way]; ports[len(ports)-1] != want {
					t.Errorf("ports %v", ports)
				}
				if strings.Contains(d.log(), "level=WARN") {
					t.Error("a trial is no failure")
				}
			})
		})
	}
}

// layered is a connection with another one below, as TLS is.
type layered struct{ net.Conn }

func (l layered) NetConn() net.Conn { return l.Conn }

// TestDeadWebSocket: the other side accepts, and then takes nothing any more.
func TestDeadWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		go func() {
			r, err := http.ReadRequest(bufio.NewReader(there))
			if err != nil {
				return
			}
			sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			fmt.Fprintf(there, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
				"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		}()
		conn, err := hub.Upgrade(t.Context(), layered{here}, hub.Identity{Host: hubName}, 443)
		must(t, err)
		if below := conn.(interface{ NetConn() net.Conn }).NetConn(); below != here {
			t.Errorf("below it is %T", below)
		}
		must(t, conn.SetWriteDeadline(time.Now().Add(10*time.Second)))
		start := time.Now()
		if _, err := conn.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		start = time.Now()
		conn.Close()
		if d := time.Since(start); d > time.Second {
			t.Errorf("closing it took %v", d)
		}
	})
}
