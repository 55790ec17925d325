package edges_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/edges"
)

// edge is the n-th edge of a test; n also tells it from others.
func edge(n int) edges.Edge {
	return edges.Edge{
		Time: time.Date(2026, 1, 2, 3, 4, 5, n*1000, time.UTC), Relay: n%3 + 1, Name: "Pump", Pin: "GPIO17",
		From: new(n%2 == 1), To: n%2 == 0, Cause: cause.Cause{Door: cause.C2D, ID: fmt.Sprint("m", n), Seq: uint64(n)},
	}
}

func TestRingKeepsTheLast(t *testing.T) {
	r := edges.New()
	for n := 1; n <= 3*edges.Most; n++ {
		want := edge(n)
		want.Seq = uint64(n)
		if got := r.Add(edge(n)); !reflect.DeepEqual(got, want) {
			t.Fatalf("kept as %+v, want %+v", got, want)
		}
	}
	all := r.Last(2 * edges.Most)
	if len(all) != edges.Most || all[0].Seq != 2*edges.Most+1 || all[edges.Most-1].Seq != 3*edges.Most {
		t.Errorf("%d edges from %d", len(all), all[0].Seq)
	}
	if got := r.Last(2); len(got) != 2 || got[1].Seq != 3*edges.Most || got[0].Seq != 3*edges.Most-1 {
		t.Errorf("the last two are %+v", got)
	}
}

// What was kept before keeps its number, unless that is none.
func TestRingNumbers(t *testing.T) {
	r := edges.New()
	var got []uint64
	for _, seq := range []uint64{7, 0, 20, 20, 3, 1<<64 - 1} {
		e := edge(1)
		e.Seq = seq
		got = append(got, r.Add(e).Seq)
	}
	if want := []uint64{7, 8, 20, 21, 22, 23}; !reflect.DeepEqual(got, want) {
		t.Errorf("numbers %v, want %v", got, want)
	}
}

// What comes from outside is cut to what can be kept: as JSON it comes back as it was.
func FuzzAdd(f *testing.F) {
	f.Add("Pump", "m1", int64(0))
	f.Add(strings.Repeat("ö", 200), strings.Repeat("x", 129), int64(1)<<62)
	f.Add("\xff\xfe", "a\x00", int64(-1)<<62)
	f.Fuzz(func(t *testing.T, name, id string, seconds int64) {
		e := edges.New().Add(edges.Edge{Time: time.Unix(seconds, 1), Name: name, Cause: cause.Cause{ID: id}})
		if len(e.Name) > 128 || len(e.Cause.ID) > 128 || !utf8.ValidString(e.Name+e.Cause.ID) {
			t.Errorf("kept as %q, %q", e.Name, e.Cause.ID)
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back edges.Edge
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%+v comes back as %+v, %v", e, back, err)
		}
	})
}
