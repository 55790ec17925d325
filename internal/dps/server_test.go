package dps_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tasmota-azd/internal/dps"
)

// proxied is where the proxy of the tests leads, whatever it is asked for.
var proxied atomic.Value

// TestMain sets a proxy for the whole run: Go reads the environment only once.
// Addresses of this machine do not go through it.
func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(tunnel))
	os.Setenv("HTTPS_PROXY", proxy.URL)
	os.Setenv("NO_PROXY", "")
	code := m.Run()
	proxy.Close()
	os.Exit(code)
}

// tunnel is a proxy for CONNECT.
func tunnel(w http.ResponseWriter, r *http.Request) {
	to, _ := proxied.Load().(string)
	if r.Method != http.MethodConnect || r.Host != "example.com:443" || to == "" {
		http.Error(w, "not here", http.StatusForbidden)
		return
	}
	there, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	fmt.Fprint(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go io.Copy(there, here)
	io.Copy(here, there)
}

// always answers every request alike.
func always(status int, body string, header http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// serve starts a DPS and returns options for asking it. tune changes the
// server before it starts.
func serve(t *testing.T, h http.Handler, tune ...func(*httptest.Server)) dps.Options {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	for _, f := range tune {
		f(s)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	o := options(t, nil)
	o.Endpoint = s.Listener.Addr().String()
	o.Roots = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return o
}

// TestRefusals: each refusal has its kind, and words for the owner.
func TestRefusals(t *testing.T) {
	state := func(status, hub, id string) string {
		return `{"operationId":"1","status":"` + status + `","registrationState":{"assignedHub":"` + hub + `","deviceId":"` + id + `"}}`
	}
	failed := func(code string) string {
		return `{"operationId":"1","status":"failed","registrationState":{"status":"failed","errorCode":` + code + `,"errorMessage":"as it is"}}`
	}
	for _, tt := range []struct {
		name, body string
		status     int
		kind       dps.Kind
		says       []string
	}{
		{"wrong key", `{"errorCode":401002,"trackingId":"a1b2","message":"Invalid certificate."}`, 401, dps.Unauthorized,
			[]string{`the key does not fit registration id "rpi-0001" in scope 0ne000A0B1C`, "HTTP 401", "code 401002", "Invalid certificate.", "tracking id a1b2",
				"dps.key_file", "dps.key_kind is group", "individual", "dps.scope_id"}},
		{"without a body", "", 401, dps.Unauthorized, []string{"HTTP 401", "dps.key_file"}},
		{"not let in", "", 403, dps.Unauthorized, []string{"IP filter"}},
		{"not enrolled", `{"errorCode":404201,"message":"not found"}`, 404, dps.NotEnrolled, []string{`no enrollment for registration id "rpi-0001"`, "code 404201", "dps.scope_id"}},
		{"bad request", `{"errorCode":400000,"message":"bad"}`, 400, dps.BadRequest, []string{"HTTP 400", "dps.scope_id", "dps.registration_id"}},
		{"wrong call", "", 415, dps.BadRequest, []string{"HTTP 415"}},
		{"not approved, at once", `{"errorCode":400209}`, 400, dps.Failed, []string{"not approved, or blocked", "IoT Central"}},
		{"allocation failed", failed("400207"), 200, dps.Failed, []string{"custom allocation failed", "as it is", "allocation function"}},
		{"no hub", failed(`"400208"`), 200, dps.Failed, []string{"no IoT hub is linked", "link an IoT hub"}},
		{"failed otherwise", failed("500000"), 200, dps.Failed, []string{"found no hub", "code 500000", "linked hubs"}},
		{"disabled", state("disabled", "", ""), 200, dps.Disabled, []string{"is disabled", "enable"}},
		{"blacklisted", state("Blacklisted", "", ""), 200, dps.Disabled, []string{"is disabled"}},
		{"new status", state("pondering", "", ""), 200, dps.BadAnswer, []string{`unknown status "pondering"`, "dps.endpoint"}},
		{"no status", `{}`, 200, dps.BadAnswer, []string{`unknown status ""`}},
		{"login page", "<html>Welcome", 200, dps.BadAnswer, []string{"not the JSON", "login page"}},
		{"redirect with an assignment", assigned, 302, dps.BadAnswer, []string{"redirect to https://other.example/, not followed"}},
		{"redirect", "", 302, dps.BadAnswer, []string{"redirect to https://other.example/, not followed"}},
		{"hub with a path", state("assigned", "evil.example/x", "d"), 200, dps.BadAnswer, []string{"evil.example/x", "not a host name"}},
		{"hub with a port", state("assigned", "hub:1883", "d"), 200, dps.BadAnswer, []string{"not a host name"}},
		{"hub with a dash", state("assigned", "-hub", "d"), 200, dps.BadAnswer, []string{"not a host name"}},
		{"hub missing", state("assigned", "", "d"), 200, dps.BadAnswer, []string{"not a host name"}},
		{"hub too long", state("assigned", strings.Repeat("a.", 140)+"a", "d"), 200, dps.BadAnswer, []string{"not a host name"}},
		{"id with a wildcard", state("assigned", "h.example", "a#"), 200, dps.BadAnswer, []string{`device id "a#"`}},
		{"id with a slash", state("assigned", "h.example", "a/b"), 200, dps.BadAnswer, []string{`device id "a/b"`}},
		{"id missing", state("assigned", "h.example", ""), 200, dps.BadAnswer, []string{"device id"}},
		{"id too long", state("assigned", "h.example", strings.Repeat("x", 129)), 200, dps.BadAnswer, []string{"device id"}},
		{"endless", `{"status":"assigned","x":"` + strings.Repeat("x", 200<<10) + `"}`, 200, dps.BadAnswer, []string{"not the JSON"}},
		{"endless but empty", assigned + strings.Repeat(" ", 200<<10), 200, dps.BadAnswer, []string{"not the JSON"}},
		{"busy", "", 503, dps.Unavailable, []string{"trouble of its own", "nothing to do"}},
		{"too many", "", 429, dps.Throttled, []string{"too much to do", "nothing to do"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := serve(t, always(tt.status, tt.body, http.Header{
				"Content-Type": {"application/json"}, "Location": {"https://other.example/"}, "Retry-After": {"3600"},
			}))
			got, err := dps.Register(t.Context(), o)
			e, ok := errors.AsType[*dps.Error](err)
			if !ok || e.Kind != tt.kind || got != (dps.Assignment{}) {
				t.Fatalf("Register: %+v, %v, want kind %v", got, err, tt.kind)
			}
			if e.Status != tt.status || e.RetryAfter != time.Hour || e.Unwrap() != nil {
				t.Errorf("status %d, retry after %v, cause %v", e.Status, e.RetryAfter, e.Unwrap())
			}
			text := err.Error()
			for _, part := range append(tt.says, o.Endpoint) {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not say %q", text, part)
				}
			}
			if strings.ContainsAny(text, "\n\r\x1b") || len(text) > 1000 {
				t.Errorf("%q is no line for a log", text)
			}
		})
	}
}

func TestForeignTextIsTamed(t *testing.T) {
	o := serve(t, always(401, `{"message":"a\n\u001b[31mb`+strings.Repeat("ä", 500)+`"}`, nil))
	_, err := dps.Register(t.Context(), o)
	if text := fmt.Sprint(err); strings.ContainsAny(text, "\n\x1b") || len(text) > 900 || !strings.Contains(text, "ä…") {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

func TestAssignedOverTLS(t *testing.T) {
	closed := make(chan struct{})
	o := serve(t, always(200, strings.Replace(assigned, "contoso", "Contoso", 1), nil), func(s *httptest.Server) {
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(closed)
			}
		}
	})
	if got, err := dps.Register(t.Context(), o); err != nil || got != contoso {
		t.Errorf("Register: %+v, %v", got, err)
	}
	<-closed // nothing stays open after the exchange
}

func TestUntrusted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*dps.Options)
		says   []string
	}{
		{"unknown issuer", func(o *dps.Options) { o.Roots = x509.NewCertPool() }, []string{"not trusted", `issued by "O=Acme Co"`, "dps.ca_file"}},
		{"clock ahead", func(o *dps.Options) { o.Now = func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) } },
			[]string{"expired or is not yet valid", "2100-01-01", "ntp.servers"}},
		{"other name", func(o *dps.Options) { o.Endpoint = strings.Replace(o.Endpoint, "127.0.0.1", "localhost", 1) },
			[]string{"localhost", "dps.endpoint"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := serve(t, always(200, assigned, nil))
			tt.change(&o)
			_, err := dps.Register(t.Context(), o)
			e, ok := errors.AsType[*dps.Error](err)
			if !ok || e.Kind != dps.Untrusted || e.Kind.Passing() {
				t.Fatalf("error %v, want kind untrusted", err)
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	o := serve(t, always(200, assigned, nil), func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	})
	_, err := dps.Register(t.Context(), o)
	if e, ok := errors.AsType[*dps.Error](err); !ok || e.Kind != dps.Unreachable || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("error %v, want a TLS version that is refused", err)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there now
	o := options(t, nil)
	o.Endpoint = l.Addr().String()
	_, err = dps.Register(t.Context(), o)
	e, ok := errors.AsType[*dps.Error](err)
	if !ok || e.Kind != dps.Unreachable || !e.Kind.Passing() || e.Unwrap() == nil {
		t.Fatalf("error %v, want kind unreachable", err)
	}
	for _, part := range []string{"cannot be reached", "connection refused", "TCP 443", "HTTPS_PROXY"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

// TestProxy: the proxy of the environment is used, and its refusal told.
func TestProxy(t *testing.T) {
	o := serve(t, always(200, assigned, nil))
	proxied.Store(o.Endpoint)
	o.Endpoint = "example.com:443" // in the certificate of httptest
	if got, err := dps.Register(t.Context(), o); err != nil || got != contoso {
		t.Errorf("Register: %+v, %v", got, err)
	}
	o.Endpoint = "blocked.example"
	_, err := dps.Register(t.Context(), o)
	if e, ok := errors.AsType[*dps.Error](err); !ok || e.Kind != dps.Unreachable || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("error %v, want the proxy's refusal", err)
	}
}

// TestHalfAnswer: a connection that breaks within the answer.
func TestHalfAnswer(t *testing.T) {
	o := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(assigned), assigned[:20])
		rw.Flush()
		c.Close()
	}))
	_, err := dps.Register(t.Context(), o)
	if e, ok := errors.AsType[*dps.Error](err); !ok || e.Kind != dps.Unreachable {
		t.Errorf("error %v, want kind unreachable", err)
	}
}
