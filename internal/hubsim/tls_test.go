package hubsim_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
)

// listening is a cloud behind a real socket.
type listening struct {
	*hubsim.Sim
	addr string
	ca   *hubsim.CA
}

func listen(t *testing.T) listening {
	t.Helper()
	return listenOn(t, (*hubsim.Sim).Serve)
}

func listenOn(t *testing.T, serve func(*hubsim.Sim, context.Context, net.Listener, *tls.Config) error) listening {
	t.Helper()
	s := hubsim.New(hubsim.Options{Hosts: []string{"localhost", "127.0.0.1"}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	must(t, s.AddDevice(hubsim.Device{ID: dev, Key: key(t, keyText)}))
	ca, err := hubsim.NewCA(time.Now())
	must(t, err)
	config, err := s.TLSConfig(ca)
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(s, ctx, ln, config) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return listening{s, ln.Addr().String(), ca}
}

func (l listening) dial(t *testing.T, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	d := tls.Dialer{Config: config}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*tls.Conn), nil
}

// login sends an honest CONNECT and reads the CONNACK.
func login(t *testing.T, conn net.Conn) {
	t.Helper()
	must(t, hello().Write(conn))
	p, err := packets.ReadPacket(conn)
	must(t, err)
	if a, ok := p.(*packets.ConnackPacket); !ok || a.ReturnCode != 0 {
		t.Fatalf("got %v", p)
	}
}

func TestH01TLS(t *testing.T) {
	l := listen(t)
	for _, host := range []string{"localhost", "127.0.0.1"} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			conn, err := l.dial(t, &tls.Config{RootCAs: l.ca.Pool(), ServerName: host, MaxVersion: version})
			must(t, err)
			login(t, conn)
		}
	}
	_, err := l.dial(t, &tls.Config{RootCAs: l.ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
	plain, err := net.Dial("tcp", l.addr)
	must(t, err)
	defer plain.Close()
	must(t, hello().Write(plain))
	said, _ := io.ReadAll(plain) // a TLS alert, or a reset
	if bytes.HasPrefix(said, []byte{packets.Connack << 4}) {
		t.Errorf("plain MQTT: % x", said)
	}
	if got := len(l.Logins()); got != 4 {
		t.Errorf("%d logins, want 4", got)
	}
}

func TestT03WrongCertificates(t *testing.T) {
	l := listen(t)
	config := &tls.Config{RootCAs: l.ca.Pool(), ServerName: "localhost"}
	must(t, l.Inject(hubsim.Fault{Kind: hubsim.UnknownRoot}))
	if _, err := l.dial(t, config); !isA[x509.UnknownAuthorityError](err) {
		t.Errorf("unknown root: %v", err)
	}
	must(t, l.Inject(hubsim.Fault{Kind: hubsim.WrongName}))
	if _, err := l.dial(t, config); !isA[x509.HostnameError](err) {
		t.Errorf("wrong name: %v", err)
	}
	conn, err := l.dial(t, config)
	must(t, err)
	login(t, conn)
}

// TestTLSTickets: TLS sessions are resumed only if that was asked for.
func TestTLSTickets(t *testing.T) {
	for _, on := range []bool{false, true} {
		s := hubsim.New(hubsim.Options{TLSTickets: on})
		defer s.Close()
		lamp, err := hubsim.SelfSigned(time.Now(), "lamp")
		must(t, err)
		must(t, s.AddDevice(hubsim.Device{ID: "lamp", Auth: hubsim.Thumbprint, Thumbprints: []string{hubsim.ThumbprintOf(lamp.Certificate[0])}}))
		ca, err := hubsim.NewCA(time.Now())
		must(t, err)
		config, err := s.TLSConfig(ca)
		must(t, err)
		l := listening{s, serveOn(t, s, config), ca}
		device := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{lamp}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for i := range 2 {
			conn, err := l.dial(t, device)
			must(t, err)
			must(t, withCertificate("lamp").Write(conn))
			p, err := packets.ReadPacket(conn) // and the ticket before it
			must(t, err)
			if a, ok := p.(*packets.ConnackPacket); !ok || a.ReturnCode != 0 {
				t.Errorf("got %v", p)
			}
			if got, want := s.Logins()[i].Resumed, on && i == 1; got != want {
				t.Errorf("tickets %t, connection %d: resumed %t", on, i, got)
			}
		}
	}
}

// serveOn serves on a socket and returns its address.
func serveOn(t *testing.T, s *hubsim.Sim, config *tls.Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go s.Serve(t.Context(), ln, config) // ends with the test
	return ln.Addr().String()
}

func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// TestT03Reset: over TCP the cut in the middle of a packet is a reset, with no
// TLS farewell before it.
func TestT03Reset(t *testing.T) {
	l := listen(t)
	conn, err := l.dial(t, &tls.Config{RootCAs: l.ca.Pool(), ServerName: "localhost"})
	must(t, err)
	login(t, conn)
	must(t, l.Reset(dev))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v, want a reset", err)
	}
	if err := l.Wait(t.Context(), func() bool { return l.Logins()[0].End != "" }); err != nil {
		t.Error(err)
	}
}

// TestT03HalfOpenTCP: the connection is accepted, and TLS never begins.
func TestT03HalfOpenTCP(t *testing.T) {
	l := listen(t)
	must(t, l.Inject(hubsim.Fault{Kind: hubsim.HalfOpen}))
	conn, err := net.Dial("tcp", l.addr)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	client := tls.Client(conn, &tls.Config{RootCAs: l.ca.Pool(), ServerName: "localhost"})
	var timeout net.Error
	if err := client.Handshake(); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("handshake: %v", err)
	}
}

// publishOver sends one D2C message over a connection of its own.
func publishOver(t *testing.T, l listening, body string) {
	t.Helper()
	conn, err := l.dial(t, &tls.Config{RootCAs: l.ca.Pool(), ServerName: "localhost"})
	must(t, err)
	login(t, conn)
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.Qos, p.MessageID = events, []byte(body), 1, 1
	must(t, p.Write(conn))
	ack, err := packets.ReadPacket(conn)
	must(t, err)
	if ack.Details().MessageID != 1 {
		t.Fatalf("got %v", ack)
	}
}
