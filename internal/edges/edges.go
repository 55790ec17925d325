// Package edges keeps the cause record of the last edges of all relays: when
// which relay moved from what to what, and who wanted it.
//
// The records are a ring of bounded size, kept in the state directory. Save
// writes what is new since the last Save: whoever saves the state calls it
// first, so that no saved state lacks the record of how it came about, and a
// burst of edges is one write. The ring is spread over several small files,
// each holding a block of consecutive records, so that an edge costs the
// writing of its block, and a broken file costs no more than that.
package edges

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/store"
)

const (
	blockLen = 32 // records to a file, by their number
	blocks   = 8  // files

	// Most is how many records are kept while the daemon runs. At least Most-31
	// of them outlive it.
	Most = blockLen * blocks
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
	saved  uint64 // number of the newest that is in its file
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
	for r.saved < r.last {
		block := max(r.saved+1, r.edges[0].Seq) / blockLen
		of := slices.DeleteFunc(slices.Clone(r.edges), func(e Edge) bool { return e.Seq/blockLen != block })
		if _, err := r.store.Save(fileName(block), of); err != nil {
			return false, fmt.Errorf("record of edges: %w", err)
		}
		r.saved = of[len(of)-1].Seq
	}
	return true, nil
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

// read returns the records in the files, oldest first. One that has no place in
// the file it stands in was not written by Save, and is left out.
func (r *Ring) read() ([]Edge, error) {
	const highest = 1 << 62 // far from overflowing, however long a relay clicks
	var kept []Edge
	for i := range uint64(blocks) {
		var block []Edge
		if _, err := r.store.Load(fileName(i), &block); err != nil {
			return nil, err
		}
		for _, e := range block {
			if e.Seq > 0 && e.Seq < highest && e.Seq/blockLen%blocks == i {
				kept = append(kept, e)
			}
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

// fileName names the file that block b is kept in.
func fileName(b uint64) string { return fmt.Sprintf("edges-%d", b%blocks) }

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
