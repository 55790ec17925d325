package hubsim

import "sync"

// A ring remembers the last values put into it, and how many there were. It
// is safe for concurrent use.
type ring[T any] struct {
	mu    sync.Mutex
	max   int
	items []T    // at most 2 × max; the last max of them count
	total uint64 // how many were ever added
}

func newRing[T any](max int) *ring[T] { return &ring[T]{max: max} }

// add remembers v and returns its number, beginning with 1. make gets that
// number and returns v.
func (r *ring[T]) add(make func(n uint64) T) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	v := make(r.total)
	if len(r.items) >= 2*r.max {
		r.items = append([]T(nil), r.items[len(r.items)-r.max+1:]...)
	}
	r.items = append(r.items, v)
	return v
}

// resume adds a value that has a number already. What came before a gap is
// forgotten.
func (r *ring[T]) resume(n uint64, v T) {
	r.mu.Lock()
	if n != r.total+1 {
		r.items = nil
	}
	r.total = n - 1
	r.mu.Unlock()
	r.add(func(uint64) T { return v })
}

// since returns what is remembered of the values after number n, and the
// number of the last one.
func (r *ring[T]) since(n uint64) ([]T, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := min(uint64(len(r.items)), uint64(r.max))
	if n < r.total {
		have = min(have, r.total-n)
	} else {
		have = 0
	}
	return append([]T(nil), r.items[uint64(len(r.items))-have:]...), r.total
}

// last returns the number of the last value.
func (r *ring[T]) last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// edit changes the value with number n, if it is still remembered.
func (r *ring[T]) edit(n uint64, change func(*T)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	back := r.total - n // 0 is the last one
	if n >= 1 && n <= r.total && back < uint64(len(r.items)) {
		change(&r.items[uint64(len(r.items))-1-back])
	}
}
