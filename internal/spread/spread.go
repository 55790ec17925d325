// Package spread keeps devices that do the same at the same time apart.
//
// Ten thousand devices that lose their hub at once must not come back at once. Each
// has a place of its own within any stretch of time, which follows from its id: the
// places of a fleet lie as evenly as a hash can make them, also if all devices were
// copied from one card and boot with the same entropy. With each turn a device moves
// on by the golden ratio, so that nobody is always first; and a little chance keeps
// apart two whose places are the same.
package spread

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"sync"
)

// jitter is the part of a stretch that is left to chance.
const jitter = 0.05

// golden moves a device from one turn to the next. No other number leaves its turns
// further apart.
var golden = math.Phi - 1

// Turns are those of one device. The zero value is a device whose id is not known: it
// has a place by chance. Turns may be used by many goroutines.
type Turns struct {
	mu   sync.Mutex
	id   string
	last float64
}

// Of makes them the turns of the device with an id. If they are that already, nothing
// happens.
func (t *Turns) Of(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id != t.id {
		t.id, t.last = id, place(id)
	}
}

// Next returns where in a stretch of time the next turn lies: a number in [0, 1).
func (t *Turns) Next() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.id == "" {
		return rand.Float64()
	}
	t.last = part(t.last + golden)
	return part(t.last + jitter*rand.Float64())
}

// Place returns the place of the device, in [0, 1): always the same.
func (t *Turns) Place() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return place(t.id)
}

func place(id string) float64 {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	// FNV leaves the first bits of ids that differ at the end alike: mix them
	// (the finalizer of MurmurHash3, which is in the public domain).
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return float64((x^x>>33)>>11) / (1 << 53)
}

// part is what is left of a number behind the point.
func part(x float64) float64 { return x - math.Floor(x) }
