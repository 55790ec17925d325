package hubsim_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

func TestD02Token(t *testing.T) {
	inDPS(t, hubsim.Options{}, func(t *testing.T, c *cloud, _, single token.Key) {
		with := func(auth string) int {
			r := register(single, "rpi-7")
			r.auth = auth
			return c.ask(r).status
		}
		for auth, want := range map[string]int{
			signed(t, keyText, scope+"/registrations/rpi-7", time.Hour) + "&skn=registration":                                   202,
			signed(t, keyText, url.QueryEscape(scope+"/registrations/rpi-7"), time.Hour) + "&skn=registration":                  202,
			signed(t, keyText, strings.ToLower(url.QueryEscape(scope+"/registrations/rpi-7")), time.Hour) + "&skn=registration": 202,
			signed(t, keyText, scope+"/registrations/rpi-7", time.Hour):                                                         401,
			signed(t, keyText, scope+"/registrations/rpi-7", time.Hour) + "&skn=registrations":                                  401,
			signed(t, keyText, scope+"/registrations/rpi-8", time.Hour) + "&skn=registration":                                   401,
			signed(t, keyText, scope+"/registrations", time.Hour) + "&skn=registration":                                         401,
			signed(t, keyText, "0neother/registrations/rpi-7", time.Hour) + "&skn=registration":                                 401,
			signed(t, keyText, scope+"/registrations/rpi-7", -time.Second) + "&skn=registration":                                401,
			signed(t, groupText, scope+"/registrations/rpi-7", time.Hour) + "&skn=registration":                                 401,
			"": 401, "Bearer x": 401,
		} {
			if got := with(auth); got != want {
				t.Errorf("%s: %d, want %d", auth, got, want)
			}
		}
	})
}

func TestD05KeysAndIdentity(t *testing.T) {
	inDPS(t, hubsim.Options{}, func(t *testing.T, c *cloud, group, single token.Key) {
		for id, k := range map[string]token.Key{"rpi-7": single, "B827EB000001": group.Derive("B827EB000001")} {
			if a := c.provision(k, id); a.Status != "assigned" || a.State.DeviceID != id {
				t.Fatalf("%s: %+v", id, a)
			}
			cl := c.connect(func(p *connectPacket) {
				p.ClientIdentifier, p.Username = id, "localhost/"+id+"/?api-version=2021-04-12"
				p.Password = []byte(token.Hub(k, "localhost", id, time.Now().Add(time.Hour)))
			})
			cl.disconnect()
		}
		for name, k := range map[string]token.Key{"the group's key": group, "another device's": group.Derive("b827eb000001"), "the individual one": single} {
			if a := c.ask(register(k, "B827EB000001")); a.status != 401 || a.ErrorCode != 401002 {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if a := c.ask(register(group, "fleet")); a.status != 401 {
			t.Errorf("the group's own name and key: %+v", a)
		}
		if a := c.ask(register(group.Derive("rpi-7"), "rpi-7")); a.status != 401 {
			t.Errorf("a derived key where there is an individual enrollment: %+v", a)
		}
	})
}

// provisionX509 registers with a chain of certificates until there is a result.
func (c *cloud) provisionX509(id string, chain ...*authority) answer {
	c.t.Helper()
	r := register(token.Key{}, id)
	r.auth = ""
	for _, a := range chain {
		r.peer = append(r.peer, a.cert)
	}
	a := c.ask(r)
	for a.status == 202 {
		p := poll(token.Key{}, id, a.OperationID)
		p.auth, p.peer = "", r.peer
		a = c.ask(p)
	}
	return a
}

// TestX509Individual: a device registers with the certificate that is enrolled,
// and the hub knows it by the thumbprint (contract, section 8.2).
func TestX509Individual(t *testing.T) {
	inX509(t, func(t *testing.T, c *x509Cloud) {
		var self *authority
		first, second, other := self.issue(t, "RPI-7", false, inAYear()), self.issue(t, "rpi-7", false, inAYear()), self.issue(t, "rpi-7", false, inAYear())
		late := self.issue(t, "rpi-8", false, time.Now().Add(-time.Second))
		must(t, c.AddEnrollment(hubsim.Enrollment{ID: "rpi-7", Certificates: []*x509.Certificate{first.cert, second.cert}}))
		must(t, c.AddEnrollment(hubsim.Enrollment{ID: "rpi-8", Certificates: []*x509.Certificate{late.cert}}))
		must(t, c.AddEnrollment(hubsim.Enrollment{ID: "rpi-9", Key: key(t, keyText)}))
		for _, cert := range []*authority{first, second} {
			if a := c.provisionX509("rpi-7", cert); a.Status != "assigned" || a.State.DeviceID != "rpi-7" {
				t.Errorf("got %+v", a)
			}
			if got := c.try(cert.show(), withCertificate("rpi-7")); got != 0 {
				t.Errorf("at the hub: %d", got)
			}
		}
		if got := c.try(first.show(), withCertificate("rpi-7")); got != 5 {
			t.Errorf("at the hub, with the certificate of an earlier registration: %d, want 5", got)
		}
		for name, a := range map[string]answer{
			"another certificate": c.provisionX509("rpi-7", other),
			"no certificate":      c.provisionX509("rpi-7"),
			"expired":             c.provisionX509("rpi-8", late),
			"where there are keys": c.provisionX509("rpi-9",
				self.issue(t, "rpi-9", false, inAYear())),
			"a token where there is a certificate": c.provision(key(t, keyText), "rpi-7"),
		} {
			if a.status != 401 || a.ErrorCode != 401002 {
				t.Errorf("%s: %+v", name, a)
			}
		}
	})
}

// TestX509Group: any device registers for which a CA of the group has signed.
func TestX509Group(t *testing.T) {
	inX509(t, func(t *testing.T, c *x509Cloud) {
		var self *authority
		root := self.issue(t, "root", true, inAYear())
		between := root.issue(t, "between", true, inAYear())
		must(t, c.AddEnrollment(hubsim.Enrollment{ID: "keys", Group: true, Key: key(t, groupText)}))
		must(t, c.AddEnrollment(hubsim.Enrollment{ID: "roots", Group: true, Certificates: []*x509.Certificate{root.cert}}))
		direct, far := root.issue(t, "a", false, inAYear()), between.issue(t, "b", false, inAYear())
		for id, chain := range map[string][]*authority{"a": {direct}, "b": {far, between}} {
			if a := c.provisionX509(id, chain...); a.Status != "assigned" {
				t.Errorf("%s: %+v", id, a)
			}
			if got := c.try(chain[0].show(chain[1:]...), withCertificate(id)); got != 0 {
				t.Errorf("%s at the hub: %d", id, got)
			}
		}
		if a := c.provision(key(t, groupText).Derive("c"), "c"); a.Status != "assigned" {
			t.Errorf("by a key, next to it: %+v", a)
		}
		for name, a := range map[string]answer{
			"another name": c.provisionX509("c", direct),
			"link missing": c.provisionX509("b", far),
			"self-signed":  c.provisionX509("d", self.issue(t, "d", false, inAYear())),
			"expired":      c.provisionX509("e", root.issue(t, "e", false, time.Now().Add(-time.Second))),
		} {
			if a.status != 401 {
				t.Errorf("%s: %+v", name, a)
			}
		}
		must(t, c.DeleteEnrollment("roots"))
		must(t, c.AddEnrollment(hubsim.Enrollment{ID: "links", Group: true, Certificates: []*x509.Certificate{between.cert}}))
		if a := c.provisionX509("b", far); a.Status != "assigned" {
			t.Errorf("of an intermediate that is enrolled: %+v", a)
		}
		if a := c.provisionX509("a", direct); a.status != 401 {
			t.Errorf("of the CA above it: %+v", a)
		}
	})
}

// TestX509HTTPS: the service asks for a certificate in the handshake.
func TestX509HTTPS(t *testing.T) {
	s := hubsim.New(hubsim.Options{})
	defer s.Close()
	ca, err := hubsim.NewCA(time.Now())
	must(t, err)
	devices, err := hubsim.NewCA(time.Now())
	must(t, err)
	root, err := hubsim.ParseCertificate(devices.PEM())
	must(t, err)
	must(t, s.AddEnrollment(hubsim.Enrollment{ID: "group", Group: true, Certificates: []*x509.Certificate{root}}))
	server := httptest.NewUnstartedServer(s.DPS())
	server.TLS, err = s.DPSConfig(ca)
	must(t, err)
	server.StartTLS()
	defer server.Close()
	cert, err := devices.DeviceCertificate(time.Now(), "lamp")
	must(t, err)
	for want, certs := range map[int][]tls.Certificate{202: {cert}, 401: nil} {
		got := putOver(t, server.URL+"/"+scope+"/registrations/lamp/register?api-version=2019-03-31", &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: certs})
		if got != want {
			t.Errorf("%d certificates: %d, want %d", len(certs), got, want)
		}
	}
}

func putOver(t *testing.T, url string, config *tls.Config) int {
	t.Helper()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, nil)
	must(t, err)
	res, err := client.Do(req)
	must(t, err)
	defer res.Body.Close()
	return res.StatusCode
}
