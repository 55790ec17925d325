package hubsim_test

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

const (
	scope     = "0ne00000001"
	groupText = "voGkBIqdAZGALBiDTzCjf2WQ/ihKavL1/X5hZ7Im740="
)

// answer is what DPS says.
type answer struct {
	status int
	header http.Header
	text   string

	OperationID string `json:"operationId"`
	Status      string
	State       struct {
		RegistrationID, AssignedHub, DeviceID, Status, Substatus, ErrorMessage, ETag string
		CreatedDateTimeUtc, LastUpdatedDateTimeUtc                                   time.Time
		ErrorCode                                                                    int
	} `json:"registrationState"`
	ErrorCode                         int
	TrackingID, Message, TimestampUtc string
}

// request is one request to DPS, honest unless changed.
type request struct {
	method, path, auth, contentType, body string
	peer                                  []*x509.Certificate
}

func (c *cloud) ask(r request) answer {
	c.t.Helper()
	req := httptest.NewRequest(r.method, "https://dps.example"+r.path, strings.NewReader(r.body))
	req.Header.Set("Authorization", r.auth)
	req.Header.Set("Content-Type", r.contentType)
	req.TLS.PeerCertificates = r.peer
	w := httptest.NewRecorder()
	c.DPS().ServeHTTP(w, req)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	must(c.t, err)
	a := answer{status: res.StatusCode, header: res.Header, text: string(body)}
	if err := json.Unmarshal(body, &a); err != nil || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		c.t.Fatalf("%s %s: %s: %v", r.method, r.path, body, err)
	}
	return a
}

// register is the request of id with its own key.
func register(k token.Key, id string) request {
	return request{
		method: "PUT", path: "/" + scope + "/registrations/" + id + "/register?api-version=2019-03-31",
		auth:        token.DPS(k, scope, id, time.Now().Add(time.Hour)),
		contentType: "application/json; charset=utf-8", body: `{"registrationId":"` + id + `"}`,
	}
}

func poll(k token.Key, id, op string) request {
	r := register(k, id)
	r.method, r.path, r.body = "GET", "/"+scope+"/registrations/"+id+"/operations/"+op+"?api-version=2019-03-31", "{}"
	return r
}

// provision registers and polls until there is a result.
func (c *cloud) provision(k token.Key, id string) answer {
	c.t.Helper()
	a := c.ask(register(k, id))
	for a.status == 202 {
		a = c.ask(poll(k, id, a.OperationID))
	}
	return a
}

// inDPS gives a test a cloud with a group, and an individual enrollment of
// rpi-7.
func inDPS(t *testing.T, o hubsim.Options, f func(t *testing.T, c *cloud, group, single token.Key)) {
	t.Helper()
	inBubble(t, o, func(t *testing.T, c *cloud) {
		group, single := key(t, groupText), key(t, keyText)
		must(t, c.AddEnrollment(hubsim.Enrollment{ID: "fleet", Group: true, Key: group}))
		must(t, c.AddEnrollment(hubsim.Enrollment{ID: "rpi-7", Key: single}))
		f(t, c, group, single)
	})
}

func TestD03Register(t *testing.T) {
	inDPS(t, hubsim.Options{DPSPolls: 2}, func(t *testing.T, c *cloud, _, single token.Key) {
		a := c.ask(register(single, "rpi-7"))
		if a.status != 202 || a.OperationID == "" || a.Status != "assigning" || a.header.Get("Retry-After") != "3" {
			t.Fatalf("register: %+v", a)
		}
		if len(c.Registrations()) != 0 {
			t.Error("assigned before the operation has ended")
		}
		for i := range 2 {
			if p := c.ask(poll(single, "rpi-7", a.OperationID)); p.status != 202 || p.Status != "assigning" || p.OperationID != a.OperationID || p.header.Get("Retry-After") != "3" {
				t.Errorf("poll %d: %+v", i, p)
			}
		}
		for range 2 { // the result can be asked for again
			p := c.ask(poll(single, "rpi-7", a.OperationID))
			s := p.State
			if p.status != 200 || p.Status != "assigned" || s.Status != "assigned" || s.AssignedHub != "localhost" || s.DeviceID != "rpi-7" ||
				s.RegistrationID != "rpi-7" || s.Substatus != "initialAssignment" || !s.CreatedDateTimeUtc.Equal(time.Now()) || s.ETag == "" {
				t.Errorf("result: %+v", p)
			}
		}
		if r := c.Registrations(); len(r) != 1 || r[0].Times != 1 {
			t.Errorf("registrations %+v", r)
		}
	})
}

func TestD03NoPolls(t *testing.T) {
	inDPS(t, hubsim.Options{DPSPolls: -1, DPSRetryAfter: -1}, func(t *testing.T, c *cloud, _, single token.Key) {
		a := c.ask(register(single, "rpi-7"))
		if a.header.Get("Retry-After") != "0" {
			t.Errorf("register: %+v", a)
		}
		if a = c.ask(poll(single, "rpi-7", a.OperationID)); a.Status != "assigned" {
			t.Errorf("first poll: %+v", a)
		}
	})
}

func TestD04UnknownOperation(t *testing.T) {
	inDPS(t, hubsim.Options{}, func(t *testing.T, c *cloud, group, single token.Key) {
		a := c.ask(register(single, "rpi-7"))
		if p := c.ask(poll(single, "rpi-7", "5.nothing")); p.status != 404 || p.ErrorCode/1000 != 404 || p.TrackingID == "" || p.TimestampUtc == "" {
			t.Errorf("unknown: %+v", p)
		}
		if p := c.ask(poll(group.Derive("rpi-8"), "rpi-8", a.OperationID)); p.status != 404 {
			t.Errorf("another device's: %+v", p)
		}
	})
}

func TestD06Failed(t *testing.T) {
	for _, code := range []int{400207, 400208, 400209} {
		inDPS(t, hubsim.Options{}, func(t *testing.T, c *cloud, _, single token.Key) {
			must(t, c.Inject(hubsim.Fault{Kind: hubsim.FailRegister, Code: code}))
			a := c.provision(single, "rpi-7")
			if a.status != 200 || a.Status != "failed" || a.State.Status != "failed" || a.State.ErrorCode != code || a.State.ErrorMessage == "" || a.State.AssignedHub != "" {
				t.Errorf("%d: %+v", code, a)
			}
			if a = c.provision(single, "rpi-7"); a.Status != "assigned" {
				t.Errorf("after %d: %+v", code, a)
			}
		})
	}
}

func TestD07DisabledAndUnknown(t *testing.T) {
	inDPS(t, hubsim.Options{}, func(t *testing.T, c *cloud, group, single token.Key) {
		must(t, c.EnableEnrollment("RPI-7", false))
		a := c.ask(register(single, "rpi-7"))
		if want := `{"operationId":"","status":"disabled","registrationState":{"registrationId":"rpi-7","status":"disabled"}}`; a.status != 200 || strings.TrimSpace(a.text) != want {
			t.Errorf("disabled: %d %s", a.status, a.text)
		}
		for _, code := range []int{401, 404} {
			must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseRegister, Code: code, Device: "rpi-7"}))
			if a := c.ask(register(single, "rpi-7")); a.status != code || a.ErrorCode != map[int]int{401: 401002, 404: 404201}[code] {
				t.Errorf("disabled as %d: %+v", code, a)
			}
		}
		must(t, c.EnableEnrollment("rpi-7", true))
		if a := c.provision(single, "rpi-7"); a.Status != "assigned" {
			t.Errorf("enabled again: %+v", a)
		}
		must(t, c.DeleteEnrollment("fleet"))
		if a := c.ask(register(group.Derive("rpi-8"), "rpi-8")); a.status != 404 || a.ErrorCode != 404201 {
			t.Errorf("unknown: %+v", a)
		}
	})
}

func TestD08Throttled(t *testing.T) {
	inDPS(t, hubsim.Options{}, func(t *testing.T, c *cloud, _, single token.Key) {
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseRegister, Code: 429, Count: 2, Delay: 1500 * time.Millisecond}))
		for range 2 {
			if a := c.ask(register(single, "rpi-7")); a.status != 429 || a.ErrorCode != 429001 || a.header.Get("Retry-After") != "2" {
				t.Errorf("got %+v", a)
			}
		}
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseRegister, Code: 503}))
		if a := c.ask(register(single, "rpi-7")); a.status != 503 || a.ErrorCode != 503000 || a.header.Get("Retry-After") != "" {
			t.Errorf("got %+v", a)
		}
		op := c.ask(register(single, "rpi-7")).OperationID
		for _, code := range []int{429, 500, 503} {
			must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefusePoll, Code: code}))
			if a := c.ask(poll(single, "rpi-7", op)); a.status != code || a.OperationID != "" {
				t.Errorf("got %+v", a)
			}
		}
		c.ask(poll(single, "rpi-7", op))
		if a := c.ask(poll(single, "rpi-7", op)); a.Status != "assigned" {
			t.Errorf("the same operation goes on: %+v", a)
		}
	})
}

func TestD09Again(t *testing.T) {
	const a, b = "localhost", "127.0.0.1"
	inDPS(t, hubsim.Options{Hosts: []string{a, b}}, func(t *testing.T, c *cloud, _, single token.Key) {
		step := func(name, hub, id, substatus string) {
			t.Helper()
			got := c.provision(single, "rpi-7").State
			if got.AssignedHub != hub || got.DeviceID != id || got.Substatus != substatus {
				t.Errorf("%s: %+v", name, got)
			}
			for _, h := range []string{a, b} {
				code := c.try(func(p *connectPacket) {
					p.ClientIdentifier, p.Username = id, h+"/"+id+"/?api-version=2021-04-12"
					p.Password = []byte(token.Hub(single, h, id, time.Now().Add(time.Hour)))
				})
				if (code == 0) != (h == hub) {
					t.Errorf("%s: CONNECT to %s: %d", name, h, code)
				}
			}
		}
		step("first", a, "rpi-7", "initialAssignment")
		step("again", a, "rpi-7", "initialAssignment")
		twin := func(want uint64) {
			t.Helper()
			if got, err := c.Twin("RPI-7"); err != nil || got.Desired.Version != want {
				t.Errorf("desired version %d, %v, want %d", got.Desired.Version, err, want)
			}
		}
		_, err := c.UpdateTwin("rpi-7", []byte("{}"))
		must(t, err)
		must(t, c.Reassign("RPI-7", hubsim.Reassignment{Hub: b}))
		step("moved", b, "rpi-7", "deviceDataMigrated")
		step("again", b, "rpi-7", "deviceDataMigrated")
		must(t, c.Reassign("rpi-7", hubsim.Reassignment{DeviceID: "RPI-7"}))
		step("another case", b, "RPI-7", "deviceDataMigrated")
		if d := c.Devices(); len(d) != 2 { // and rpi-0001
			t.Errorf("devices %+v", d)
		}
		twin(2) // it moves with the device
		_, err = c.Send("RPI-7", hubsim.C2D{})
		must(t, err)
		must(t, c.Reassign("rpi-7", hubsim.Reassignment{Reset: true}))
		step("reset", b, "RPI-7", "deviceDataReset")
		if q := c.Queue("RPI-7"); len(q) != 0 {
			t.Errorf("queue after the reset: %+v", q)
		}
		_, err = c.Send("RPI-7", hubsim.C2D{})
		must(t, err)
		twin(1)
		step("again", b, "RPI-7", "deviceDataReset")
		if q := c.Queue("RPI-7"); len(q) != 1 {
			t.Errorf("queue after a registration without a reset: %+v", q)
		}
	})
}

// TestD09MoveEndsTheSession: a device that is moved away loses its connection.
func TestD09MoveEndsTheSession(t *testing.T) {
	inDPS(t, hubsim.Options{Hosts: []string{"localhost", "127.0.0.1"}}, func(t *testing.T, c *cloud, _, single token.Key) {
		c.provision(single, "rpi-7")
		cl := c.connect(func(p *connectPacket) {
			p.ClientIdentifier, p.Username = "rpi-7", "localhost/rpi-7/?api-version=2021-04-12"
			p.Password = []byte(token.Hub(single, "localhost", "rpi-7", time.Now().Add(time.Hour)))
		})
		must(t, c.Reassign("rpi-7", hubsim.Reassignment{Hub: "127.0.0.1"}))
		cl.quiet(time.Second)
		c.provision(single, "rpi-7")
		cl.closed()
	})
}

func TestD11HTTPS(t *testing.T) {
	inDPS(t, hubsim.Options{}, func(t *testing.T, c *cloud, _, single token.Key) {
		a := c.ask(register(single, "rpi-7"))
		want := "https://dps.example/" + scope + "/registrations/rpi-7/operations/" + a.OperationID + "?api-version=2019-03-31"
		if got := a.header.Get("Location"); got != want {
			t.Errorf("Location %s, want %s", got, want)
		}
		if a.header.Get("X-Ms-Request-Id") == "" {
			t.Error("no x-ms-request-id")
		}
		honest := register(single, "rpi-7")
		for name, tt := range map[string]struct {
			change func(*request)
			status int
		}{
			"method":         {func(r *request) { r.method = "POST" }, 405},
			"no version":     {func(r *request) { r.path = strings.TrimSuffix(r.path, "?api-version=2019-03-31") }, 400},
			"scope":          {func(r *request) { r.path = strings.Replace(r.path, scope, "0ne00000002", 1) }, 401},
			"path":           {func(r *request) { r.path = "/x" }, 404},
			"id":             {func(r *request) { r.path = strings.Replace(r.path, "rpi-7", "rpi_7.", 1) }, 400},
			"body":           {func(r *request) { r.body = "{" }, 400},
			"body's id":      {func(r *request) { r.body = `{"registrationId":"rpi-8"}` }, 400},
			"body's payload": {func(r *request) { r.body = `{"payload":[1]}` }, 400},
			"media type":     {func(r *request) { r.contentType = "text/plain" }, 415},
			"size":           {func(r *request) { r.body = `{"payload":{"x":"` + strings.Repeat("x", 96<<10) + `"}}` }, 413},
			"empty body":     {func(r *request) { r.body, r.contentType = "", "" }, 202},
			"with payload":   {func(r *request) { r.body = `{"registrationId":"RPI-7","payload":{"modelId":"dtmi:x;1"},"tpm":{}}` }, 202},
			"newer version":  {func(r *request) { r.path = strings.Replace(r.path, "2019-03-31", "2021-06-01", 1) }, 202},
		} {
			r := honest
			tt.change(&r)
			if a := c.ask(r); a.status != tt.status || (tt.status > 299) != (a.ErrorCode/1000 == tt.status) {
				t.Errorf("%s: %+v", name, a)
			}
		}
	})
}

// TestD11TokenClock: tokens for DPS are judged by the cloud's clock.
func TestD11TokenClock(t *testing.T) {
	slow := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	inDPS(t, hubsim.Options{Now: slow}, func(t *testing.T, c *cloud, _, single token.Key) {
		r := register(single, "rpi-7")
		r.auth = token.DPS(single, scope, "rpi-7", time.Now().Add(-time.Hour))
		if a := c.ask(r); a.status != 202 {
			t.Errorf("a token that is over here and not yet there: %+v", a)
		}
		r.auth = token.DPS(single, scope, "rpi-7", time.Now().Add(-2*time.Hour-time.Second))
		if a := c.ask(r); a.status != 401 {
			t.Errorf("a token that is over there: %+v", a)
		}
	})
}

func TestEnrollmentsRefused(t *testing.T) {
	inDPS(t, hubsim.Options{}, func(t *testing.T, c *cloud, group, single token.Key) {
		for _, e := range []hubsim.Enrollment{
			{ID: "", Key: single}, {ID: "a b", Key: single}, {ID: "x.", Key: single}, {ID: strings.Repeat("x", 129), Key: single},
			{ID: "x", Key: single, Hub: "elsewhere"}, {ID: "RPI-7", Key: single},
		} {
			if c.AddEnrollment(e) == nil {
				t.Errorf("%+v is taken", e)
			}
		}
		for _, r := range []hubsim.Reassignment{{Hub: "elsewhere"}, {DeviceID: "a/b"}} {
			if c.Reassign("rpi-7", r) == nil {
				t.Errorf("%+v is taken", r)
			}
		}
		synctest.Wait()
	})
}
