package dps_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/token"
)

const (
	assigning = `{"operationId":"5.d1c0.op-1","status":"assigning"}`
	assigned  = `{"operationId":"5.d1c0.op-1","status":"assigned","registrationState":{"registrationId":"rpi-0001",` +
		`"assignedHub":"contoso.azure-devices.net","deviceId":"rpi-0001","status":"assigned","substatus":"initialAssignment"}}`
	throttled = `{"errorCode":429001,"trackingId":"t","message":"throttled"}`
)

// A reply is what the service answers to one request.
type reply struct {
	status     int
	retryAfter string
	body       string
	never      bool // no answer until the client gives up
}

// A service answers the requests of one exchange from a list, and then the
// last one again and again, or all of them.
type service struct {
	replies  []reply
	round    bool // begin again at the end of the list
	requests []seen
}

func (s *service) next() reply {
	n := len(s.requests)
	if s.round {
		return s.replies[n%len(s.replies)]
	}
	return s.replies[min(n, len(s.replies)-1)]
}

type seen struct {
	at           time.Time
	method, path string // path with its query
	header       http.Header
	body         string
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	reply := s.next()
	s.requests = append(s.requests, seen{time.Now(), r.Method, r.URL.RequestURI(), r.Header, string(b)})
	if reply.never {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	if reply.retryAfter != "" {
		h.Set("Retry-After", reply.retryAfter)
	}
	return &http.Response{StatusCode: reply.status, Header: h, Body: io.NopCloser(strings.NewReader(reply.body)), Request: r}, nil
}

// methods is the exchange in short: "PUT GET GET".
func (s *service) methods() string {
	var list []string
	for _, r := range s.requests {
		list = append(list, r.method)
	}
	return strings.Join(list, " ")
}

// gaps are the waits between the requests.
func (s *service) gaps() []time.Duration {
	var list []time.Duration
	for i := 1; i < len(s.requests); i++ {
		list = append(list, s.requests[i].at.Sub(s.requests[i-1].at))
	}
	return list
}

func key(t testing.TB, text string) token.Key {
	t.Helper()
	k, err := token.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func options(t testing.TB, s http.RoundTripper) dps.Options {
	return dps.Options{
		ScopeID:        "0ne000A0B1C",
		RegistrationID: "rpi-0001",
		Key:            key(t, "vS+/W9ZdUFRNbQjaCLk81q/S+YK9kPPx8DlkOcaUhSM="),
		Transport:      s,
		Log:            slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

var contoso = dps.Assignment{Hub: "contoso.azure-devices.net", DeviceID: "rpi-0001", Substatus: "initialAssignment"}

// TestExchange: how an exchange goes on, and how long it waits in between. The
// clock of a bubble starts at 2000-01-01 00:00:00 UTC.
func TestExchange(t *testing.T) {
	sec := func(list ...int) (d []time.Duration) {
		for _, s := range list {
			d = append(d, time.Duration(s)*time.Second)
		}
		return d
	}
	for _, tt := range []struct {
		name    string
		replies []reply
		methods string
		gaps    []time.Duration // the least that has to be waited
		most    time.Duration   // added to each gap, the most
	}{
		{"at once", []reply{{200, "", assigned, false}}, "PUT", nil, 0},
		{"seconds", []reply{{202, "3", assigning, false}, {200, "", assigned, false}}, "PUT GET", sec(3), time.Second},
		{"date", []reply{{202, "Sat, 01 Jan 2000 00:00:07 GMT", assigning, false}, {200, "", assigned, false}}, "PUT GET", sec(7), time.Second},
		{"date in the past", []reply{{202, "Fri, 31 Dec 1999 23:00:00 GMT", assigning, false}, {200, "", assigned, false}}, "PUT GET", sec(2), time.Second},
		{"not said", []reply{{202, "", assigning, false}, {200, "", assigned, false}}, "PUT GET", sec(2), time.Second},
		{"nonsense", []reply{{202, "soon", assigning, false}, {200, "", assigned, false}}, "PUT GET", sec(2), time.Second},
		{"too often", []reply{{202, "0", assigning, false}, {200, "", assigned, false}}, "PUT GET", sec(2), time.Second},
		{"any letter case", []reply{{202, "", strings.Replace(assigning, `"assigning"`, `"Assigning"`, 1), false},
			{200, "", strings.Replace(assigned, `"assigned"`, `"ASSIGNED"`, 1), false}}, "PUT GET", sec(2), time.Second},
		{"status only inside", []reply{{200, "", strings.Replace(assigned, `"status":"assigned",`, ``, 1), false}}, "PUT", nil, 0},
		{"unassigned", []reply{{200, "", strings.Replace(assigning, `"assigning"`, `"unassigned"`, 1), false}, {200, "", assigned, false}},
			"PUT GET", sec(2), time.Second},
		{"throttled at registration", []reply{{429, "10", throttled, false}, {200, "", assigned, false}}, "PUT PUT", sec(10), 2 * time.Second},
		{"throttled poll", []reply{{202, "3", assigning, false}, {429, "7", throttled, false}, {200, "", assigned, false}},
			"PUT GET GET", sec(3, 7), 2 * time.Second},
		{"service down", []reply{{202, "3", assigning, false}, {503, "", "<html>", false}, {500, "", "", false}, {200, "", assigned, false}},
			"PUT GET GET GET", sec(3, 2, 4), 3 * time.Second},
		{"longer and longer", []reply{{500, "", "", false}, {500, "", "", false}, {500, "", "", false}, {500, "", "", false}, {500, "", "", false}, {500, "", "", false}, {200, "", assigned, false}},
			"PUT PUT PUT PUT PUT PUT PUT", sec(2, 4, 8, 16, 30, 30), 15 * time.Second},
		{"operation named by the error", []reply{{503, "", `{"operationId":"5.x"}`, false}, {200, "", assigned, false}}, "PUT GET", sec(2), 2 * time.Second},
		{"operation lost", []reply{{202, "", assigning, false}, {404, "", `{"errorCode":404203}`, false}, {202, "", assigning, false}, {200, "", assigned, false}},
			"PUT GET PUT GET", sec(2, 2, 2), 2 * time.Second},
		{"operation lost twice", []reply{{202, "", assigning, false}, {404, "", "", false}, {202, "", assigning, false}, {404, "", "", false}, {200, "", assigned, false}},
			"PUT GET PUT GET PUT", sec(2, 2, 2, 4), 2 * time.Second},
		{"progress in between", []reply{{503, "", "", false}, {503, "", "", false}, {202, "", assigning, false}, {202, "", assigning, false}, {503, "", "", false}, {200, "", assigned, false}},
			"PUT PUT PUT GET GET GET", sec(2, 4, 2, 2, 2), 2 * time.Second},
		{"operation never named", []reply{{202, "", `{"status":"assigning"}`, false}, {200, "", assigned, false}}, "PUT PUT", sec(2), time.Second},
		{"operation too long", []reply{{202, "", `{"operationId":"` + strings.Repeat("x", 600) + `","status":"assigning"}`, false}, {200, "", assigned, false}},
			"PUT PUT", sec(2), time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{replies: tt.replies}
				got, err := dps.Register(t.Context(), options(t, s))
				if err != nil || got != contoso {
					t.Fatalf("Register: %+v, %v", got, err)
				}
				if s.methods() != tt.methods {
					t.Errorf("requests %s, want %s", s.methods(), tt.methods)
				}
				for i, gap := range s.gaps() {
					if gap < tt.gaps[i] || gap > tt.gaps[i]+tt.most {
						t.Errorf("gap %d: %v, want %v to %v more", i+1, gap, tt.gaps[i], tt.most)
					}
				}
			})
		})
	}
}

func TestOperationIsEscaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{replies: []reply{{202, "", `{"operationId":"a/../b?c d%2F","status":"assigning"}`, false}, {200, "", assigned, false}}}
		if _, err := dps.Register(t.Context(), options(t, s)); err != nil {
			t.Fatal(err)
		}
		want := "/0ne000A0B1C/registrations/rpi-0001/operations/a%2F..%2Fb%3Fc%20d%252F?api-version=2019-03-31"
		if got := s.requests[1].path; got != want {
			t.Errorf("poll %s, want %s", got, want)
		}
	})
}

// TestLimits: what ends an exchange that does not end by itself.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name        string
		replies     []reply // round and round
		kind        dps.Kind
		least, most time.Duration // of the whole exchange
		retryAfter  time.Duration
	}{
		{"never decides", []reply{{202, "", assigning, false}}, dps.Unavailable, 290 * time.Second, 5 * time.Minute, 0},
		{"always busy", []reply{{503, "", "", false}}, dps.Unavailable, 250 * time.Second, 5 * time.Minute, 0},
		{"loses every operation", []reply{{202, "", assigning, false}, {404, "", "{}", false}}, dps.Unavailable, 250 * time.Second, 5 * time.Minute, 0},
		{"enrollment deleted meanwhile", []reply{{202, "", assigning, false}, {404, "", `{"errorCode":404201}`, false}},
			dps.NotEnrolled, 2 * time.Second, 3 * time.Second, 0},
		{"asks for more time than there is", []reply{{429, "600", throttled, false}}, dps.Throttled, 0, 0, 10 * time.Minute},
		{"asks for a year", []reply{{429, "31536000", throttled, false}}, dps.Throttled, 0, 0, 24 * time.Hour},
		{"does not answer", []reply{{never: true}}, dps.Unreachable, 30 * time.Second, 30 * time.Second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := dps.Register(t.Context(), options(t, &service{replies: tt.replies, round: true}))
				e, ok := errors.AsType[*dps.Error](err)
				if !ok || e.Kind != tt.kind || e.RetryAfter != tt.retryAfter {
					t.Errorf("error %v: %+v, want kind %v, retry after %v", err, e, tt.kind, tt.retryAfter)
				}
				if d := time.Since(start); d < tt.least || d > tt.most {
					t.Errorf("it took %v, want %v to %v", d, tt.least, tt.most)
				}
			})
		})
	}
}

// An endless body counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) { e.read += len(p); return len(p), nil }
func (e *endless) Close() error               { return nil }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestEndlessAnswer(t *testing.T) {
	body := &endless{}
	_, err := dps.Register(t.Context(), options(t, roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: body}, nil
	})))
	if e, ok := errors.AsType[*dps.Error](err); !ok || e.Kind != dps.BadAnswer || body.read > 1<<20 {
		t.Errorf("error %v after %d bytes", err, body.read)
	}
}

func TestContextEnds(t *testing.T) {
	errStop := errors.New("stop")
	for name, r := range map[string]reply{"while waiting": {202, "3", assigning, false}, "while asking": {never: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(errStop) })
				start := time.Now()
				_, err := dps.Register(ctx, options(t, &service{replies: []reply{r}}))
				if err != errStop || time.Since(start) != time.Second {
					t.Errorf("error %v after %v, want the cause at once", err, time.Since(start))
				}
			})
		})
	}
}

func TestNothingSentForABadName(t *testing.T) {
	for _, tt := range []struct{ scope, id string }{
		{"", "rpi-0001"}, {"0ne/../x", "rpi-0001"}, {"0ne 1", "rpi-0001"},
		{"0ne000A0B1C", ""}, {"0ne000A0B1C", "rpi_"}, {"0ne000A0B1C", ".."}, {"0ne000A0B1C", "a/b"}, {"0ne000A0B1C", "rpi*1"},
		{"0ne000A0B1C", strings.Repeat("x", 129)},
	} {
		s := &service{replies: []reply{{200, "", assigned, false}}}
		o := options(t, s)
		o.ScopeID, o.RegistrationID = tt.scope, tt.id
		_, err := dps.Register(t.Context(), o)
		if e, ok := errors.AsType[*dps.Error](err); !ok || e.Kind != dps.BadRequest || len(s.requests) != 0 {
			t.Errorf("scope %q, id %q: %v after %d requests", tt.scope, tt.id, err, len(s.requests))
		}
	}
}

// TestKeyStaysInside plants a key and looks for it in all that is said.
func TestKeyStaysInside(t *testing.T) {
	const canary = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTEyMzQ="
	for _, r := range []reply{
		{200, "", assigned, false},
		{401, "", `{"errorCode":401002,"message":"you sent SharedAccessSignature sr=x&sig=secret"}`, false},
		{503, "", `{"message":"SharedAccessSignature sr=x&sig=secret"}`, false},
		{200, "", `not json`, false},
		{never: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			s := &service{replies: []reply{r}}
			o := options(t, s)
			o.Key = key(t, canary)
			o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			a, err := dps.Register(t.Context(), o)
			o.Log.Info("all", "options", o, "assignment", a, "err", err)
			for _, secret := range []string{canary, canary[:20], "canary", "99 97 110", "SharedAccessSignature", "sig="} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("%q in %s", secret, log.String())
				}
			}
			for _, q := range s.requests {
				if strings.Contains(q.path+q.body+q.header.Get("Authorization"), canary[:20]) {
					t.Errorf("the key was sent: %+v", q)
				}
			}
		})
	}
}

// The model is told in the first request, as IoT Central wants it.
func TestModelIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for model, want := range map[string]string{
			"":                          `{"registrationId":"rpi-0001"}`,
			"dtmi:tasmotaAzd:Relays4;1": `{"registrationId":"rpi-0001","payload":{"modelId":"dtmi:tasmotaAzd:Relays4;1"}}`,
		} {
			s := &service{replies: []reply{{202, "", assigning, false}, {200, "", assigned, false}}}
			o := options(t, s)
			o.ModelID = model
			if _, err := dps.Register(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if got := s.requests[0].body; got != want || s.requests[1].body != "" {
				t.Errorf("sent %s and then %q, want %s", got, s.requests[1].body, want)
			}
		}
	})
}
