package hubsim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tasmota-azd/internal/hubsim"
)

func quoted(v any) string {
	text, _ := json.Marshal(v) // a text does not fail
	return string(text)
}

// TestControlAuth: keys and certificates by way of the control API.
func TestControlAuth(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		var self *authority
		ca, end := self.issue(t, "ca", true, inAYear()), self.issue(t, "end", false, inAYear())
		print := strings.ToLower(hubsim.ThumbprintOf(end.cert.Raw))
		for _, tt := range []struct {
			method, path, body string
			status             int
			want               string // a part of the answer
		}{
			{"POST", "/v1/devices", `{"deviceId":"two","key":"` + keyText + `","secondaryKey":"` + otherText + `"}`, 201, `"authMethod":"shared_private_key"`},
			{"GET", "/v1/devices/two/keys", "", 200, `{"key":"` + keyText + `","secondaryKey":"` + otherText + `"}`},
			{"GET", "/v1/devices/two/connection-string", "", 200, `"secondaryConnectionString":"HostName=localhost;DeviceId=two;SharedAccessKey=` + otherText + `"`},
			{"POST", "/v1/devices/two/keys/primary", "", 204, ""},
			{"POST", "/v1/devices/two/keys/third", "", 400, "third"},
			{"POST", "/v1/devices/nobody/keys/primary", "", 404, "404001"},
			{"GET", "/v1/devices/nobody/keys", "", 404, "404001"},
			{"POST", "/v1/devices", `{"deviceId":"print","authMethod":"x509_thumbprint","thumbprints":["` + print + `"]}`, 201, `"authMethod":"x509_thumbprint"`},
			{"POST", "/v1/devices", `{"deviceId":"signed","authMethod":"x509_ca"}`, 201, `"authMethod":"x509_ca"`},
			{"GET", "/v1/devices/signed/connection-string", "", 200, `{"connectionString":"HostName=localhost;DeviceId=signed;x509=true"}`},
			{"POST", "/v1/devices/signed/keys/primary", "", 400, "certificate"},
			{"GET", "/v1/devices/signed/keys", "", 400, `"error"`},
			{"POST", "/v1/devices", `{"deviceId":"x","authMethod":"x509_ca","key":"` + keyText + `"}`, 400, `"error"`},
			{"POST", "/v1/devices", `{"deviceId":"x","authMethod":"x509_thumbprint"}`, 400, `"error"`},
			{"POST", "/v1/devices", `{"deviceId":"x","authMethod":"tpm"}`, 400, "tpm"},
			{"POST", "/v1/certificates", `{"name":"fleet","certificate":` + quoted(string(ca.pem())) + `}`, 204, ""},
			{"POST", "/v1/certificates", `{"name":"fleet","certificate":` + quoted(string(ca.pem())) + `}`, 409, `"error"`},
			{"POST", "/v1/certificates", `{"name":"end","certificate":` + quoted(string(end.pem())) + `}`, 400, "no CA"},
			{"GET", "/v1/certificates", "", 200, `[{"name":"fleet","subject":"CN=ca",`},
			{"DELETE", "/v1/certificates/fleet", "", 204, ""},
			{"DELETE", "/v1/certificates/fleet", "", 404, `"error"`},
			{"POST", "/v1/enrollments", `{"id":"end","certificates":[` + quoted(string(end.pem())) + `]}`, 201, `"attestation":"x509"`},
			{"POST", "/v1/enrollments", `{"id":"g","group":true,"attestation":"x509","certificates":[` + quoted(string(ca.pem())) + `]}`, 201, `"attestation":"x509"`},
			{"POST", "/v1/enrollments", `{"id":"ca","attestation":"x509"}`, 400, `"error"`},
			{"POST", "/v1/enrollments", `{"id":"ca","key":"` + keyText + `","certificates":[` + quoted(string(ca.pem())) + `]}`, 400, `"error"`},
			{"POST", "/v1/enrollments", `{"id":"ca","certificates":["x"]}`, 400, `"error"`},
			{"GET", "/v1/enrollments/end/key", "", 400, `"error"`},
		} {
			status, got := c.call(tt.method, tt.path, tt.body)
			if status != tt.status || !strings.Contains(got, tt.want) {
				t.Errorf("%s %s %.80s: %d %s", tt.method, tt.path, tt.body, status, got)
			}
		}
		if got := c.try(withKey(key(t, keyText), "two")); got != 5 {
			t.Errorf("with the old key: %d, want 5", got)
		}
		if got := fmt.Sprint(c.Enrollments()); strings.Count(got, "x509") != 2 {
			t.Errorf("enrollments %s", got)
		}
	})
}
