// Package edges has the cause records of the last edges of all relays: when which
// relay moved from what to what, and who wanted it.
package edges

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tasmota-azd/internal/cause"
)

// Most is how many records are kept.
const Most = 256

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
	edges []Edge // oldest first, and more than Most before the oldest are dropped together
	last  uint64 // number of the newest, 0 for none
}

// New returns an empty ring.
func New() *Ring { return &Ring{} }

// highest is far from overflowing, however long a relay clicks.
const highest = 1 << 62

// Add takes an edge up and returns it as it is kept: with the next number, unless
// it has a higher one already because it was kept before; with texts cut at 128
// bytes, and with a time that can be written.
func (r *Ring) Add(e Edge) Edge {
	if e.Seq <= r.last || e.Seq > highest {
		e.Seq = r.last + 1
	}
	r.last = e.Seq
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	if y := e.Time.Year(); y < 1 || y > 9999 { // from a clock gone mad; JSON cannot hold it
		e.Time = time.Time{}
	}
	e.Name, e.Pin, e.Cause.ID = cut(e.Name), cut(e.Pin), cut(e.Cause.ID)
	if len(r.edges) == 2*Most {
		r.edges = slices.Delete(r.edges, 0, Most)
	}
	r.edges = append(r.edges, e)
	return e
}

// Last returns the last n edges, oldest first, Most at the most.
func (r *Ring) Last(n int) []Edge { return slices.Clone(r.edges[max(len(r.edges)-min(n, Most), 0):]) }

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
