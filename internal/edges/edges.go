// Package edges keeps the cause record of the last edges of all relays: when
// which relay moved from what to what, and who wanted it.
//
// The records are a ring of bounded size, kept in the state directory. Save
// writes what is new since the last Save: whoever saves the state calls it
// first, so that no saved state lacks the record of how it came about, and a
// burst of edges is one write. The ring is spread over a few small files that
// are filled in turn, so that an edge costs the writing of one of them, and a
// broken file costs no more records than are in it.
package edges

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/store"
)

const (
	// Most is how many records are kept.
	Most = 256

	// files is how many files there are. One that has fileLen records or more is
	// full: the next one takes what comes. So at least (files-1)*fileLen records
	// outlive the daemon.
	files   = 8
	fileLen = 32
)

// textLimit bounds each text of a record, in bytes. A message id has at most 128
// characters (contract, section 3.3).
const textLimit = 128

// An Edge is one level driven on a relay's pin that was not, or not surely,
// there before.
type Edge struct {
	Seq   uint64      `json:"seq"`   // counts the edges of this state directory from 1; Add sets it
	Time  time.Time   `json:"time"`  // by the system's clock, which may be wrong until it is set: Seq tells the order
	Relay int         `json:"relay"` // counted from 1; 0 for a line that is no relay's any more
	Name  string      `json:"name"`  // what the owner calls the relay
	Pin   string      `json:"pin"`   // its proper name
	From  *bool       `json:"from"`  // whether the relay conducted before, nil if that is not known
	To    bool        `json:"to"`    // whether it does now
	Cause cause.Cause `json:"cause"`
}

// A Ring holds the last edges. Its methods are for one goroutine at a time.
type Ring struct {
	store  *store.Store
	loaded bool
	edges  []Edge // oldest first, at most Most
	last   uint64 // number of the newest, 0 for none
	saved  uint64 // number of the newest that is in a file

	file  int               // the one being filled
	texts []json.RawMessage // the records in it
}

// New returns a ring that keeps its records in s. It reads nothing yet: what was
// kept is read when it is first needed, so that relays need not wait for it.
func New(s *store.Store) *Ring {
	return &Ring{store: s}
}

// Add takes an edge down, to be saved by the next Save. Texts are cut at 128
// bytes.
func (r *Ring) Add(e Edge) {
	r.last++
	e.Seq = r.last
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	e.Name, e.Pin, e.Cause.ID = cut(e.Name), cut(e.Pin), cut(e.Cause.ID)
	r.edges = append(r.edges, e)
	r.trim()
}

// Last returns the last n edges, oldest first.
func (r *Ring) Last(n int) ([]Edge, error) {
	if err := r.load(); err != nil {
		return nil, err
	}
	return slices.Clone(r.edges[max(len(r.edges)-n, 0):]), nil
}

// Save writes the edges added since the last Save, and reports whether there
// were any. After an error they are still to be saved.
func (r *Ring) Save() (bool, error) {
	if r.saved == r.last { // before load, both count only what was added
		return false, nil
	}
	if err := r.load(); err != nil {
		return false, err
	}
	file, texts := r.file, r.texts
	if len(texts) >= fileLen {
		file, texts = (file+1)%files, nil
	}
	for _, e := range r.edges {
		if e.Seq > r.saved {
			texts = append(texts, e.text())
		}
	}
	if _, err := r.store.Save(fileName(file), texts); err != nil {
		return false, fmt.Errorf("record of edges: %w", err)
	}
	r.file, r.texts, r.saved = file, texts, r.last
	return true, nil
}

// text returns e as it stands in a file.
func (e Edge) text() json.RawMessage {
	text, err := json.Marshal(e)
	if err != nil { // a time beyond the year 9999, from a clock gone mad
		e.Time = time.Time{}
		text, _ = json.Marshal(e)
	}
	return text
}

// load puts what was kept before what has been added so far.
func (r *Ring) load() error {
	if r.loaded {
		return nil
	}
	kept, err := r.read()
	if err != nil {
		return fmt.Errorf("record of edges: %w", err)
	}
	if len(kept) > 0 {
		r.saved = kept[len(kept)-1].Seq
	}
	for i := range r.edges {
		r.edges[i].Seq += r.saved
	}
	r.last += r.saved
	r.edges = append(kept, r.edges...)
	r.trim()
	r.loaded = true
	return nil
}

// read returns the records in the files, oldest first, and finds the file that is
// being filled: it has the newest. What was not written by Save is left out.
func (r *Ring) read() ([]Edge, error) {
	const highest = 1 << 62 // far from overflowing, however long a relay clicks
	var kept []Edge
	newest := uint64(0)
	for i := range files {
		var edges []Edge
		if _, err := r.store.Load(fileName(i), &edges); err != nil {
			return nil, err
		}
		var texts []json.RawMessage
		for _, e := range edges {
			if e.Seq == 0 || e.Seq > highest {
				continue
			}
			kept, texts = append(kept, e), append(texts, e.text())
			if e.Seq > newest {
				newest, r.file = e.Seq, i
			}
		}
		if r.file == i {
			r.texts = texts
		}
	}
	slices.SortStableFunc(kept, func(a, b Edge) int { return cmp.Compare(a.Seq, b.Seq) })
	return slices.CompactFunc(kept, func(a, b Edge) bool { return a.Seq == b.Seq }), nil
}

// trim forgets what is too old.
func (r *Ring) trim() {
	old := 0
	for old < len(r.edges) && r.edges[old].Seq+Most <= r.last {
		old++
	}
	r.edges = slices.Delete(r.edges, 0, old)
}

func fileName(i int) string { return fmt.Sprintf("edges-%d", i) }

// cut shortens a text from outside to what a record can bear, in whole
// characters, and replaces what JSON cannot hold.
func cut(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), textLimit+utf8.UTFMax)], "\uFFFD")
	if len(s) <= textLimit {
		return s
	}
	n := textLimit
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
