package journal_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/store"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string, after uint64) *journal.Journal {
	t.Helper()
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(s, after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close(); s.Close() })
	return j
}

// killed returns a journal as the next run finds it if this one is killed now.
func killed(t testing.TB, dir string) (*journal.Journal, string) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "state")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return open(t, to, 0), to
}

func message(id string) cause.Cause { return cause.Cause{Door: cause.C2D, ID: id, Seq: 1} }

func done(t testing.TB, j *journal.Journal, o journal.Outcome) []journal.Answer {
	t.Helper()
	answers, err := j.Done(o)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func answer(body string) []journal.Answer { return answerTo("m1", body) }

func answerTo(id, body string) []journal.Answer {
	return []journal.Answer{{Topic: "pump/RESULT", Body: body, CorrelationID: id, At: noon}}
}

func ran(c cause.Cause) []journal.Command { return []journal.Command{{Cause: c}} }

func bodies(answers []journal.Answer) (all []string) {
	for _, a := range answers {
		all = append(all, fmt.Sprintf("%d %s", a.Number, a.Body))
	}
	return all
}

func TestKilledBeforeThePinMoved(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	done(t, j, journal.Outcome{Commands: ran(message("m0")), At: noon})
	d := journal.Decision{Cause: message("m1"), Pin: "GPIO17", On: true}
	if err := j.Decide(d); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := j.Decided(message("m1"), "GPIO17"); ok {
		t.Error("a command meets its own decision")
	}
	j, _ = killed(t, dir)
	if _, cut := j.Since(0); !slices.Equal(cut, []journal.Decision{d}) {
		t.Errorf("cut short was %+v", cut)
	}
	if got := j.Unfinished(); !slices.Equal(got, []journal.Decision{d}) {
		t.Errorf("unfinished is %+v", got)
	}
	done(t, j, journal.Outcome{At: noon, Start: true})
	again := cause.Cause{Door: cause.C2D, ID: "m1", Seq: 99} // as the hub delivers it to the next run
	if _, _, ok := j.Decided(again, "GPIO27"); ok {
		t.Error("another pin was decided about")
	}
	if on, last, ok := j.Decided(again, "GPIO17"); !ok || !on || !last {
		t.Errorf("decided %v, last %v, %v", on, last, ok)
	}
	if _, _, ok := j.Decided(again, "GPIO17"); ok {
		t.Error("one decision counts twice")
	}
}

func TestKilledAfterItWasDone(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	if err := j.Decide(journal.Decision{Cause: message("m1"), Pin: "GPIO17", On: true}); err != nil {
		t.Fatal(err)
	}
	done(t, j, journal.Outcome{Commands: ran(message("m1")), At: noon, Answers: answer("ON")})
	for _, compacted := range []bool{false, true} {
		if compacted {
			if err := j.Compact(); err != nil {
				t.Fatal(err)
			}
		}
		j, _ := killed(t, dir)
		if got := j.Unfinished(); len(got) != 0 {
			t.Errorf("unfinished is %+v", got)
		}
		if _, _, ok := j.Decided(message("m1"), "GPIO17"); ok {
			t.Error("a command that is done is decided about")
		}
		p, ok := j.Known("m1", noon.Add(47*time.Hour))
		if !ok || p.Cause != message("m1") || !slices.Equal(bodies(p.Answers), []string{"1 ON"}) {
			t.Errorf("known %v, by %v, answered %v", ok, p.Cause, bodies(p.Answers))
		}
		if _, ok := j.Known("m1", noon.Add(48*time.Hour)); ok {
			t.Error("known after two days")
		}
		if _, ok := j.Known("m2", noon); ok {
			t.Error("known without having come")
		}
	}
}

// The answers to a backlog are one message's.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	done(t, j, journal.Outcome{Commands: []journal.Command{{Cause: message("m1"), Open: true}}, At: noon, Answers: answer("ON")})
	if err := j.Decide(journal.Decision{Cause: message("m1"), Pin: "GPIO17"}); err != nil {
		t.Fatal(err)
	}
	done(t, j, journal.Outcome{Commands: ran(message("m1")), At: noon, Answers: answer("OFF")})
	j, _ = killed(t, dir)
	if p, _ := j.Known("m1", noon); !slices.Equal(bodies(p.Answers), []string{"1 ON", "2 OFF"}) {
		t.Errorf("answered %v", bodies(p.Answers))
	}
	if _, _, ok := j.Decided(message("m1"), "GPIO17"); ok {
		t.Error("what is done is decided about")
	}
}

func TestOwedUntilSent(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	done(t, j, journal.Outcome{Commands: ran(message("m1")), At: noon, Answers: answer("a")})
	done(t, j, journal.Outcome{At: noon, Answers: append(answer("b"), answer("c")...)})
	id := j.ID(2)
	if err := j.Sent(1); err != nil {
		t.Fatal(err)
	}
	for range 3 { // as it was, after compacting, and after a second time
		next, to := killed(t, dir)
		if got := bodies(next.Owed()); !slices.Equal(got, []string{"2 b", "3 c"}) {
			t.Errorf("owed %q", got)
		}
		if next.Owes(1) || !next.Owes(2) || next.ID(2) != id || next.ID(3) == id {
			t.Errorf("owes 1 %v, owes 2 %v, ids %q and %q, want %q", next.Owes(1), next.Owes(2), next.ID(2), next.ID(3), id)
		}
		if err := next.Compact(); err != nil {
			t.Fatal(err)
		}
		dir = to
	}
	j, _ = killed(t, dir)
	if err := j.Sent(3); err != nil || len(j.Owed()) != 0 {
		t.Errorf("%v, owed %q", err, bodies(j.Owed()))
	}
	if got := done(t, j, journal.Outcome{Answers: answer("d")}); got[0].Number <= 3 {
		t.Errorf("the next answer has the number %d", got[0].Number)
	}
}

// A loss of power takes the end of the journal, but not what was sent.
func TestIDsAreNotGivenTwice(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	done(t, j, journal.Outcome{At: noon, Answers: answer("a")})
	j.ID(1)
	next, _ := killed(t, dir) // the disk has no more than this
	sent := done(t, j, journal.Outcome{At: noon, Answers: append(answer("b"), answer("c")...)})
	fresh := done(t, next, journal.Outcome{At: noon, Answers: append(answer("d"), answer("e")...)})
	for i := range sent {
		if id := j.ID(sent[i].Number); id == next.ID(fresh[0].Number) || id == next.ID(fresh[1].Number) {
			t.Errorf("%s is the id of two answers", id)
		}
	}
	if got := bodies(next.Owed()); len(got) != 3 || next.ID(1) != j.ID(1) {
		t.Errorf("owed %q, the first as %s, which was %s", got, next.ID(1), j.ID(1))
	}
}

// A full disk took nothing for a while; then there is room again.
func TestCompactWritesWhatTheDiskDidNotTake(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	done(t, j, journal.Outcome{Commands: ran(message("m1")), At: noon, Answers: answer("a")})
	if err := j.Close(); err != nil { // no write succeeds any more
		t.Fatal(err)
	}
	if _, err := j.Done(journal.Outcome{Commands: ran(message("m2")), At: noon, Answers: answerTo("m2", "b")}); err == nil || !j.Lacks() {
		t.Fatalf("%v, lacks %v", err, j.Lacks())
	}
	if err := j.Compact(); err != nil || j.Lacks() {
		t.Fatalf("%v, lacks %v", err, j.Lacks())
	}
	next, _ := killed(t, dir)
	if _, ok := next.Known("m2", noon); !ok || len(next.Owed()) != 2 {
		t.Errorf("m2 known %v, owed %q", ok, bodies(next.Owed()))
	}
}

func TestEdges(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	for i := range 3 {
		j.Edge(edges.Edge{Time: noon, Relay: i + 1, Pin: "GPIO17", To: true})
	}
	if len(j.Unsaved()) != 3 {
		t.Errorf("%d edges are not written", len(j.Unsaved()))
	}
	done(t, j, journal.Outcome{At: noon})
	j.Edge(edges.Edge{Time: noon, Relay: 9}) // lost: not written
	if got := j.Edges(2); len(got) != 2 || got[1].Relay != 9 || got[1].Seq != 4 {
		t.Errorf("the last two are %+v", got)
	}
	next, _ := killed(t, dir)
	next.Edge(edges.Edge{Time: noon, Relay: 4}) // before what was kept is read
	if got := next.Edges(9); len(got) != 4 || got[3].Seq != 4 || got[3].Relay != 4 || got[0].Relay != 1 {
		t.Errorf("edges %+v", got)
	}
	if err := next.Compact(); err != nil {
		t.Fatal(err)
	}
	if got := next.Edges(edges.Most); len(got) != 4 {
		t.Errorf("%d edges", len(got))
	}
}

// Since tells what a saved state does not know, and nothing that was compacted.
func TestSince(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	done(t, j, journal.Outcome{Commands: ran(message("m1")), At: noon, State: []byte(`{"a":1}`)})
	known := j.Last()
	done(t, j, journal.Outcome{Commands: ran(message("m2")), At: noon, State: []byte(`{"a":2}`)})
	next, to := killed(t, dir)
	outcomes, _ := next.Since(known)
	if len(outcomes) != 1 || string(outcomes[0].State) != `{"a":2}` {
		t.Errorf("since %d: %+v", known, outcomes)
	}
	if err := next.Compact(); err != nil {
		t.Fatal(err)
	}
	next, _ = killed(t, to)
	if outcomes, cut := next.Since(next.Last() - 1); len(outcomes) > 1 || len(cut) > 0 {
		t.Errorf("after compacting: %+v, %+v", outcomes, cut)
	}
}

// However much happens, the journal is bounded, and what it remembers is the newest.
func TestBounded(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, 0)
	compacted := 0
	long := strings.Repeat("x", 400)
	const all = 6000
	for i := range all {
		j.Edge(edges.Edge{Time: noon, Relay: 1, Pin: "GPIO17", To: i%2 == 0})
		done(t, j, journal.Outcome{Commands: ran(message(fmt.Sprint("m", i))), At: noon, Answers: answerTo(fmt.Sprint("m", i), long)})
		if i%50 == 0 {
			if err := j.Sent(uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		if j.Large() {
			compacted++
			if err := j.Compact(); err != nil {
				t.Fatal(err)
			}
		}
	}
	info, err := os.Stat(filepath.Join(dir, journal.File))
	if err != nil || info.Size() > 4<<20 || compacted == 0 || compacted > 20 {
		t.Errorf("%v bytes, compacted %d times, %v", info.Size(), compacted, err)
	}
	j, _ = killed(t, dir)
	if _, ok := j.Known("m5999", noon); !ok {
		t.Error("the newest is forgotten")
	}
	if _, ok := j.Known(fmt.Sprint("m", all-4096), noon); !ok {
		t.Error("one of the last 4096 is forgotten")
	}
	if _, ok := j.Known(fmt.Sprint("m", all-4097), noon); ok {
		t.Error("more than 4096 are remembered")
	}
}

// FuzzOpen: any file is a journal of which something can be kept.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"done":{"cause":{"door":"c2d","id":"m1"},"answers":[{"n":3}]}}`))
	f.Add([]byte(`{"decide":{"cause":{"door":"c2d","id":"m1"},"pin":"GPIO17","on":true}}`))
	f.Add([]byte(`{"sent":18446744073709551615}`))
	f.Add([]byte(`{"past":{"edges":[{"seq":18446744073709551615}]}}`))
	f.Add([]byte(`{"epoch":"x"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, value []byte) {
		dir := t.TempDir()
		s, err := store.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, _, err := s.OpenLog(journal.File, 0)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(json.RawMessage(value))
		if err != nil {
			t.Skip("no JSON")
		}
		if err := l.Append(text); err != nil {
			t.Fatal(err)
		}
		l.Close()
		s.Close()
		j := open(t, dir, 0)
		j.Since(0)
		j.Unfinished()
		done(t, j, journal.Outcome{Commands: ran(message("m2")), At: noon, Answers: answer("a")})
		if err := j.Compact(); err != nil {
			t.Fatal(err)
		}
		j, _ = killed(t, dir)
		if _, ok := j.Known("m2", noon); !ok {
			t.Error("what came later is forgotten")
		}
	})
}
