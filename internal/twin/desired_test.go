package twin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/twin"
)

var settings = []twin.Setting{{"SetOption0", 1}, {"SetOption26", 0}, {"PowerOnState", 3}, {"TelePeriod", 300}}

// told is what is to be done, in short.
func told(todo []twin.Wish, gone []string) string {
	var all []string
	for _, w := range todo {
		text := fmt.Sprintf("%s: %s %s", w.Path, w.Command, w.Arg)
		if w.Err != nil {
			text = fmt.Sprintf("%s: %v", w.Path, w.Err)
		}
		all = append(all, text)
	}
	for _, path := range gone {
		all = append(all, "gone "+path)
	}
	return strings.Join(all, "; ")
}

func TestWishesInOrder(t *testing.T) {
	todo, gone, err := twin.Changes(json.RawMessage(`{
		"relay2":{"__t":"c","on":false},"relays":{"10":{"power":"on"},"2":{"power":"ON","other":1},"1":{"power":0}},
		"TelePeriod":60,"settings":{"TelePeriod":"30","poweronstate":4,"SetOption26":true,"ack":{"x":1}},
		"firmware":{"url":"for somebody else"},"$version":7}`), nil, settings)
	want := "settings/SetOption26: SetOption26 true; settings/poweronstate: poweronstate 4; settings/TelePeriod: TelePeriod 30; " +
		"TelePeriod: TelePeriod 60; relays/1/power: POWER1 OFF; relays/2/power: POWER2 ON; relay2/on: POWER2 OFF; relays/10/power: POWER10 ON"
	if got := told(todo, gone); got != want || err != nil {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{`{"relays":{"1":{"power":"TOGGLE"}}}`, "relays/1/power: a change such as TOGGLE is not a state"},
		{`{"relays":{"1":{"power":2}}}`, "relays/1/power: not ON or OFF"},
		{`{"relays":{"1":{"power":"on "}}}`, "relays/1/power: not ON or OFF"},
		{`{"relays":{"1":{"power":[true]}}}`, "relays/1/power: not a number or a word that stands for one"},
		{`{"relays":{"1":{"power":""}}}`, "relays/1/power: not a number or a word that stands for one"},
		{`{"relays":{"1":{"power":"true"}}}`, "relays/1/power: POWER1 ON"},
		{`{"relay1":{"on":true}}`, "relay1/on: POWER1 ON"},
		{`{"settings":{"TelePeriod":"?"}}`, "settings/TelePeriod: not a number or a word that stands for one"},
		{`{"settings":{"SetOption26":"toggle"}}`, "settings/SetOption26: a change such as TOGGLE is not a state"},
		{`{"settings":{"Power1":"ON"}}`, "settings/Power1: no setting of this device"},
		{`{"settings":{"Backlog":"power1 on"}}`, "settings/Backlog: no setting of this device"},
		{`{"relays":{"0":{"power":"ON"},"01":{"power":"ON"},"100":{"power":"ON"},"x":{"power":"ON"},"2":{},"3":"ON"}}`, ""},
		{`{"relays":"ON","settings":[],"relay1":true,"relayx":{"on":true},"Power1":"ON"}`, ""},
	} {
		todo, gone, err := twin.Changes(json.RawMessage(tt.doc), nil, settings)
		if got := told(todo, gone); got != tt.want || err != nil {
			t.Errorf("%s: %v\ngot  %s\nwant %s", tt.doc, err, got, tt.want)
		}
	}
	for _, doc := range []string{``, `null`, `[]`, `1`, `{`} {
		if _, _, err := twin.Changes(json.RawMessage(doc), nil, settings); err == nil {
			t.Errorf("%q is a document", doc)
		}
		if _, _, err := twin.Patch(json.RawMessage(doc), nil, settings); err == nil {
			t.Errorf("%q is a patch", doc)
		}
	}
}

func known(paths ...string) twin.Memory {
	m := twin.Memory{}
	for _, p := range paths {
		path, want, _ := strings.Cut(p, "=")
		m[path] = twin.Entry{Want: json.RawMessage(want)}
	}
	return m
}

// Of a whole document only what is new counts, of a patch all that is in it.
func TestWhatWasAppliedIsNotAppliedAgain(t *testing.T) {
	before := known(`relays/1/power="ON"`, `relays/2/power="ON"`, `settings/TelePeriod=60`, `relay1/on={ }`)
	doc := json.RawMessage(`{"relays":{"1":{"power":"ON"},"2":{"power":"OFF"}},"settings":{"TelePeriod":60},"relay1":{"on":{}}}`)
	todo, gone, err := twin.Changes(doc, before, settings)
	if got := told(todo, gone); got != "relays/2/power: POWER2 OFF" || err != nil {
		t.Errorf("%v %s", err, got)
	}
	todo, gone, err = twin.Patch(doc, before, settings)
	if got := len(todo); got != 4 || len(gone) > 0 || err != nil {
		t.Errorf("%v %s", err, told(todo, gone))
	}
}

func TestRemoved(t *testing.T) {
	before := known("relays/1/power", "relays/2/power", "relays/20/power", "settings/TelePeriod", "settings/SetOption0", "relay1/on", "TelePeriod")
	for doc, want := range map[string]string{
		`{}`:                                  "",
		`{"relays":null}`:                     "gone relays/1/power; gone relays/2/power; gone relays/20/power",
		`{"relays":{"2":null}}`:               "gone relays/2/power",
		`{"relays":{"2":{"power":null}}}`:     "gone relays/2/power",
		`{"settings":{"TelePeriod":null}}`:    "gone settings/TelePeriod",
		`{"settings":null,"relay1":null}`:     "gone relay1/on; gone settings/SetOption0; gone settings/TelePeriod",
		`{"relay1":{"__t":"c","on":null}}`:    "gone relay1/on",
		`{"TelePeriod":null,"$version":null}`: "gone TelePeriod",
	} {
		todo, gone, err := twin.Patch(json.RawMessage(doc), before, settings)
		if got := told(todo, gone); got != want || err != nil {
			t.Errorf("%s: %v %s", doc, err, got)
		}
	}
	todo, gone, err := twin.Changes(json.RawMessage(`{"relays":{"2":{}}}`), before, settings)
	if len(todo) != 0 || len(gone) != len(before) || err != nil {
		t.Errorf("%v %s", err, told(todo, gone))
	}
}

func TestMemoryEqual(t *testing.T) {
	m := twin.Memory{"a": {json.RawMessage(`{"x": 1}`), twin.Ack{json.RawMessage("1"), 200, 5, "ok"}}}
	if !m.Equal(twin.Memory{"a": {json.RawMessage(`{"x":1}`), twin.Ack{json.RawMessage("1"), 200, 5, "ok"}}}) {
		t.Error("white space counts")
	}
	for _, e := range []twin.Entry{
		{json.RawMessage(`2`), twin.Ack{json.RawMessage("1"), 200, 5, "ok"}}, {json.RawMessage(`{"x":1}`), twin.Ack{json.RawMessage("2"), 200, 5, "ok"}},
		{json.RawMessage(`{"x":1}`), twin.Ack{json.RawMessage("1"), 400, 5, "ok"}}, {json.RawMessage(`{"x":1}`), twin.Ack{json.RawMessage("1"), 200, 6, "ok"}},
		{json.RawMessage(`{"x":1}`), twin.Ack{json.RawMessage("1"), 200, 5, ""}},
	} {
		if m.Equal(twin.Memory{"a": e}) {
			t.Errorf("equal to %+v", e)
		}
	}
}

func FuzzDesired(f *testing.F) {
	for _, seed := range []string{
		`{"relays":{"1":{"power":"ON"},"2":null},"settings":{"TelePeriod":60,"SetOption26":null},"relay1":{"__t":"c","on":true},"$version":5}`,
		`{"relays":{"1":{"power":{"power":1}}},"relay":{"on":1},"":{}}`, `{"settings":{"":1e999,"a/b":"\u0000"}}`, `[]`, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		todo, _, err := twin.Changes(doc, nil, settings)
		again, _, err2 := twin.Patch(doc, nil, settings)
		if (err == nil) != (err2 == nil) || told(todo, nil) != told(again, nil) {
			t.Errorf("%s\n%s", told(todo, nil), told(again, nil))
		}
		memory := twin.Memory{}
		for _, w := range todo {
			if _, twice := memory[w.Path]; twice || w.Err == nil && (w.Arg == "" || strings.EqualFold(w.Arg, "TOGGLE")) {
				t.Errorf("wish %+v", w)
			}
			memory[w.Path] = twin.Entry{Want: w.Want}
		}
		if left, gone, err := twin.Changes(doc, memory, settings); err == nil && len(left)+len(gone) > 0 {
			t.Errorf("not dealt with after all: %s", told(left, gone))
		}
		if !slices.IsSortedFunc(todo, func(a, b twin.Wish) int { // settings first
			return strings.Compare(kind(a), kind(b))
		}) {
			t.Errorf("order %s", told(todo, nil))
		}
	})
}

func kind(w twin.Wish) string {
	if strings.HasPrefix(w.Path, "relay") {
		return "b"
	}
	return "a"
}
