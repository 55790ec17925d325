package dps_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/certificate/certtest"
	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/token"
)

// TestCertificate: DPS sees the certificate and no token.
func TestCertificate(t *testing.T) {
	c := certtest.SelfSigned(t, "rpi-0001", time.Now().AddDate(1, 0, 0)).Parse(t)
	o := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 || !r.TLS.PeerCertificates[0].Equal(c.Leaf()) || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, assigned)
	}), func(s *httptest.Server) { s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert} })
	o.Key, o.Certificate = token.Key{}, c
	if got, err := dps.Register(t.Context(), o); err != nil || got != contoso {
		t.Errorf("Register: %+v, %v", got, err)
	}
}

func TestCertificateRefused(t *testing.T) {
	o := options(t, &service{replies: []reply{{401, "", "", false}}})
	o.Certificate = certtest.SelfSigned(t, "rpi-0001", time.Now().AddDate(1, 0, 0)).Parse(t)
	_, err := dps.Register(t.Context(), o)
	e, ok := errors.AsType[*dps.Error](err)
	if !ok || e.Kind != dps.Unauthorized {
		t.Fatalf("error %v", err)
	}
	for _, part := range []string{"the certificate does not fit registration id", strings.ToUpper(o.Certificate.Fingerprint()), "must be of the kind X.509"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

// TestRenegotiation: DPS may ask for the certificate when it has heard the request.
func TestRenegotiation(t *testing.T) {
	ca := certtest.NewAuthority(t, "Root")
	port := ca.IssueServer(t).Renegotiate(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(assigned), assigned))
	o := options(t, nil)
	o.Endpoint, o.Roots, o.Key = fmt.Sprint("localhost:", port), ca.Pool(), token.Key{}
	o.Certificate = certtest.SelfSigned(t, "rpi-0001", time.Now().AddDate(1, 0, 0)).Parse(t)
	if got, err := dps.Register(t.Context(), o); err != nil || got != contoso {
		t.Errorf("Register: %+v, %v", got, err)
	}
}

// TestFits asks without registering.
func TestFits(t *testing.T) {
	for _, tt := range []struct {
		status int
		want   bool
	}{{404, true}, {400, true}, {200, true}, {401, false}, {403, false}, {429, false}, {500, false}, {302, false}} {
		s := &service{replies: []reply{{tt.status, "", "", false}}}
		if got := dps.Fits(t.Context(), options(t, s)); got != tt.want || s.methods() != "GET" {
			t.Errorf("HTTP %d: %v after %s", tt.status, got, s.methods())
		}
	}
	o := options(t, roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }))
	if dps.Fits(t.Context(), o) {
		t.Error("true without an answer")
	}
}
