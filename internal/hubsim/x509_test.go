package hubsim_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/gorilla/websocket"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// authority signs as a CA of devices does.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate, signed by a, or by itself if a is nil.
func (a *authority) issue(t testing.TB, cn string, ca bool, notAfter time.Time) *authority {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, IsCA: ca, BasicConstraintsValid: true,
	}
	if ca {
		c.KeyUsage = x509.KeyUsageCertSign
	}
	signer := &authority{c, k}
	if a != nil {
		signer = a
	}
	der, err := x509.CreateCertificate(rand.Reader, c, signer.cert, &k.PublicKey, signer.key)
	must(t, err)
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{parsed, k}
}

// show is what a device shows in TLS: its certificate, and those above it.
func (a *authority) show(above ...*authority) *tls.Certificate {
	out := &tls.Certificate{Certificate: [][]byte{a.cert.Raw}, PrivateKey: a.key}
	for _, b := range above {
		out.Certificate = append(out.Certificate, b.cert.Raw)
	}
	return out
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func inAYear() time.Time { return time.Now().AddDate(1, 0, 0) }

// withCertificate is a CONNECT without a password.
func withCertificate(id string) *connectPacket {
	p := hello()
	p.ClientIdentifier, p.Username = id, "localhost/"+id+"/?api-version=2021-04-12"
	p.PasswordFlag, p.Password = false, nil
	return p
}

// x509Cloud is a cloud with TLS, in a bubble.
type x509Cloud struct {
	*cloud
	server *tls.Config
	roots  *x509.CertPool
}

func inX509(t *testing.T, f func(t *testing.T, c *x509Cloud)) {
	t.Helper()
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		ca, err := hubsim.NewCA(time.Now())
		must(t, err)
		config, err := c.TLSConfig(ca)
		must(t, err)
		f(t, &x509Cloud{c, config, ca.Pool()})
	})
}

// dialTLS connects with a certificate, or without.
func (c *x509Cloud) dialTLS(name string, cert *tls.Certificate, serve func(net.Conn)) *tls.Conn {
	here, there := net.Pipe()
	go serve(tls.Server(there, c.server))
	config := &tls.Config{RootCAs: c.roots, ServerName: name}
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	conn := tls.Client(here, config)
	c.t.Cleanup(func() { here.Close() })
	return conn
}

// try sends a CONNECT over TLS and returns the code of the CONNACK.
func (c *x509Cloud) try(cert *tls.Certificate, p *connectPacket) int {
	c.t.Helper()
	return c.tryAt("localhost", cert, p)
}

func (c *x509Cloud) tryAt(name string, cert *tls.Certificate, p *connectPacket) int {
	c.t.Helper()
	cl := &client{c.t, c.dialTLS(name, cert, c.ServeConn), make(chan packets.ControlPacket, 2000)}
	must(c.t, cl.conn.(*tls.Conn).Handshake())
	go cl.read()
	cl.send(p)
	code := cl.connack()
	bareClose(cl.conn)
	return code
}

// bareClose does not wait for anybody to read the farewell of TLS.
func bareClose(conn net.Conn) { conn.(*tls.Conn).NetConn().Close() }

// TestX509Thumbprint: a device is known by the SHA-1 or SHA-256 of its
// certificate, primary or secondary, whoever has signed it.
func TestX509Thumbprint(t *testing.T) {
	inX509(t, func(t *testing.T, c *x509Cloud) {
		var self *authority
		first, second, other := self.issue(t, "anything", false, inAYear()), self.issue(t, "lamp", false, time.Now().Add(-time.Minute)), self.issue(t, "lamp", false, inAYear())
		short := fmt.Sprintf("%x", sha1.Sum(second.cert.Raw))
		must(t, c.AddDevice(hubsim.Device{ID: "lamp", Auth: hubsim.Thumbprint, Thumbprints: []string{hubsim.ThumbprintOf(first.cert.Raw), short}}))
		withPassword := withCertificate("lamp")
		withPassword.PasswordFlag, withPassword.Password = true, []byte(token.Hub(key(t, keyText), "localhost", "lamp", inAYear()))
		emptyPassword := withCertificate("lamp")
		emptyPassword.PasswordFlag = true
		for name, tt := range map[string]struct {
			cert *tls.Certificate
			p    *connectPacket
			want int
		}{
			"primary":                      {first.show(), withCertificate("lamp"), 0},
			"secondary, SHA-1 and expired": {second.show(), withCertificate("lamp"), 0},
			"empty password":               {first.show(), emptyPassword, 0},
			"other":                        {other.show(), withCertificate("lamp"), 5},
			"known one further up":         {other.show(first), withCertificate("lamp"), 5},
			"none":                         {nil, withCertificate("lamp"), 5},
			"with a password":              {first.show(), withPassword, 5},
			"a device that has a key":      {first.show(), withCertificate(dev), 5},
			"that device, with its token":  {first.show(), hello(), 0},
		} {
			if got := c.try(tt.cert, tt.p); got != tt.want {
				t.Errorf("%s: %d, want %d", name, got, tt.want)
			}
		}
	})
}

// TestX509CASigned: a CA of the hub has signed for the device id, by way of
// certificates that the device shows.
func TestX509CASigned(t *testing.T) {
	inX509(t, func(t *testing.T, c *x509Cloud) {
		var self *authority
		root := self.issue(t, "root", true, inAYear())
		between := root.issue(t, "between", true, inAYear())
		good := between.issue(t, "lamp", false, inAYear())
		must(t, c.AddDevice(hubsim.Device{ID: "lamp", Auth: hubsim.CASigned}))
		if got := c.try(good.show(between), withCertificate("lamp")); got != 5 {
			t.Errorf("before the hub knows the CA: %d, want 5", got)
		}
		must(t, c.AddCertificate("fleet", root.pem()))
		for name, tt := range map[string]struct {
			cert *tls.Certificate
			want int
		}{
			"chain":             {good.show(between), 0},
			"with the root":     {good.show(between, root), 0},
			"link missing":      {good.show(), 5},
			"signed directly":   {root.issue(t, "lamp", false, inAYear()).show(), 0},
			"another device's":  {between.issue(t, "lamp2", false, inAYear()).show(between), 5},
			"another case":      {between.issue(t, "Lamp", false, inAYear()).show(between), 5},
			"expired":           {between.issue(t, "lamp", false, time.Now().Add(-time.Second)).show(between), 5},
			"self-signed":       {self.issue(t, "lamp", false, inAYear()).show(), 5},
			"of another CA":     {self.issue(t, "root", true, inAYear()).issue(t, "lamp", false, inAYear()).show(), 5},
			"no certificate":    {nil, 5},
			"signed by no CA":   {root.issue(t, "x", false, inAYear()).issue(t, "lamp", false, inAYear()).show(), 5},
			"chain of eleven":   {good.show(between, between, between, between, between, between, between, between, between, between), 5},
			"through an end CA": {good.show(root.issue(t, "between", false, inAYear())), 5},
		} {
			if got := c.try(tt.cert, withCertificate("lamp")); got != tt.want {
				t.Errorf("%s: %d, want %d", name, got, tt.want)
			}
		}
		must(t, c.DeleteCertificate("fleet"))
		if got := c.try(good.show(between), withCertificate("lamp")); got != 5 {
			t.Errorf("after the CA was forgotten: %d, want 5", got)
		}
	})
}

// TestX509Session: it has no token that ends, a stamp of its own, and goes over
// WebSocket, unless the path says that there is no certificate.
func TestX509Session(t *testing.T) {
	inX509(t, func(t *testing.T, c *x509Cloud) {
		lamp, err := hubsim.SelfSigned(time.Now(), "lamp")
		must(t, err)
		must(t, c.AddDevice(hubsim.Device{ID: "lamp", Auth: hubsim.Thumbprint, Thumbprints: []string{hubsim.ThumbprintOf(lamp.Certificate[0])}}))
		over := func(query string) (*client, int) {
			d := websocket.Dialer{Subprotocols: []string{"mqtt"}, NetDialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				return c.dialTLS("localhost", &lamp, c.ServeWebSocketConn), nil
			}}
			ws, _, err := d.DialContext(t.Context(), "wss://localhost/$iothub/websocket"+query, nil)
			must(t, err)
			cl := &client{t, hubsim.WebSocketConn(ws), make(chan packets.ControlPacket, 2000)}
			go cl.read()
			cl.send(withCertificate("lamp"))
			return cl, cl.connack()
		}
		if _, code := over("?iothub-no-client-cert=true"); code != 5 {
			t.Errorf("without asking for a certificate: %d, want 5", code)
		}
		cl, code := over("?iothub-no-client-cert=false")
		if code != 0 {
			t.Fatalf("CONNACK %d", code)
		}
		for range 48 {
			cl.quiet(time.Hour / 60)
			cl.send(packets.NewControlPacket(packets.Pingreq))
			cl.next()
		}
		cl.publish(1, "devices/lamp/messages/events/", "x")
		want := `{"scope":"device","type":"x509Certificate","issuer":"external"}`
		if r := c.record("x"); r.System["iothub-connection-auth-method"] != want {
			t.Errorf("record %+v", r)
		}
		all := c.Logins() // the refusal is noted after its CONNACK
		if i := slices.IndexFunc(all, func(l hubsim.Login) bool { return l.Code == 0 }); all[i].Auth != "thumbprint" || !all[i].Expiry.IsZero() || all[i].End != "" {
			t.Errorf("logins %+v", all)
		}
	})
}

func TestX509Refused(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		var self *authority
		end, ca := self.issue(t, "x", false, inAYear()), self.issue(t, "x", true, inAYear())
		print := hubsim.ThumbprintOf(end.cert.Raw)
		for i, err := range []error{
			c.AddDevice(hubsim.Device{ID: "a", Auth: "x509"}),
			c.AddDevice(hubsim.Device{ID: "a", Auth: hubsim.Thumbprint}),
			c.AddDevice(hubsim.Device{ID: "a", Auth: hubsim.Thumbprint, Thumbprints: []string{"12"}}),
			c.AddDevice(hubsim.Device{ID: "a", Auth: hubsim.Thumbprint, Thumbprints: []string{print, print, print}}),
			c.AddDevice(hubsim.Device{ID: "a", Thumbprints: []string{print}}),
			c.AddDevice(hubsim.Device{ID: "a", Auth: hubsim.CASigned, Thumbprints: []string{print}}),
			c.AddCertificate("a", end.pem()),
			c.AddCertificate("a", append(ca.pem(), ca.pem()...)),
			c.AddCertificate("a", []byte("x")),
			c.AddCertificate("a", []byte(strings.Repeat("x", 65<<10))),
			c.AddCertificate("a/b", ca.pem()),
			c.DeleteCertificate("a"),
			c.AddEnrollment(hubsim.Enrollment{ID: "a", Certificates: []*x509.Certificate{end.cert}}),
			c.AddEnrollment(hubsim.Enrollment{ID: "x", Group: true, Certificates: []*x509.Certificate{end.cert}}),
			c.AddEnrollment(hubsim.Enrollment{ID: "x", Certificates: []*x509.Certificate{end.cert, end.cert, end.cert}}),
		} {
			if err == nil {
				t.Errorf("case %d is taken", i)
			}
		}
	})
}

// TestX509Restart: devices, CAs and enrollments with certificates are kept.
func TestX509Restart(t *testing.T) {
	dir := t.TempDir()
	var self *authority
	ca, end := self.issue(t, "ca", true, inAYear()), self.issue(t, "end", false, inAYear())
	c := open(t, dir, hubsim.Options{})
	must(t, c.AddCertificate("fleet", ca.pem()))
	must(t, c.AddDevice(hubsim.Device{ID: "t", Auth: hubsim.Thumbprint, Thumbprints: []string{hubsim.ThumbprintOf(end.cert.Raw)}}))
	must(t, c.AddDevice(hubsim.Device{ID: "ca", Auth: hubsim.CASigned}))
	must(t, c.CreateDevice("k", "", keyText, otherText))
	must(t, c.AddEnrollment(hubsim.Enrollment{ID: "end", Certificates: []*x509.Certificate{end.cert}}))
	must(t, c.AddEnrollment(hubsim.Enrollment{ID: "group", Group: true, Certificates: []*x509.Certificate{ca.cert}}))
	must(t, c.CreateEnrollment(hubsim.Enrollment{ID: "keys"}, keyText, otherText))
	before := fmt.Sprint(c.Devices(), c.Certificates(), c.Enrollments())
	c = open(t, dir, hubsim.Options{})
	if after := fmt.Sprint(c.Devices(), c.Certificates(), c.Enrollments()); after != before || !strings.Contains(after, "x509") {
		t.Errorf("before %s\nafter  %s", before, after)
	}
	for _, keys := range []func() (string, string, error){func() (string, string, error) { return c.Keys("k") }, func() (string, string, error) { return c.EnrollmentKeys("keys") }} {
		if a, b, err := keys(); a != keyText || b != otherText || err != nil {
			t.Errorf("keys %v", err)
		}
	}
}

// TestX509Clock: it is the cloud's clock that judges the dates.
func TestX509Clock(t *testing.T) {
	inBubble(t, hubsim.Options{Now: func() time.Time { return time.Now().AddDate(2, 0, 0) }}, func(t *testing.T, c *cloud) {
		ca, err := hubsim.NewCA(time.Now())
		must(t, err)
		config, err := c.TLSConfig(ca)
		must(t, err)
		x := &x509Cloud{c, config, ca.Pool()}
		x.server.GetCertificate = nil // which would be of the cloud's time
		server, err := ca.Certificate(time.Now(), "localhost")
		must(t, err)
		x.server.Certificates = []tls.Certificate{server}
		var self *authority
		devices := self.issue(t, "root", true, time.Now().AddDate(10, 0, 0))
		must(t, c.AddDevice(hubsim.Device{ID: "lamp", Auth: hubsim.CASigned}))
		must(t, c.AddCertificate("fleet", devices.pem()))
		for years, want := range map[int]int{1: 5, 3: 0} {
			if got := x.try(devices.issue(t, "lamp", false, time.Now().AddDate(years, 0, 0)).show(), withCertificate("lamp")); got != want {
				t.Errorf("a certificate for %d years, after two: %d, want %d", years, got, want)
			}
		}
	})
}
