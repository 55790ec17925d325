package hub_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/hub"
)

type d2cCase struct {
	Name string
	In   struct {
		DeviceID, ModuleID string
		System             map[string]string
		Properties         [][2]string
		Payload            string
	}
	Out struct {
		Topic  string
		QoS    byte
		Retain bool
	}
}

// otherTelemetry are the cases that Telemetry cannot express.
var otherTelemetry = map[string]string{
	"module":                     "the daemon is a device, not a module",
	"module-output":              "the daemon is a device, not a module",
	"all-system":                 "Telemetry has no message id and no user id",
	"expiry-iso":                 "the contract, section 3.3, forbids $.exp",
	"message-and-correlation-id": "Telemetry has no message id",
	"content-json-charset":       "the content type is always application/json",
}

// TestEncodeVectors sends each property of a case as the one that Telemetry has,
// under its own name in the wanted topic: what is tested is the encoding of the
// value, of the device id, and of the system properties.
func TestEncodeVectors(t *testing.T) {
	for _, tt := range vectors[d2cCase](t, "d2c-topics.json") {
		t.Run(tt.Name, func(t *testing.T) {
			if why := otherTelemetry[tt.Name]; why != "" {
				t.Skip(why)
			}
			if tt.Out.QoS != 1 || tt.Out.Retain {
				t.Error("the daemon sends with QoS 1 and without retain")
			}
			path, bag := cutTopic(tt.Out.Topic)
			want := parseBag(t, bag)
			for _, p := range tt.In.Properties {
				name, value := p[0], p[1]
				if name == "dt-subject" { // the SDK's name for the component
					bag := parseBag(t, cutBag(hub.Encode(hub.Outbound(tt.In.DeviceID), hub.Telemetry{Component: value})))
					if bag["$.sub"] != value || want["$.sub"] != value {
						t.Errorf("component %q, want %q", bag["$.sub"], want["$.sub"])
					}
					delete(want, "$.sub")
					continue
				}
				got := hub.Encode(hub.Outbound(tt.In.DeviceID), hub.Telemetry{Topic: value})
				gotPath, gotBag := cutTopic(got)
				if gotPath != path {
					t.Errorf("path %q, want %q", gotPath, path)
				}
				if have := parseBag(t, gotBag)["topic"]; have != want[name] {
					t.Errorf("%s: value %q, want %q", name, have, want[name])
				}
				mustBeUnreserved(t, gotBag)
				// The names that go through the same encoder.
				gotName := parseBag(t, cutBag(hub.Encode(hub.Outbound(tt.In.DeviceID), hub.Telemetry{CorrelationID: name})))["$.cid"]
				if gotName != name {
					t.Errorf("name %q, want %q", gotName, name)
				}
			}
			got := hub.Encode(hub.Outbound(tt.In.DeviceID), hub.Telemetry{})
			system := map[string]string{"$.ct": "application/json", "$.ce": "utf-8"}
			if have := parseBag(t, cutBag(got)); !maps.Equal(have, system) {
				t.Errorf("system properties %v, want %v", have, system)
			}
			for name, value := range want {
				if strings.HasPrefix(name, "$.") && system[name] != value {
					t.Errorf("%s is %q, want %q", name, system[name], value)
				}
			}
		})
	}
	leftOutExist(t, "d2c-topics.json", otherTelemetry)
}

func TestEncodeAnswer(t *testing.T) {
	got := hub.Encode(hub.Outbound("rpi-0001"), hub.Telemetry{Topic: "stat/pump/RESULT", CorrelationID: "cmd/42 +1"})
	want := "devices/rpi-0001/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8&topic=stat%2Fpump%2FRESULT&%24.cid=cmd%2F42%20%2B1"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// leftOutExist keeps the list of left-out cases from growing stale.
func leftOutExist(t *testing.T, file string, leftOut map[string]string) {
	t.Helper()
	var names []string
	for _, c := range vectors[struct{ Name string }](t, file) {
		names = append(names, c.Name)
	}
	for name := range leftOut {
		if !slices.Contains(names, name) {
			t.Errorf("%s has no case %s to leave out", file, name)
		}
	}
}

// cutTopic splits a D2C topic before its property bag.
func cutTopic(topic string) (path, bag string) {
	const end = "/messages/events/"
	i := strings.Index(topic, end) + len(end)
	return topic[:i], topic[i:]
}

func cutBag(topic string) string {
	_, bag := cutTopic(topic)
	return bag
}

func parseBag(t *testing.T, bag string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for part := range strings.SplitSeq(bag, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := url.PathUnescape(name)
		must(t, err)
		v, err := url.PathUnescape(value)
		must(t, err)
		all[n] = v
	}
	return all
}

// mustBeUnreserved checks that all but letters, digits and "-_.~" is encoded.
func mustBeUnreserved(t *testing.T, bag string) {
	t.Helper()
	for part := range strings.SplitSeq(bag, "&") {
		name, value, _ := strings.Cut(part, "=")
		for _, s := range []string{name, value} {
			u, err := url.PathUnescape(s)
			must(t, err)
			if again := strings.ReplaceAll(url.QueryEscape(u), "+", "%20"); again != s {
				t.Errorf("%q is not the most encoded form %q", s, again)
			}
		}
	}
}
