package metrics

import (
	"maps"
	"slices"
	"time"
)

// A Histogram counts how long things took. It belongs to one goroutine, or to a lock.
type Histogram struct {
	bounds []float64 // upper ones, in seconds
	counts []uint64  // one more than bounds
	sum    float64
}

// NewHistogram returns an empty one with buckets up to these seconds.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

// Observe counts one that took d.
func (h *Histogram) Observe(d time.Duration) {
	s := d.Seconds()
	i, _ := slices.BinarySearch(h.bounds, s)
	h.counts[i]++
	h.sum += s
}

// Clone returns a copy, for another goroutine.
func (h *Histogram) Clone() *Histogram {
	return &Histogram{h.bounds, slices.Clone(h.counts), h.sum}
}

// A Tally counts by one word. The zero Tally is empty.
type Tally map[string]uint64

// Clone returns a copy, for another goroutine.
func (t Tally) Clone() Tally { return maps.Clone(t) }

// Samples are its numbers, with the word as the label.
func (t Tally) Samples(label string) []Sample {
	var all []Sample
	for _, word := range sorted(t) {
		all = append(all, Sample{[]string{label, word}, float64(t[word])})
	}
	return all
}
