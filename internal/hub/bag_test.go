package hub_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"tasmota-azd/internal/hub"
)

// vectors reads the cases of a file in testdata.
func vectors[C any](t testing.TB, file string) []C {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	must(t, err)
	var all struct{ Cases []C }
	must(t, json.Unmarshal(text, &all))
	if len(all.Cases) == 0 {
		t.Fatalf("%s has no cases", file)
	}
	return all.Cases
}

// c2dCase is what the official SDK made of a topic. Where it has a quirk, Want
// is what it should have made.
type c2dCase struct {
	Name string
	In   struct{ DeviceID, Topic, Payload string }
	Out  c2dWant
	Want *c2dWant
}

type c2dWant struct {
	MessageID, CorrelationID, UserID, To        string
	ContentType, ContentEncoding, ExpiryTimeUTC string
	Properties                                  [][2]*string // the value is nil where there is none
	Payload                                     string
}

func TestDecodeVectors(t *testing.T) {
	for _, tt := range vectors[c2dCase](t, "c2d-topics.json") {
		t.Run(tt.Name, func(t *testing.T) {
			want := tt.Out
			if tt.Want != nil {
				want = *tt.Want
			}
			m, err := hub.Decode(hub.Inbound(tt.In.DeviceID), tt.In.Topic, []byte(tt.In.Payload))
			must(t, err)
			for _, f := range []struct{ name, got, want string }{
				{"ID", m.ID, want.MessageID}, {"CorrelationID", m.CorrelationID, want.CorrelationID},
				{"UserID", m.UserID, want.UserID}, {"To", m.To, want.To}, {"Expiry", m.Expiry, want.ExpiryTimeUTC},
				{"ContentType", m.ContentType, want.ContentType}, {"ContentEncoding", m.ContentEncoding, want.ContentEncoding},
				{"Feedback", m.Feedback, takeFeedback(&want)}, {"Body", string(m.Body), want.Payload},
			} {
				if f.got != f.want {
					t.Errorf("%s is %q, want %q", f.name, f.got, f.want)
				}
			}
			if len(m.Properties) != len(want.Properties) {
				t.Fatalf("properties %v, want %d", m.Properties, len(want.Properties))
			}
			for i, p := range m.Properties {
				name, value := want.Properties[i][0], want.Properties[i][1]
				if p.Name != *name || p.Null != (value == nil) || value != nil && p.Value != *value {
					t.Errorf("property %d is %+v, want %s", i, p, *name)
				}
			}
		})
	}
}

// takeFeedback removes iothub-ack, which the Node SDK counts among the
// application's properties and the Python SDK, like ours, does not.
func takeFeedback(w *c2dWant) string {
	for i, p := range w.Properties {
		if *p[0] == "iothub-ack" {
			w.Properties = append(w.Properties[:i:i], w.Properties[i+1:]...)
			return *p[1]
		}
	}
	return ""
}

func TestDecodeBeyondTheVectors(t *testing.T) {
	const prefix = "devices/d/messages/devicebound/"
	for _, tt := range []struct{ bag, name, want string }{
		{"a=%ZZ&b=1", "a", "%ZZ"},             // not an encoding
		{"a=%FF", "a", "%FF"},                 // not text
		{"a=1&&b=2", "b", "2"},                // an empty part is nothing
		{"Topic=%2Fpower", "tOPIC", "/power"}, // any letter case
		{"k=1&K=2", "k", "1"},                 // the first
		{"%24.unknown=x", "$.unknown", "x"},   // quietly accepted
		{"%3Fa=b", "?a", "b"},                 // a question mark that is meant
		{"iothub-enqueuedtime=t", "iothub-enqueuedtime", "t"},
	} {
		m, err := hub.Decode(prefix, prefix+tt.bag, nil)
		must(t, err)
		if got, ok := m.Property(tt.name); !ok || got != tt.want {
			t.Errorf("%s: %s is %q, %v, want %q", tt.bag, tt.name, got, ok, tt.want)
		}
	}
	if _, ok := (hub.Message{}).Property("x"); ok {
		t.Error("a message without properties has one")
	}
}

func TestDecodeRefuses(t *testing.T) {
	prefix := hub.Inbound("d")
	for name, in := range map[string]struct {
		topic string
		size  int
	}{
		"another device": {"devices/D/messages/devicebound/", 0},
		"another topic":  {"$iothub/methods/POST/x/", 0},
		"the prefix cut": {strings.TrimSuffix(prefix, "/"), 0},
		"a large body":   {prefix, 64*1024 + 1},
	} {
		if m, err := hub.Decode(prefix, in.topic, make([]byte, in.size)); err == nil {
			t.Errorf("%s: decoded to %v", name, m.Properties)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range vectors[c2dCase](f, "c2d-topics.json") {
		f.Add(c.In.DeviceID, c.In.Topic, []byte(c.In.Payload))
	}
	f.Add("d", "devices/d/messages/devicebound/%&=%&?=%=%00&%24.mid", []byte{0xff})
	f.Fuzz(func(t *testing.T, device, topic string, body []byte) {
		m, err := hub.Decode(hub.Inbound(device), topic, body)
		if err != nil {
			return
		}
		if string(m.Body) != string(body) {
			t.Errorf("the body changed to %q", m.Body)
		}
		if strings.Count(topic, "&") < len(m.Properties)-1 {
			t.Errorf("%q has %d properties", topic, len(m.Properties))
		}
		for _, p := range m.Properties {
			if utf8.ValidString(topic) && !utf8.ValidString(p.Name+p.Value) {
				t.Errorf("%q is not text", p.Name+p.Value)
			}
			if _, ok := m.Property(p.Name); !ok {
				t.Errorf("property %q is not found", p.Name)
			}
		}
	})
}
