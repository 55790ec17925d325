package faultlab_test

import (
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/faultlab"
)

// good is a round in which all went well: three commands, one of them a question.
func good() faultlab.Observation {
	return faultlab.Observation{
		Commands: []faultlab.Command{{ID: "c1", Pin: "A"}, {ID: "c2"}, {ID: "c3", Pin: "A"}},
		Edges:    []faultlab.Edge{{Pin: "A", On: true}, {Pin: "A"}},
		Records:  []faultlab.Record{{Edge: faultlab.Edge{Pin: "A", On: true}, Cause: "c1"}, {Edge: faultlab.Edge{Pin: "A"}, Cause: "c3"}},
		Answers: []faultlab.Answer{
			{Command: "c1", ID: "m1", Topic: "RESULT"}, {Command: "c2", ID: "m2", Topic: "STATUS"},
			{Command: "c2", ID: "m3", Topic: "STATUS1"}, {Command: "c3", ID: "m4", Topic: "RESULT"},
		},
		Faults: 1,
	}
}

func TestJudge(t *testing.T) {
	on := faultlab.Edge{Pin: "A", On: true}
	for _, tt := range []struct {
		name string
		make func(*faultlab.Observation)
		want faultlab.Verdict
	}{
		{"good", func(*faultlab.Observation) {}, faultlab.Verdict{Effective: 3}},
		{"again under the same id", func(o *faultlab.Observation) { o.Answers = append(o.Answers, o.Answers[0]) },
			faultlab.Verdict{Effective: 3, Repeated: 1}},
		{"again under another id", func(o *faultlab.Observation) {
			o.Answers = append(o.Answers, faultlab.Answer{Command: "c3", ID: "m5", Topic: "RESULT"})
		}, faultlab.Verdict{Effective: 3, Doubled: 1}},
		{"not answered", func(o *faultlab.Observation) { o.Answers = o.Answers[:3] }, faultlab.Verdict{Effective: 2, Lost: 1}},
		{"answered late", func(o *faultlab.Observation) { o.Answers = append(o.Answers[1:], o.Answers[0]) },
			faultlab.Verdict{Effective: 3, Disordered: 1}},
		{"no effect", func(o *faultlab.Observation) { o.Edges, o.Records = o.Edges[:1], o.Records[:1] },
			faultlab.Verdict{Effective: 2, Lost: 1}},
		{"twice", func(o *faultlab.Observation) {
			o.Edges, o.Records = append(o.Edges, on), append(o.Records, faultlab.Record{Edge: on, Cause: "c3"})
		}, faultlab.Verdict{Effective: 3, Doubled: 1}},
		{"in disorder", func(o *faultlab.Observation) { o.Records[0].Cause, o.Records[1].Cause = "c3", "c1" },
			faultlab.Verdict{Effective: 3, Disordered: 1}},
		{"by a start", func(o *faultlab.Observation) {
			o.Edges, o.Records = append(o.Edges, on), append(o.Records, faultlab.Record{Edge: on, Cause: "[start]"})
		}, faultlab.Verdict{Effective: 3, Uncaused: 1}},
		{"not on record", func(o *faultlab.Observation) { o.Edges = append(o.Edges, on, faultlab.Edge{Pin: "A"}) },
			faultlab.Verdict{Effective: 3, Uncaused: 2}},
		{"another relay", func(o *faultlab.Observation) { o.Edges = append(o.Edges, faultlab.Edge{Pin: "B", On: true}) },
			faultlab.Verdict{Effective: 3, Uncaused: 1}},
		{"on record only", func(o *faultlab.Observation) { o.Edges = nil }, faultlab.Verdict{Effective: 3, Uncaused: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := good()
			tt.make(&o)
			v := faultlab.Judge(o)
			got := faultlab.Verdict{Effective: v.Effective, Doubled: v.Doubled, Lost: v.Lost, Disordered: v.Disordered, Uncaused: v.Uncaused, Repeated: v.Repeated}
			if got.Effective != tt.want.Effective || got.Doubled != tt.want.Doubled || got.Lost != tt.want.Lost ||
				got.Disordered != tt.want.Disordered || got.Uncaused != tt.want.Uncaused || got.Repeated != tt.want.Repeated {
				t.Errorf("got %+v: %q, want %+v", got, v.Complaints, tt.want)
			}
			if bad := len(v.Complaints) > 0; bad == v.Good() {
				t.Errorf("good is %v with %q", v.Good(), v.Complaints)
			}
		})
	}
}

func TestTableHasAllRounds(t *testing.T) {
	var r faultlab.Row
	r.Name, r.Does = "kill -9", "of the daemon"
	for _, d := range []time.Duration{time.Second, 30 * time.Second, 2 * time.Second} {
		o := good()
		o.Recoveries, o.Waits = []time.Duration{d}, []time.Duration{d / 10}
		r.Verdict.Add(faultlab.Judge(o))
	}
	var b strings.Builder
	if err := faultlab.Table(&b, []faultlab.Row{r}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if got, want := strings.Join(strings.Fields(lines[2]), " "), "| kill -9 | 3 | 9 | 9 | 0 | 0 | 0 | 0 | 0 | 0.2 s | 3.0 s | 2.0 s | 30.0 s | of the daemon |"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
