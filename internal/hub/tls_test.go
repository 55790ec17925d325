package hub_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

// authority is a CA that a device may trust.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{cert, k}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// issue makes a certificate for name that counts for a day around now.
func (a *authority) issue(t *testing.T, name string, now time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.Add(-12 * time.Hour), NotAfter: now.Add(12 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// listen accepts connections on a free port of this machine.
func listen(t *testing.T, serve func(net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// firstEvent connects to localhost and returns what the device is told first.
func firstEvent(t *testing.T, o hub.Options) hub.Event {
	t.Helper()
	o.Identify = func(context.Context, hub.Trouble) (hub.Identity, error) {
		return hub.Identity{Host: "localhost", DeviceID: dev, Key: key(t)}, nil
	}
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := make(chan hub.Event)
	ended := make(chan error)
	go func() { ended <- hub.New(o).Run(ctx, events) }()
	ev := <-events
	cancel()
	must(t, <-ended)
	return ev
}

func TestTLS(t *testing.T) {
	trusted, foreign := newAuthority(t, "Trusted Root"), newAuthority(t, "Meddling Proxy CA")
	now := time.Now()
	long := now.AddDate(-3, 0, 0)
	at := func(t time.Time) func() time.Time { return func() time.Time { return t } }
	for _, tt := range []struct {
		name   string
		config *tls.Config
		now    func() time.Time
		words  string // of the error; empty: connected
	}{
		{"right", &tls.Config{Certificates: []tls.Certificate{trusted.issue(t, "localhost", now)}}, nil, ""},
		{"TLS 1.2", &tls.Config{
			Certificates: []tls.Certificate{trusted.issue(t, "localhost", now)}, MaxVersion: tls.VersionTLS12}, nil, ""},
		{"TLS 1.1", &tls.Config{
			Certificates: []tls.Certificate{trusted.issue(t, "localhost", now)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			nil, "no TLS with localhost: tls: protocol version not supported"},
		{"unknown issuer", &tls.Config{Certificates: []tls.Certificate{foreign.issue(t, "localhost", now)}}, nil,
			`issued by "CN=Meddling Proxy CA", whom this device does not trust: install the package ca-certificates`},
		{"wrong name", &tls.Config{Certificates: []tls.Certificate{trusted.issue(t, "other.example", now)}}, nil,
			"the certificate is for other.example and not for localhost"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{trusted.issue(t, "localhost", long)}}, nil,
			", does not count now, at " + now.UTC().Format("2006-01-02")},
		{"expired by the wrong clock only", &tls.Config{Certificates: []tls.Certificate{trusted.issue(t, "localhost", long)}}, at(long), ""},
		{"not yet by the wrong clock", &tls.Config{Certificates: []tls.Certificate{trusted.issue(t, "localhost", now)}}, at(long),
			"is the clock right?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim := hubsim.New(hubsim.Options{Now: tt.now})
			defer sim.Close()
			must(t, sim.AddDevice(hubsim.Device{ID: dev, Key: key(t)}))
			var sni string
			tt.config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				sni = h.ServerName
				return nil, nil
			}
			port := listen(t, func(c net.Conn) { sim.ServeConn(tls.Server(c, tt.config)) })
			switch ev := firstEvent(t, hub.Options{Port: port, Roots: trusted.pool(), Now: tt.now}).(type) {
			case hub.Connected:
				if tt.words != "" {
					t.Error("connected")
				}
				if sni != "localhost" {
					t.Errorf("SNI %q", sni)
				}
			case hub.Disconnected:
				e, ok := errors.AsType[*hub.Error](ev.Err)
				if tt.words == "" || !ok || e.Kind != hub.Untrusted || e.Network() != (tt.name == "TLS 1.1") || !strings.Contains(e.Error(), tt.words) {
					t.Errorf("told: %v", ev.Err)
				}
			}
		})
	}
}

func TestNoTLS(t *testing.T) {
	for _, tt := range []struct {
		name  string
		port  int
		kind  hub.Kind
		words string
	}{
		{"plain", listen(t, func(c net.Conn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); c.Close() }),
			hub.Untrusted, "does not speak TLS on port"},
		{"closing", listen(t, func(c net.Conn) { c.Close() }), hub.Untrusted, "closed the connection during the TLS handshake"},
		{"nobody", closedPort(t), hub.Unreachable, "localhost refuses connections on port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := firstEvent(t, hub.Options{Port: tt.port})
			d, _ := ev.(hub.Disconnected)
			e, ok := errors.AsType[*hub.Error](d.Err)
			if !ok || e.Kind != tt.kind || !e.Network() || !strings.Contains(e.Error(), tt.words) {
				t.Errorf("told: %+v", ev)
			}
		})
	}
}

// closedPort is one where nobody listens.
func closedPort(t *testing.T) int {
	l, err := net.Listen("tcp", "localhost:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestSessionOverTLS goes the whole way once with real sockets: command, answer,
// renewal, and a polite end.
func TestSessionOverTLS(t *testing.T) {
	ca := newAuthority(t, "Root")
	sim := hubsim.New(hubsim.Options{})
	defer sim.Close()
	must(t, sim.AddDevice(hubsim.Device{ID: dev, Key: key(t)}))
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())}}
	port := listen(t, func(c net.Conn) { sim.ServeConn(tls.Server(c, config)) })

	client := hub.New(hub.Options{
		Identify: func(context.Context, hub.Trouble) (hub.Identity, error) {
			return hub.Identity{Host: "localhost", DeviceID: dev, Key: key(t)}, nil
		},
		Port: port, TokenTTL: 2 * time.Second, Roots: ca.pool(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := make(chan hub.Event)
	ended := make(chan error)
	go func() { ended <- client.Run(ctx, events) }()
	for answered := 0; answered < 2; {
		switch ev := (<-events).(type) {
		case hub.Connected:
			_, err := sim.Send(dev, hubsim.C2D{Body: []byte("x")})
			must(t, err)
		case hub.Message:
			client.Send(hub.Telemetry{Body: []byte("did " + string(ev.Body))})
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
	cancel()
	must(t, <-ended)
	must(t, sim.Wait(t.Context(), func() bool { return !sim.Devices()[0].Connected }))
	for _, l := range sim.Logins() {
		if l.End != "the device sent DISCONNECT" {
			t.Errorf("login %+v", l)
		}
	}
	for _, r := range sim.Records() {
		if string(r.Body) != "did x" {
			t.Errorf("the hub has %q", r.Body)
		}
	}
}

// A device that comes again resumes its TLS session.
func TestTLSIsResumed(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			ca := newAuthority(t, "Root")
			sim := hubsim.New(hubsim.Options{})
			defer sim.Close()
			must(t, sim.AddDevice(hubsim.Device{ID: dev, Key: key(t)}))
			config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())}, MaxVersion: version}
			resumed := make(chan bool, 10)
			port := listen(t, func(raw net.Conn) {
				c := tls.Server(raw, config)
				if c.Handshake() == nil {
					resumed <- c.ConnectionState().DidResume
				}
				sim.ServeConn(c)
			})
			client := hub.New(hub.Options{
				Identify: func(context.Context, hub.Trouble) (hub.Identity, error) {
					return hub.Identity{Host: "localhost", DeviceID: dev, Key: key(t)}, nil
				},
				Port: port, TokenTTL: 2 * time.Second, Roots: ca.pool(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
			})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- client.Run(ctx, nil) }()
			if first, second := <-resumed, <-resumed; first || !second {
				t.Errorf("resumed: %v at first, then %v", first, second)
			}
			cancel()
			must(t, <-ended)
		})
	}
}
