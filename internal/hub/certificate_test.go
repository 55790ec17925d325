package hub_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/certificate/certtest"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

// TestCertificateLogin signs in with a certificate, by both ways and with both
// versions of TLS.
func TestCertificateLogin(t *testing.T) {
	ca, year := newAuthority(t, "Root"), time.Now().AddDate(1, 0, 0)
	own, stranger := certtest.SelfSigned(t, "whatever", year), certtest.SelfSigned(t, dev, year)
	for _, tt := range []struct {
		name    string
		way     hub.Way
		version uint16
		pair    certtest.Pair
		words   string // of the error; empty: connected
	}{
		{"TLS 1.3", hub.Direct, tls.VersionTLS13, own, ""},
		{"TLS 1.2", hub.Direct, tls.VersionTLS12, own, ""},
		{"WebSocket", hub.WebSocket, tls.VersionTLS12, own, ""},
		{"another one", hub.Direct, tls.VersionTLS13, stranger, `its certificate "rpi-0001" is not the one that the hub knows it by`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim := hubsim.New(hubsim.Options{})
			defer sim.Close()
			must(t, sim.AddDevice(hubsim.Device{ID: dev, Auth: hubsim.Thumbprint, Thumbprints: []string{own.Parse(t).Fingerprint()}}))
			config := &tls.Config{
				Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())}, ClientAuth: tls.RequestClientCert,
				MaxVersion: tt.version, ClientCAs: ca.pool(), // names an authority that has nothing to do with it
			}
			serve := sim.ServeConn
			if tt.way == hub.WebSocket {
				serve = sim.ServeWebSocketConn
			}
			port := listen(t, func(c net.Conn) { serve(tls.Server(c, config)) })
			_, events, stop := runAs(t, hub.Options{Port: port, WebPort: port, Roots: ca.pool()},
				hub.Identity{Host: "localhost", DeviceID: dev, Certificate: tt.pair.Parse(t), Way: tt.way})
			ev := <-events
			stop()
			d, _ := ev.(hub.Disconnected)
			if _, ok := ev.(hub.Connected); ok != (tt.words == "") || !ok && !strings.Contains(d.Err.Error(), tt.words) {
				t.Errorf("told: %+v", ev)
			}
		})
	}
}

// TestCertificateRefusedInTLS: with TLS 1.3 the refusal comes after the handshake.
func TestCertificateRefusedInTLS(t *testing.T) {
	ca := newAuthority(t, "Root")
	config := &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(),
	}
	port := listen(t, func(c net.Conn) { tls.Server(c, config).Handshake(); c.Close() })
	_, events, stop := runAs(t, hub.Options{Port: port, Roots: ca.pool()},
		hub.Identity{Host: "localhost", DeviceID: dev, Certificate: certtest.SelfSigned(t, dev, time.Now().AddDate(1, 0, 0)).Parse(t)})
	ev := <-events
	stop()
	d, _ := ev.(hub.Disconnected)
	e, ok := errors.AsType[*hub.Error](d.Err)
	if !ok || e.Network() || !strings.Contains(e.Error(), `the hub does not accept the certificate "rpi-0001" in TLS`) {
		t.Errorf("told: %+v", ev)
	}
}

// TestNewCertificateIsUsedWithinTheHour: a session with a certificate goes on for
// days, and looks every hour whether there is a new one.
func TestNewCertificateIsUsedWithinTheHour(t *testing.T) {
	year := time.Now().AddDate(100, 0, 0)
	first, second := certtest.SelfSigned(t, dev, year).Parse(t), certtest.SelfSigned(t, dev, year).Parse(t)
	var mu sync.Mutex
	asked, now := 0, first
	ca := newAuthority(t, "Root")
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, hubName, time.Now())}, ClientAuth: tls.RequestClientCert}
	s := setup{manual: true}
	s.options.Identify = func(context.Context, hub.Trouble) (hub.Identity, error) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return hub.Identity{Host: hubName, DeviceID: dev, Certificate: now}, nil
	}
	var sim *hubsim.Sim
	s.options.Dial = func(ctx context.Context, _ string, _ int) (net.Conn, error) {
		here, there := net.Pipe()
		go sim.ServeConn(tls.Server(there, config))
		mu.Lock()
		defer mu.Unlock()
		conn := tls.Client(here, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{*now.TLS()}})
		return conn, conn.HandshakeContext(ctx)
	}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		sim = c.Sim
		must(t, c.DeleteDevice(dev))
		must(t, c.AddDevice(hubsim.Device{ID: dev, Auth: hubsim.Thumbprint, Thumbprints: []string{first.Fingerprint(), second.Fingerprint()}}))
		d.run()
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		if n := len(c.Logins()); n != 1 || asked < 70 || asked > 75 {
			t.Fatalf("%d logins, looked %d times in three days, want 1 and about 72", n, asked)
		}
		mu.Lock()
		now = second
		mu.Unlock()
		time.Sleep(time.Hour)
		wantEqual(t, d.history(), "connected", "disconnected (renewal)", "connected (renewal)")
		if !strings.Contains(d.log(), "connected anew with the new certificate") {
			t.Error("not said")
		}
	})
}

// TestResumedSessionShowsTheNewCertificate: a TLS session that is resumed is one
// with the certificate of its beginning.
func TestResumedSessionShowsTheNewCertificate(t *testing.T) {
	ca, year := newAuthority(t, "Root"), time.Now().AddDate(1, 0, 0)
	first, second := certtest.SelfSigned(t, dev, year).Parse(t), certtest.SelfSigned(t, dev, year).Parse(t)
	sim := hubsim.New(hubsim.Options{})
	defer sim.Close()
	must(t, sim.AddDevice(hubsim.Device{ID: dev, Auth: hubsim.Thumbprint, Thumbprints: []string{first.Fingerprint()}}))
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())}, ClientAuth: tls.RequestClientCert}
	port := listen(t, func(c net.Conn) { sim.ServeConn(tls.Server(c, config)) })
	var renewed atomic.Bool
	o := hub.Options{Port: port, Roots: ca.pool(), Identify: func(context.Context, hub.Trouble) (hub.Identity, error) {
		id := hub.Identity{Host: "localhost", DeviceID: dev, Certificate: first}
		if renewed.Load() {
			id.Certificate = second
		}
		return id, nil
	}}
	_, events, stop := runAs(t, o, hub.Identity{})
	defer stop()
	if ev, ok := (<-events).(hub.Connected); !ok {
		t.Fatalf("told: %+v", ev)
	}
	renewed.Store(true)
	must(t, sim.DeleteDevice(dev))
	must(t, sim.AddDevice(hubsim.Device{ID: dev, Auth: hubsim.Thumbprint, Thumbprints: []string{second.Fingerprint()}}))
	for ended := 0; ; { // the twin of the first session may come before its end
		switch ev := (<-events).(type) {
		case hub.Disconnected:
			if ended++; ended > 1 {
				t.Fatal(ev.Err)
			}
		case hub.Connected:
			return
		}
	}
}

// TestRenegotiation: on port 443 the service may ask for the certificate when it
// has heard the request. Go's own server cannot do that, and openssl's no
// WebSocket; so it says no, which only a connection that stands can hear.
func TestRenegotiation(t *testing.T) {
	ca := certtest.NewAuthority(t, "Root")
	port := ca.IssueServer(t).Renegotiate(t, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
	_, events, stop := runAs(t, hub.Options{WebPort: port, Roots: ca.Pool()}, hub.Identity{
		Host: "localhost", DeviceID: dev, Way: hub.WebSocket,
		Certificate: certtest.SelfSigned(t, dev, time.Now().AddDate(1, 0, 0)).Parse(t),
	})
	ev := <-events
	stop()
	if d, _ := ev.(hub.Disconnected); d.Err == nil || !strings.Contains(d.Err.Error(), "(HTTP 404)") {
		t.Errorf("told: %+v", ev)
	}
}
