package dps_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/token"
)

// A vector is one request and its answer, as Microsoft's Node SDK made and
// understood them.
type vector struct {
	Name string
	In   struct {
		Op, ProvisioningHost, IDScope, RegistrationID, KeyBase64, OperationID string
		NowMs                                                                 int64
		Payload                                                               json.RawMessage
		ResponseTopic, ResponseBody                                           string
	}
	Out struct {
		NodeTransportOutcome struct {
			OperationID       string
			PollAfterMs       int64
			RegistrationState struct{ AssignedHub, DeviceID, Substatus string }
		}
		NodeVerdict string
		HTTPS       struct {
			Method, Path, Body string
			Headers            map[string]string
		}
	}
}

// reply is the answer of the vector as HTTPS would bring it: the status and
// retry-after of "$dps/registrations/res/202/?$rid={rid}&retry-after=3".
func (v vector) reply(t *testing.T) reply {
	t.Helper()
	status, rest, _ := strings.Cut(strings.TrimPrefix(v.In.ResponseTopic, "$dps/registrations/res/"), "/?")
	query, err := url.ParseQuery(rest)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(status)
	if err != nil {
		t.Fatal(err)
	}
	return reply{status: n, retryAfter: query.Get("retry-after"), body: v.In.ResponseBody}
}

// kinds says how the daemon calls what Node's client calls otherwise.
var kinds = map[string]dps.Kind{
	"error:UnauthorizedError":                   dps.Unauthorized,
	"error:DeviceNotFoundError":                 dps.NotEnrolled,
	"error:ArgumentError":                       dps.BadRequest,
	"error:ProvisioningRegistrationFailedError": dps.Failed,
	"error:SyntaxError":                         dps.Disabled, // Node does not know the status
}

func TestVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/dps.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []vector }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 16 {
		t.Fatalf("%d cases, want 16", len(file.Cases))
	}
	t.Log("left out of every case: broker, client id, username, password, topics and subscription of MQTT: " +
		"the daemon registers over HTTPS, as Tasmota does")
	for _, v := range file.Cases {
		t.Run(v.Name, func(t *testing.T) {
			if v.In.Payload != nil {
				t.Logf("left out: the body of %s: the daemon sends no payload", v.Name)
			}
			synctest.Test(t, v.run)
		})
	}
}

// run lets the daemon meet the vector's answer and compares what it sent, what
// it believed, and what it did next.
func (v vector) run(t *testing.T) {
	s := &service{}
	if v.In.Op == "query" {
		s.replies = append(s.replies, reply{status: 202, body: `{"operationId":"` + v.In.OperationID + `","status":"assigning"}`})
	}
	n := len(s.replies) // the vector's request
	s.replies = append(s.replies, v.reply(t), reply{status: 403})
	got, err := dps.Register(t.Context(), dps.Options{
		Endpoint:       v.In.ProvisioningHost,
		ScopeID:        v.In.IDScope,
		RegistrationID: v.In.RegistrationID,
		Key:            key(t, v.In.KeyBase64),
		Now:            func() time.Time { return time.UnixMilli(v.In.NowMs) },
		Transport:      s,
	})
	v.compareRequest(t, s.requests[n])
	switch verdict := v.Out.NodeVerdict; verdict {
	case "done":
		want := v.Out.NodeTransportOutcome.RegistrationState
		if err != nil || got != (dps.Assignment{Hub: want.AssignedHub, DeviceID: want.DeviceID, Substatus: want.Substatus}) {
			t.Errorf("Register: %+v, %v, want %+v", got, err, want)
		}
	case "poll-again":
		v.compareNext(t, s, n+1)
	default:
		kind, known := kinds[verdict]
		if e, ok := errors.AsType[*dps.Error](err); !known || !ok || e.Kind != kind {
			t.Errorf("error %v, want %v for %s", err, kind, verdict)
		}
		if len(s.requests) != n+1 {
			t.Errorf("requests %s: it went on after the error", s.methods())
		}
	}
}

func (v vector) compareRequest(t *testing.T, got seen) {
	t.Helper()
	want := v.Out.HTTPS
	if got.method != want.Method || got.path != want.Path {
		t.Errorf("request %s %s\nwant    %s %s", got.method, got.path, want.Method, want.Path)
	}
	for _, name := range []string{"Accept", "Content-Type"} {
		if got.header.Get(name) != want.Headers[name] {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want.Headers[name])
		}
	}
	// The text differs, as Node does not encode sr; what it says does not.
	sdk, err := token.Parse(want.Headers["Authorization"])
	if err != nil {
		t.Fatal(err)
	}
	if ours, err := token.Verify(key(t, v.In.KeyBase64), got.header.Get("Authorization")); err != nil || ours != sdk {
		t.Errorf("token says %+v, %v, want %+v", ours, err, sdk)
	}
	switch {
	case v.In.Op == "query" && got.body != "": // Node sends {}, nothing is fine too
		t.Errorf("body %q of a poll", got.body)
	case v.In.Op == "register" && v.In.Payload == nil && got.body != want.Body:
		t.Errorf("body %s, want %s", got.body, want.Body)
	}
}

// compareNext checks that the exchange went on as Node's would: after at least
// the same time, with the same operation.
func (v vector) compareNext(t *testing.T, s *service, n int) {
	t.Helper()
	if len(s.requests) != n+1 {
		t.Fatalf("requests %s: it did not go on", s.methods())
	}
	want := v.Out.NodeTransportOutcome
	if wait := s.gaps()[n-1]; wait < time.Duration(want.PollAfterMs)*time.Millisecond {
		t.Errorf("it went on after %v, want %d ms", wait, want.PollAfterMs)
	}
	path := "/register"
	if want.OperationID != "" {
		path = "/operations/" + want.OperationID
	}
	if got, _, _ := strings.Cut(s.requests[n].path, "?"); !strings.HasSuffix(got, path) {
		t.Errorf("next request %s, want %s", got, path)
	}
}
