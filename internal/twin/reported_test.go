package twin_test

import (
	"encoding/json"
	"testing"
	"time"

	"tasmota-azd/internal/twin"
)

func text(t *testing.T, d twin.Document) string {
	t.Helper()
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func state() twin.State {
	return twin.State{
		Relays: []twin.Relay{
			{On: true, Name: "Pump", Pin: "GPIO17", Since: time.Date(2026, 11, 25, 9, 0, 0, 5, time.FixedZone("", 3600)), Cause: "c2d m1"},
			{Name: "Valve", Pin: "GPIO27", Fault: "gone"},
		},
		Settings: []twin.Setting{{"SetOption26", 1}, {"TelePeriod", 60}},
		Daemon:   twin.Daemon{Version: "0.1.0"}, Board: twin.Board{Model: "Pi"},
		Network: twin.Network{Hostname: "pump", IP: "192.168.1.20"}, Counters: twin.Counters{Boots: 3, Sessions: 2},
	}
}

func TestDocument(t *testing.T) {
	s := state()
	want := `{"SetOption26":1,"TelePeriod":60,"board":{"model":"Pi"},"counters":{"boots":3,"sessions":2},"daemon":{"version":"0.1.0"},` +
		`"network":{"hostname":"pump","ip":"192.168.1.20"},` +
		`"relay1":{"__t":"c","name":"Pump","on":true},"relay2":{"__t":"c","name":"Valve","on":false},` +
		`"relays":{"1":{"cause":"c2d m1","name":"Pump","pin":"GPIO17","power":"ON","since":"2026-11-25T08:00:00Z"},` +
		`"2":{"error":"gone","name":"Valve","pin":"GPIO27","power":"OFF"}},"settings":{"SetOption26":1,"TelePeriod":60}}`
	if got := text(t, s.Document()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAcknowledgements(t *testing.T) {
	s := state()
	ack := func(value string, status int) twin.Entry {
		return twin.Entry{Want: json.RawMessage(`1`), Ack: twin.Ack{Value: json.RawMessage(value), Status: status, Version: 5, Text: "ok"}}
	}
	s.Memory = twin.Memory{
		"relays/1/power": ack(`"ON"`, 200), "relays/9/power": ack(`"ON"`, 400), "relay2/on": ack(`true`, 503),
		"settings/TelePeriod": ack(`60`, 200), "TelePeriod": ack(`60`, 200), "settings/Foo": ack(`null`, 404),
	}
	doc := s.Document()
	for path, want := range map[string]string{
		"relays":     `{"1":{"ack":{"ac":200,"ad":"ok","av":5,"value":"ON"},"cause":"c2d m1","name":"Pump","pin":"GPIO17","power":"ON","since":"2026-11-25T08:00:00Z"},"2":{"error":"gone","name":"Valve","pin":"GPIO27","power":"OFF"},"9":{"ack":{"ac":400,"ad":"ok","av":5,"value":"ON"}}}`,
		"relay1":     `{"__t":"c","name":"Pump","on":true}`,
		"relay2":     `{"__t":"c","name":"Valve","on":{"ac":503,"ad":"ok","av":5,"value":false}}`,
		"settings":   `{"SetOption26":1,"TelePeriod":60,"ack":{"Foo":{"ac":404,"ad":"ok","av":5},"TelePeriod":{"ac":200,"ad":"ok","av":5,"value":60}}}`,
		"TelePeriod": `{"ac":200,"ad":"ok","av":5,"value":60}`,
	} {
		got, err := json.Marshal(doc[path])
		if string(got) != want || err != nil {
			t.Errorf("%s\ngot  %s\nwant %s", path, got, want)
		}
	}
}

func TestFailure(t *testing.T) {
	s := state()
	s.Failure = &twin.Failure{Text: "relay 1", Time: time.Unix(0, 0), Cause: "method 1"}
	if got, _ := json.Marshal(s.Document()["lastError"]); string(got) != `{"cause":"method 1","text":"relay 1","time":"1970-01-01T00:00:00Z"}` {
		t.Errorf("got %s", got)
	}
}

func parse(t *testing.T, s string) twin.Document {
	t.Helper()
	d, err := twin.Parse(json.RawMessage(s))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDiff(t *testing.T) {
	for _, tt := range []struct{ have, want, patch string }{
		{`{}`, `{}`, `{}`},
		{`{"$version":5,"$metadata":{}}`, `{}`, `{}`},
		{`{"a":1}`, `{"a":1}`, `{}`},
		{`{"a":1}`, `{"a":2}`, `{"a":2}`},
		{`{"a":1}`, `{}`, `{"a":null}`},
		{`{"a":{"b":1,"c":2}}`, `{"a":{"b":1,"c":3}}`, `{"a":{"c":3}}`},
		{`{"a":{"b":1,"c":2}}`, `{"a":{"b":1}}`, `{"a":{"c":null}}`},
		{`{"a":{"b":1}}`, `{"a":5}`, `{"a":5}`},
		{`{"a":5}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{`{"a":{}}`, `{"a":{}}`, `{}`},
		{`{"a":[1]}`, `{"a":[1,2]}`, `{"a":[1,2]}`},
		{`{"r":{"__t":"c","on":true,"n":"x"}}`, `{"r":{"__t":"c","on":false,"n":"x"}}`, `{"r":{"__t":"c","on":false}}`},
		{`{}`, `{"r":{"__t":"c","on":true}}`, `{"r":{"__t":"c","on":true}}`},
		{`{"a":300}`, `{"a":"300"}`, `{"a":"300"}`},
	} {
		if got := text(t, twin.Diff(parse(t, tt.have), parse(t, tt.want))); got != tt.patch {
			t.Errorf("from %s to %s: %s, want %s", tt.have, tt.want, got, tt.patch)
		}
		have, want := parse(t, tt.have), parse(t, tt.want)
		if got := twin.Merge(have, twin.Whole(have, want)); text(t, got) != text(t, want) {
			t.Errorf("from %s the whole of %s makes %s", tt.have, tt.want, text(t, got))
		}
		if got := twin.Whole(nil, want); text(t, got) != text(t, want) {
			t.Errorf("the whole of %s is %s", tt.want, text(t, got))
		}
	}
	for _, bad := range []string{``, `null`, `[]`, `1`} {
		if d, err := twin.Parse(json.RawMessage(bad)); err == nil {
			t.Errorf("%q is %v", bad, d)
		}
	}
}

// The law: a patch makes of the hub's copy what is wanted.
func FuzzDiff(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1},"c":[1]}`), []byte(`{"a":2,"c":{"d":{"e":null}}}`))
	f.Add([]byte(`{"r":{"__t":"c","on":true}}`), []byte(`{"r":{"__t":"c","on":false}}`))
	f.Add([]byte(`{"a":"\ud800","$x":1}`), []byte(`{"a":{"$x":1.50},"":{}}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		have, err := twin.Parse(a)
		want, err2 := twin.Parse(b)
		if err != nil || err2 != nil {
			return
		}
		have, want = twin.Merge(nil, have), twin.Merge(nil, want) // a twin holds nothing that is null
		patch := twin.Diff(have, want)
		got := twin.Merge(have, patch)
		if text(t, got) != text(t, want) {
			t.Errorf("%s and then %s is %s, want %s", text(t, have), text(t, patch), text(t, got), text(t, want))
		}
		if left := twin.Diff(got, want); len(left) > 0 {
			t.Errorf("still different: %s", text(t, left))
		}
	})
}
