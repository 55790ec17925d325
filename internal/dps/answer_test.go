package dps

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
)

// FuzzAnswer: whatever comes from the network, only a usable assignment is
// believed, and every refusal has a kind and fits one line.
func FuzzAnswer(f *testing.F) {
	f.Add(202, "3", `{"operationId":"5.d1c0.op-1","status":"assigning"}`, false)
	f.Add(200, "", `{"status":"ASSIGNED","registrationState":{"assignedHub":"contoso.azure-devices.net","deviceId":"rpi-0001"}}`, true)
	f.Add(200, "", `{"status":"failed","registrationState":{"errorCode":"400207","errorMessage":"\u001b[2J\n"}}`, true)
	f.Add(401, "Fri, 31 Dec 9999 23:59:59 GMT", `{"errorCode":401002,"trackingId":"t","message":"SharedAccessSignature sr="}`, false)
	f.Add(202, "Fri, 31 Dec 1999 23:59:59 GMT", `{"status":"assigning"}`, false)
	f.Add(404, "99999999999999999999", `{"errorCode":404201}`, true)
	f.Add(429, "-1", `[]`, false)
	f.Add(302, "1.5", `{"errorCode":1e99,"status":{}}`, true)
	f.Add(0, "", `{"registrationState":null,"operationId":null}`, true)
	now := time.Unix(1767225600, 0)
	f.Fuzz(func(t *testing.T, status int, after, raw string, polled bool) {
		h := http.Header{"Retry-After": {after}, "Content-Type": {raw}, "Location": {raw}}
		a := parse(status, h, []byte(raw), now)
		if a.retryAfter < 0 || a.retryAfter > maxRetryAfter || len(a.body.OperationID) > maxOperation {
			t.Fatalf("retry after %v, operation of %d bytes", a.retryAfter, len(a.body.OperationID))
		}
		step, e := a.judge(polled)
		if step == assigned {
			got := a.assignment()
			if e != nil || status >= 300 || !validHost(got.Hub) || !validDeviceID(got.DeviceID) || strings.ContainsAny(got.DeviceID, "/+#") {
				t.Fatalf("believed: %+v, %v", got, e)
			}
			return
		}
		if e == nil || e.Kind < Unreachable || e.Kind > Failed || e.Kind.String() == "" {
			t.Fatalf("step %d with error %v", step, e)
		}
		text := e.Error()
		if strings.ContainsFunc(text, unicode.IsControl) || len(text) > 2000 || strings.Contains(text, "SharedAccessSignature") {
			t.Fatalf("no line for a log: %q", text)
		}
	})
}

func TestValidNames(t *testing.T) {
	for _, tt := range []struct {
		name  string
		valid func(string) bool
		good  []string
		bad   []string
	}{
		{"host", validHost, []string{"localhost", "contoso.azure-devices.net", "iotc-2f0a.azure-devices.net", "127.0.0.1"},
			[]string{"", ".", "a..b", "a.", "a_b", "a/b", "a:1", "a b", "-a", "a-.b", strings.Repeat("a", 64), "ä.net", "a@b"}},
		{"device id", validDeviceID, []string{"7", "RPi-Kitchen", "a.b:c_d-e%@", "q?a,b=c$d'!*()", strings.Repeat("x", 128)},
			[]string{"", "a/b", "a+b", "a#b", "a b", "ä", "a\x00", strings.Repeat("x", 129)}},
		{"registration id", validRegistrationID, []string{"7", "B827EB001122", "a.b:c_d-e", "x-"}, []string{"", ".", "..", "x.", "x_", "x:", "a/b", "a%", "a@"}},
		{"scope id", validScopeID, []string{"0ne00223A39"}, []string{"", "0ne/", "0ne 1", "<0ne>", strings.Repeat("0", 65)}},
	} {
		for _, s := range tt.good {
			if !tt.valid(s) {
				t.Errorf("%s %q is refused", tt.name, s)
			}
		}
		for _, s := range tt.bad {
			if tt.valid(s) {
				t.Errorf("%s %q is taken", tt.name, s)
			}
		}
	}
}
