package enroll_test

import (
	"strings"
	"testing"

	"tasmota-azd/internal/enroll"
)

const (
	groupKey   = "CxNM+KCHYg6HZ2KmwXiIfNMoOZyuKQviNDMbzLvrFDc="
	deviceKey  = "Ux1JLXRh+XbPJsFZbtmNmp0eQ5pFkHq6GkTEpGdvOOw="
	connection = "HostName=contoso.azure-devices.net;DeviceId=pump-1;SharedAccessKey=" + deviceKey
)

func TestRecognise(t *testing.T) {
	for name, tt := range map[string]struct {
		text, want string // what it is, or a part of the error
		alone      bool
	}{
		"key":                      {groupKey, "a key by itself", true},
		"key of 64 bytes":          {strings.Repeat("QUJD", 21) + "QQ==", "a key by itself", true},
		"line break, blanks":       {"  " + groupKey + "\r\n", "a key by itself", true},
		"quotes of az":             {`"` + groupKey + `"` + "\n", "a key by itself", true},
		"connection string":        {connection, `the connection string of device "pump-1" at contoso.azure-devices.net`, false},
		"in quotes":                {`"` + connection + `"`, `device "pump-1"`, false},
		"behind a gateway":         {connection + ";GatewayHostName=edge.local", `device "pump-1"`, false},
		"nothing":                  {" \n", "there is no key", false},
		"the hub's":                {"HostName=h.example.net;SharedAccessKeyName=iothubowner;SharedAccessKey=" + groupKey, "SharedAccessKeyName", false},
		"of events":                {"Endpoint=sb://h.example.net/;SharedAccessKeyName=x;SharedAccessKey=" + groupKey, "for events", false},
		"of a module":              {connection + ";ModuleId=m", "of a module", false},
		"with a certificate":       {"HostName=h.example.net;DeviceId=a;x509=true", "cert_file", false},
		"a token":                  {"SharedAccessSignature sr=h&sig=abc&se=1", "ends soon", false},
		"PEM":                      {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "in PEM", false},
		"JSON":                     {`{"primaryKey": "` + groupKey + `"}`, "JSON", false},
		"two keys":                 {groupKey + "\n" + deviceKey, "more than one line", false},
		"the name of a file":       {"/etc/tasmota-azd/device.key", "name of a file", false},
		"no base64":                {"hunter2", "not base64", false},
		"short":                    {"AAAA", "3 bytes", false},
		"endless":                  {strings.Repeat("A", enroll.MaxSecret+1), "more than 4096 bytes", false},
		"connection string, short": {"HostName=h.example.net;SharedAccessKey=" + groupKey, "lacks DeviceId=", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := enroll.Recognise(tt.text)
			said := s.String()
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, tt.want) || err == nil && s.Alone() != tt.alone {
				t.Errorf("%q, alone %v; want %q, %v", said, s.Alone(), tt.want, tt.alone)
			}
			if strings.Contains(said, groupKey[:9]) || strings.Contains(said, deviceKey[:9]) || strings.Contains(said, "hunter") {
				t.Errorf("the secret is quoted: %q", said)
			}
		})
	}
}

// A pipe that never ends is not read on.
func TestReadIsBounded(t *testing.T) {
	in := &endless{}
	if _, err := enroll.Read(in); err == nil || in.n > 64<<10 {
		t.Errorf("%v after %d bytes", err, in.n)
	}
}

type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	e.n += len(p)
	return len(p), nil
}

// FuzzRecognise: whatever the text, it does not panic, an error quotes none of it, and a
// connection string that is taken has a host and an id.
func FuzzRecognise(f *testing.F) {
	for _, s := range []string{groupKey, connection, `"` + connection + `"`, connection + ";GatewayHostName=e", "HostName=;DeviceId=;SharedAccessKey=", "\"", "=", ";;;",
		"hostname=H.example;deviceid=a%2f;sharedaccesskey=" + groupKey, "SharedAccessSignature sr=", strings.Repeat("AB", 3000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := enroll.Recognise(text)
		if err == nil {
			if said := s.String(); !s.Alone() && strings.Contains(said, `"" at`) {
				t.Fatalf("%q is taken for %s", text, said)
			}
			return
		}
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" ;=\"\r\n\t", r) }) {
			if len(word) >= 20 && strings.Contains(err.Error(), word) && !strings.Contains("SharedAccessSignature", word) {
				t.Fatalf("the error quotes %q: %v", word, err)
			}
		}
	})
}
