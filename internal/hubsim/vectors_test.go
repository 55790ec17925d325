package hubsim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// vectors runs the cases of a file made with Microsoft's own SDK. skip names
// those that the stand-in cannot meet, each with the reason.
func vectors[T any](t *testing.T, file string, skip map[string]string, run func(t *testing.T, v T)) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	must(t, err)
	var all struct {
		Cases []json.RawMessage
	}
	must(t, json.Unmarshal(data, &all))
	for _, raw := range all.Cases {
		var head struct{ Name string }
		must(t, json.Unmarshal(raw, &head))
		t.Run(head.Name, func(t *testing.T) {
			if why := skip[head.Name]; why != "" {
				t.Skip(why)
			}
			var v T
			must(t, json.Unmarshal(raw, &v))
			run(t, v)
		})
	}
}

// vectorTime is when the vectors were signed.
func vectorTime() time.Time { return time.UnixMilli(1767225600000) }

func TestVectorsConnect(t *testing.T) {
	const (
		x509   = "certificates instead of tokens: the stand-in has none"
		module = "module identities: the stand-in has none"
	)
	type vector struct {
		In  struct{ Host, DeviceID, KeyBase64 string }
		Out struct {
			ClientID, Username, Password string
			CleanSession                 bool
			KeepAliveSeconds             uint16
		}
	}
	skip := map[string]string{
		"x509": x509, "x509-websocket-model-id": x509, "module": module,
		"id-with-plus": `"+" is a wildcard of MQTT, and such a device id is refused (contract, section 1.2)`,
	}
	vectors(t, "connect-hub.json", skip, func(t *testing.T, v vector) {
		inBubble(t, hubsim.Options{Hosts: []string{"localhost", v.In.Host}, Now: vectorTime}, func(t *testing.T, c *cloud) {
			must(t, c.DeleteDevice(dev))
			must(t, c.CreateDevice(v.In.DeviceID, v.In.Host, v.In.KeyBase64))
			got := c.try(func(p *connectPacket) {
				p.ClientIdentifier, p.Username, p.Password = v.Out.ClientID, v.Out.Username, []byte(v.Out.Password)
				p.CleanSession, p.Keepalive = v.Out.CleanSession, v.Out.KeepAliveSeconds
			})
			if got != 0 {
				t.Errorf("CONNACK %d: %s", got, c.Logins()[0].Why)
			}
		})
	})
}

func TestVectorsD2C(t *testing.T) {
	type vector struct {
		In struct {
			DeviceID   string
			System     map[string]string
			Properties [][2]string
			Payload    string
		}
		Out struct{ Topic, Payload string }
		Alt struct{ PythonTopic string }
	}
	names := map[string]string{
		"messageId": "message-id", "correlationId": "correlation-id", "userId": "user-id", "contentType": "content-type",
		"contentEncoding": "content-encoding", "expiryTimeUtc": "absolute-expiry-time",
	}
	const module = "module identities: the stand-in has none"
	vectors(t, "d2c-topics.json", map[string]string{"module": module, "module-output": module}, func(t *testing.T, v vector) {
		for _, topic := range []string{v.Out.Topic, v.Alt.PythonTopic} {
			inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
				id := v.In.DeviceID
				if id != dev {
					must(t, c.CreateDevice(id, "", keyText))
				}
				cl := c.connect(func(p *connectPacket) {
					p.ClientIdentifier, p.Username = id, "localhost/"+id+"/?api-version=2021-04-12"
					p.Password = []byte(token.Hub(key(t, keyText), "localhost", id, time.Now().Add(time.Hour)))
				})
				cl.publish(1, topic, v.Out.Payload)
				r := c.record(v.In.Payload)
				want := map[string]string{}
				for _, p := range v.In.Properties {
					want[p[0]] = p[1]
				}
				if subject, ok := want["dt-subject"]; ok && strings.Contains(topic, "%24.sub=") {
					delete(want, "dt-subject") // Node sends it as a system property
					if r.System["dt-subject"] != subject {
						t.Errorf("dt-subject %q, want %q", r.System["dt-subject"], subject)
					}
				}
				if fmt.Sprint(r.Properties) != fmt.Sprint(want) {
					t.Errorf("properties %q, want %q", r.Properties, want)
				}
				for name, want := range v.In.System {
					if got := r.System[names[name]]; got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				cl.next()
			})
		}
	})
}

func TestVectorsSubscriptions(t *testing.T) {
	type vector struct {
		In  struct{ DeviceID string }
		Out map[string]struct {
			Topic string
			QoS   byte
		}
	}
	vectors(t, "subscriptions.json", nil, func(t *testing.T, v vector) {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			id := v.In.DeviceID
			if id != dev {
				must(t, c.CreateDevice(id, "", keyText))
			}
			cl := c.connect(func(p *connectPacket) {
				p.ClientIdentifier, p.Username = id, "localhost/"+id+"/?api-version=2021-04-12"
				p.Password = []byte(token.Hub(key(t, keyText), "localhost", id, time.Now().Add(time.Hour)))
			})
			for name, s := range v.Out {
				if got := cl.subscribe(s.QoS, s.Topic); len(got) != 1 || got[0] != s.QoS {
					t.Errorf("%s: SUBACK %v", name, got)
				}
			}
		})
	})
}

// TestVectorsDPS sends the SDK's requests. What they get is the stand-in's own
// answer: the answers in the file are for clients.
func TestVectorsDPS(t *testing.T) {
	type vector struct {
		In struct {
			Op, IDScope, RegistrationID, KeyBase64 string
		}
		Out struct {
			HTTPS struct {
				Method, Path, Body string
				Headers            map[string]string
			}
		}
	}
	vectors(t, "dps.json", nil, func(t *testing.T, v vector) {
		inBubble(t, hubsim.Options{ScopeID: v.In.IDScope, Now: vectorTime}, func(t *testing.T, c *cloud) {
			must(t, c.CreateEnrollment(hubsim.Enrollment{ID: v.In.RegistrationID}, v.In.KeyBase64))
			h := v.Out.HTTPS
			a := c.ask(request{h.Method, h.Path, h.Headers["Authorization"], h.Headers["Content-Type"], h.Body, nil})
			want := 202
			if v.In.Op == "query" {
				want = 404 // of an operation that was never begun here
			}
			if a.status != want {
				t.Errorf("got %d %s, want %d", a.status, a.text, want)
			}
		})
	})
}

func TestVectorsMethods(t *testing.T) {
	type vector struct {
		In struct {
			Topic, Payload string
			ResponseStatus int
		}
		Out struct{ MethodName, RequestID, ResponseTopic, ResponseBody string }
	}
	vectors(t, "methods.json", nil, func(t *testing.T, v vector) {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.subscribe(0, methods)
			done := c.invoke(hubsim.Call{Method: v.Out.MethodName, Payload: []byte(v.In.Payload)})
			p := cl.message()
			_, rid, _ := strings.Cut(p.TopicName, "$rid=")
			if want := strings.TrimSuffix(v.In.Topic, v.Out.RequestID) + rid; p.TopicName != want || string(p.Payload) != v.In.Payload {
				t.Errorf("got %v, want %s", p, want)
			}
			cl.publish0(strings.TrimSuffix(v.Out.ResponseTopic, v.Out.RequestID)+rid, v.Out.ResponseBody)
			if got := <-done; got.err != nil || got.Status != v.In.ResponseStatus || string(got.Body) != v.Out.ResponseBody {
				t.Errorf("got %d %s, %v", got.Status, got.Body, got.err)
			}
		})
	})
}

func TestVectorsTwin(t *testing.T) {
	type vector struct {
		In struct {
			Op, Rid, ResponseTopic, Topic, Payload string
			Patch                                  json.RawMessage
		}
		Out struct {
			Subscribe                 struct{ Topic string }
			RequestTopic, RequestBody string
		}
	}
	vectors(t, "twin.json", nil, func(t *testing.T, v vector) {
		inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
			cl := c.connect()
			cl.subscribe(0, v.Out.Subscribe.Topic)
			if v.In.Op == "desired" {
				var patch map[string]json.RawMessage
				must(t, json.Unmarshal([]byte(v.In.Payload), &patch))
				version, err := strconv.ParseUint(string(patch["$version"]), 10, 64)
				must(t, err)
				for n := uint64(2); n < version; n++ {
					c.update("{}", n)
					cl.next()
				}
				delete(patch, "$version")
				body, err := json.Marshal(patch)
				must(t, err)
				c.update(string(body), version)
				if p := cl.message(); p.TopicName != v.In.Topic || !sameJSON(t, p.Payload, []byte(v.In.Payload)) {
					t.Errorf("got %v", p)
				}
				return
			}
			status, _, _ := strings.Cut(strings.TrimPrefix(v.In.ResponseTopic, "$iothub/twin/res/"), "/")
			if code, err := strconv.Atoi(status); err == nil && code >= 429 {
				must(t, c.Inject(hubsim.Fault{Kind: hubsim.RefuseTwin, Code: code}))
			}
			cl.publish0(v.Out.RequestTopic, v.Out.RequestBody)
			want, _, _ := strings.Cut(v.In.ResponseTopic, "&$version=")
			if p := cl.message(); strings.TrimSuffix(p.TopicName, "&$version=2") != want {
				t.Errorf("got %v, want %s", p, v.In.ResponseTopic)
			}
		})
	})
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	must(t, json.Unmarshal(a, &x))
	must(t, json.Unmarshal(b, &y))
	return reflect.DeepEqual(x, y)
}
