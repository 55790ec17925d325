package edges_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/store"
)

// a place is a state directory and the store that holds it now.
type place struct {
	dir   string
	store *store.Store
}

// restart gives the directory free, and returns a ring as after a start.
func (p *place) restart(t *testing.T) *edges.Ring {
	t.Helper()
	if p.store != nil {
		if err := p.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(p.dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	p.store = s
	return edges.New(s)
}

func begin(t *testing.T) (*place, *edges.Ring) {
	t.Helper()
	p := &place{dir: filepath.Join(t.TempDir(), "state")}
	r := p.restart(t)
	t.Cleanup(func() { _ = p.store.Close() })
	return p, r
}

// kept is how many edges outlive the daemon at the least.
const kept = 7 * 32

// edge is the n-th edge of a test; n also tells it from others.
func edge(n int) edges.Edge {
	return edges.Edge{
		Time: time.Date(2026, 1, 2, 3, 4, 5, n*1000, time.UTC), Relay: n%3 + 1, Name: "Pump", Pin: "GPIO17",
		From: new(n%2 == 1), To: n%2 == 0, Cause: cause.Cause{Door: cause.C2D, ID: fmt.Sprint("m", n), Seq: uint64(n)},
	}
}

func add(r *edges.Ring, from, to int) {
	for n := from; n <= to; n++ {
		r.Add(edge(n))
	}
}

func save(t *testing.T, r *edges.Ring, want bool) {
	t.Helper()
	if wrote, err := r.Save(); err != nil || wrote != want {
		t.Errorf("Save returned %v, %v, want %v", wrote, err, want)
	}
}

func last(t *testing.T, r *edges.Ring, n int) []edges.Edge {
	t.Helper()
	got, err := r.Last(n)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// holds compares the whole ring with the edges numbered from to to, none if to is
// the smaller one.
func holds(t *testing.T, r *edges.Ring, from, to int) {
	t.Helper()
	var want []edges.Edge
	for n := from; n <= to; n++ {
		e := edge(n)
		e.Seq = uint64(n)
		want = append(want, e)
	}
	if got := last(t, r, edges.Most); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("ring holds %d edges, %s, want %d to %d", len(got), span(got), from, to)
	}
}

func span(all []edges.Edge) string {
	if len(all) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d to %d", all[0].Seq, all[len(all)-1].Seq)
}

func TestEdgesSurviveARestart(t *testing.T) {
	p, r := begin(t)
	save(t, r, false)
	add(r, 1, 3)
	holds(t, r, 1, 3)
	save(t, r, true)
	save(t, r, false)
	r = p.restart(t)
	save(t, r, false)
	holds(t, r, 1, 3)
	add(r, 4, 4) // not saved
	r = p.restart(t)
	add(r, 4, 5) // before what was kept is read
	save(t, r, true)
	holds(t, r, 1, 5)
	holds(t, p.restart(t), 1, 5)
}

// TestRingIsBounded: after many edges there are as many files as at the most, and
// not one edge more than at the most.
func TestRingIsBounded(t *testing.T) {
	p, r := begin(t)
	for n := 1; n <= 1000; n++ {
		add(r, n, n)
		if n%7 == 0 {
			save(t, r, true)
		}
	}
	save(t, r, true)
	holds(t, r, 1000-edges.Most+1, 1000)
	r = p.restart(t)
	got := last(t, r, edges.Most)
	if len(got) < kept || got[len(got)-1].Seq != 1000 {
		t.Errorf("after a restart %s of 1000 edges", span(got))
	}
	if got := last(t, r, 2); len(got) != 2 || got[0].Seq != 999 {
		t.Errorf("the last two are %s", span(got))
	}
	files, size := stored(t, p.dir)
	if files != 8 || size > 200<<10 {
		t.Errorf("%d files with %d bytes", files, size)
	}
}

// stored counts the files of the ring, and their bytes.
func stored(t *testing.T, dir string) (files int, size int64) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "edges-?"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return len(names), size
}

// TestMoreThanTheRingAtOnce: a burst may be longer than the ring.
func TestMoreThanTheRingAtOnce(t *testing.T) {
	p, r := begin(t)
	add(r, 1, 700)
	save(t, r, true)
	holds(t, r, 445, 700)
	holds(t, p.restart(t), 445, 700)
}

// TestSaveWritesOneFile: however many edges there are, and in whichever file the
// last ones are, a save costs one file, and what is in the others stays.
func TestSaveWritesOneFile(t *testing.T) {
	p, r := begin(t)
	before := contents(t, p.dir)
	for n, want := range []string{"edges-0", "edges-0", "edges-1", "edges-1", "edges-2"} {
		add(r, n*20+1, n*20+20)
		save(t, r, true)
		after := contents(t, p.dir)
		var changed []string
		for name, text := range after {
			if text != before[name] {
				changed = append(changed, name)
			}
		}
		if !slices.Equal(changed, []string{want}) {
			t.Errorf("edges up to %d changed %q, want %s", n*20+20, changed, want)
		}
		before = after
		if n%2 == 0 {
			r = p.restart(t) // which goes on with the same file
		}
	}
	holds(t, p.restart(t), 1, 100)
}

// contents returns the files of the ring.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for i := range 8 {
		name := fmt.Sprint("edges-", i)
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

// TestBrokenFileCostsItsRecords: the others are still read, and numbers go on.
func TestBrokenFileCostsItsRecords(t *testing.T) {
	for _, tt := range []struct {
		file string
		want string
	}{
		{"edges-0", "33 to 101"},
		{"edges-1", "1 to 101"},
		{"edges-3", "1 to 97"}, // their numbers are given again
	} {
		p, r := begin(t)
		for n := 1; n <= 100; n++ {
			add(r, n, n)
			save(t, r, true)
		}
		broken := filepath.Join(p.dir, tt.file)
		if err := os.WriteFile(broken, []byte(`{"version":1,"value":[{"seq":32`), 0o600); err != nil {
			t.Fatal(err)
		}
		r = p.restart(t)
		add(r, 101, 101)
		save(t, r, true)
		if got := last(t, p.restart(t), edges.Most); span(got) != tt.want {
			t.Errorf("without %s there are %s, want %s", tt.file, span(got), tt.want)
		}
		if _, err := os.Stat(broken + ".broken"); err != nil {
			t.Errorf("the broken file was not set aside: %v", err)
		}
	}
}

// TestForeignRecordsAreLeftOut: what Save would not have written there.
func TestForeignRecordsAreLeftOut(t *testing.T) {
	p, r := begin(t)
	for name, value := range map[string]string{
		"edges-0": `[{"seq":0},{"seq":1,"pin":"a"},{"seq":1,"pin":"b"},{"seq":18446744073709551615}]`,
		"edges-1": `[{"seq":40},{"seq":33},{"seq":1}]`,
		"edges-2": `null`,
		"edges-3": `[null]`,
	} {
		text := `{"version":1,"value":` + value + `}`
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var seqs []uint64
	for _, e := range last(t, r, edges.Most) {
		seqs = append(seqs, e.Seq)
	}
	if want := []uint64{1, 33, 40}; !slices.Equal(seqs, want) {
		t.Errorf("read %v, want %v", seqs, want)
	}
}

// TestSaveIsTriedAgain: what the disk did not take is saved when it does.
func TestSaveIsTriedAgain(t *testing.T) {
	p, r := begin(t)
	obstacle := filepath.Join(p.dir, ".edges-0.tmp")
	if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	add(r, 1, 2)
	if wrote, err := r.Save(); err == nil || wrote {
		t.Errorf("Save returned %v, %v", wrote, err)
	}
	if err := os.RemoveAll(obstacle); err != nil {
		t.Fatal(err)
	}
	add(r, 3, 3)
	save(t, r, true)
	holds(t, p.restart(t), 1, 3)
}

// TestTimeFromAClockGoneMad: JSON has no such year.
func TestTimeFromAClockGoneMad(t *testing.T) {
	p, r := begin(t)
	r.Add(edges.Edge{Time: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), Pin: "GPIO17"})
	save(t, r, true)
	if got := last(t, p.restart(t), 1); len(got) != 1 || !got[0].Time.IsZero() || got[0].Pin != "GPIO17" {
		t.Errorf("kept %+v", got)
	}
}

func TestTextsAreCut(t *testing.T) {
	p, r := begin(t)
	for range 40 {
		r.Add(edges.Edge{
			Name: strings.Repeat("ü", 100), Pin: "GPIO\xff17",
			Cause: cause.Cause{Door: cause.C2D, ID: strings.Repeat("\x00", 100_000)},
		})
	}
	save(t, r, true)
	r = p.restart(t)
	got := last(t, r, 1)
	if len(got) != 1 {
		t.Fatal("nothing was kept")
	}
	e := got[0]
	if e.Name != strings.Repeat("ü", 64) || e.Pin != "GPIO\uFFFD17" || e.Cause.ID != strings.Repeat("\x00", 128) {
		t.Errorf("kept %q %q %q", e.Name, e.Pin, e.Cause.ID)
	}
	if e.From != nil {
		t.Errorf("from %v, want unknown", *e.From)
	}
}

// TestAnySequence compares the ring with a slice: whatever the order of edges,
// saves and ends without a save, it holds the last edges up to the last save.
func TestAnySequence(t *testing.T) {
	p, r := begin(t)
	random := rand.New(rand.NewPCG(1, 2))
	added, saved := 0, 0
	for range 400 {
		switch random.IntN(8) {
		case 0:
			if _, err := r.Save(); err != nil {
				t.Fatal(err)
			}
			saved = added
		case 1:
			r, added = p.restart(t), saved
		default:
			n := 1 + random.IntN(1+random.IntN(80))
			add(r, added+1, added+n)
			added += n
		}
		if random.IntN(3) > 0 {
			continue
		}
		got := last(t, r, edges.Most)
		if len(got) < min(added, kept) || len(got) > 0 && got[len(got)-1].Seq != uint64(added) {
			t.Fatalf("%d edges added, ring holds %s", added, span(got))
		}
		for i, e := range got {
			want := edge(added - len(got) + 1 + i)
			if e.Seq != want.Cause.Seq || e.Cause != want.Cause || !e.Time.Equal(want.Time) || *e.From != *want.From {
				t.Fatalf("edge %d is %+v", i, e)
			}
		}
	}
}
