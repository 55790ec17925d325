package journal_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/journal"
)

// full has every member of an outcome, and s as each text of it.
func full(s string) journal.Outcome {
	c := cause.Cause{Door: cause.Door(s), ID: s, Seq: 1 << 63}
	at := noon.Add(123456789)
	return journal.Outcome{
		At: at, Start: true,
		Commands: []journal.Command{{Cause: c}, {
			Cause: c, Open: true, Line: s, Made: at, Arrived: at, Properties: map[string]string{s: s},
		}},
		Edges: []edges.Edge{
			{Seq: 1, Time: at, Relay: 1, Name: s, Pin: s, To: true, Cause: c},
			{Seq: 2, Time: noon, Name: s, Pin: s, From: new(true), Cause: cause.Cause{Door: cause.Start}},
		},
		Answers: []journal.Answer{
			{Number: 1, Topic: s, Body: s, CorrelationID: s, Component: s, At: at},
			{Number: 1 << 63, At: time.Time{}},
		},
		State: json.RawMessage(`{"relays":{"GPIO17":true}}`),
	}
}

// sameRecords fails if what is written by hand says something else than what
// encoding/json writes, or is not on one line.
func sameRecords(t *testing.T, d journal.Decision, o journal.Outcome) {
	t.Helper()
	byHand, byJSON := journal.Written(d, o)
	for i := range byHand {
		var got, want any
		if err := json.Unmarshal(byHand[i], &got); err != nil {
			t.Fatalf("%v: %s", err, byHand[i])
		}
		if err := json.Unmarshal(byJSON[i], &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) || bytes.ContainsAny(byHand[i], "\n\r") {
			t.Errorf("written:\n%s\nwant:\n%s", byHand[i], byJSON[i])
		}
	}
}

func TestWritten(t *testing.T) {
	d := journal.Decision{Cause: message("m1"), Pin: "GPIO17", On: true}
	sameRecords(t, d, full("plain"))
	sameRecords(t, d, journal.Outcome{})
	// Each member by itself: one that is forgotten, or out of place, shows.
	whole := reflect.ValueOf(full("x"))
	for i := range whole.NumField() {
		var o journal.Outcome
		reflect.ValueOf(&o).Elem().Field(i).Set(whole.Field(i))
		sameRecords(t, d, o)
	}
}

// TestFull: full has every member that there is, so that one which is added to a record and
// not to what writes it by hand cannot go unseen.
func TestFull(t *testing.T) {
	_, byJSON := journal.Written(journal.Decision{}, full("x"))
	for _, name := range members(reflect.TypeFor[journal.Outcome]()) {
		if !bytes.Contains(byJSON[2], []byte(`"`+name+`":`)) {
			t.Errorf("full has no %s", name)
		}
	}
}

// members are the names that the values of a type have in JSON, and of all that they hold.
func members(of reflect.Type) (all []string) {
	switch of.Kind() {
	case reflect.Slice, reflect.Pointer:
		return members(of.Elem())
	case reflect.Struct:
		for f := range of.Fields() {
			if f.IsExported() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				all = append(append(all, name), members(f.Type)...)
			}
		}
	}
	return all
}

// FuzzWritten: any text of a sender can be written.
func FuzzWritten(f *testing.F) {
	for _, s := range []string{`{"POWER":"ON"}`, `back\slash`, "line\nend", "\x00\x1f\x7f", "größer <&>\u2028", "\xff\xfe", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sameRecords(t, journal.Decision{Cause: message(s), Pin: s}, full(s))
	})
}

// A time that JSON cannot hold must not keep the rest from being written.
func TestWrittenTooLate(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	done(t, j, journal.Outcome{At: noon, Commands: []journal.Command{{Cause: message("m1"), Made: noon.AddDate(8000, 0, 0)}}})
	j, _ = killed(t, dir)
	if _, ok := j.Known("m1", noon); !ok {
		t.Error("the message is forgotten")
	}
}
