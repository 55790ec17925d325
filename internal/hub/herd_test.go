package hub

import (
	"container/heap"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"tasmota-azd/internal/spread"
)

const (
	fleet = 10_000
	// What a hub of size S1 takes: the higher of 100 new connections in a second and
	// 12 for each unit (contract, section 3.6).
	perSecond = 100
)

// A member is a device of a fleet, with the waits of the real one.
type member struct {
	turns spread.Turns
	retry retry
	next  time.Duration // when it connects, or is renewed
	up    bool
}

// herd is a simulation: devices by the time of what they do next.
type herd []*member

func (h herd) Len() int           { return len(h) }
func (h herd) Less(i, j int) bool { return h[i].next < h[j].next }
func (h herd) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *herd) Push(m any)        { *h = append(*h, m.(*member)) }
func (h *herd) Pop() any          { last := (*h)[len(*h)-1]; *h = (*h)[:len(*h)-1]; return last }

// A tally is what a hub sees after an outage.
type tally struct {
	arrivals []int // at the hub, in each second since it is back
	accepted []int
	renewals []int // in each second since the outage
	back     []time.Duration
	tries    int
}

// outage lets all sessions of a fleet end at once, for the hub is gone that long, and
// runs on until each device has renewed its first token after it.
func outage(gone time.Duration) *tally {
	start := time.Unix(0, 0)
	reset, refused := lostError(io.EOF), connackError(Identity{}, 3, nil)
	nobody := networkError("", 0, syscall.ECONNREFUSED)
	var h herd
	for i := range fleet {
		m := &member{}
		m.turns.Of(fmt.Sprintf("rpi-%05d", i))
		m.next = m.retry.after(start, reset, time.Hour, m.turns.Next())
		h = append(h, m)
	}
	heap.Init(&h)
	t := &tally{}
	for len(h) > 0 {
		m := h[0]
		now := start.Add(m.next)
		switch {
		case m.up:
			count(&t.renewals, m.next)
			heap.Pop(&h)
			continue
		case m.next < gone:
			m.next += m.retry.after(now, nobody, 0, m.turns.Next())
		case t.lets(m.next - gone):
			m.up = true
			t.back = append(t.back, m.next-gone)
			m.next += time.Duration(float64(time.Hour) * (renewFrom + (renewTo-renewFrom)*m.turns.Next()))
		default:
			m.next += m.retry.after(now, refused, 0, m.turns.Next())
		}
		heap.Fix(&h, 0)
	}
	return t
}

// lets reports whether a hub takes one more connection at a time since it is back.
func (t *tally) lets(at time.Duration) bool {
	t.tries++
	count(&t.arrivals, at)
	second := int(at / time.Second)
	if len(t.accepted) > second && t.accepted[second] == perSecond {
		return false
	}
	count(&t.accepted, at)
	return true
}

// count notes one more in its second.
func count(seconds *[]int, at time.Duration) {
	for len(*seconds) <= int(at/time.Second) {
		*seconds = append(*seconds, 0)
	}
	(*seconds)[int(at/time.Second)]++
}

// over is how many seconds saw more than a hub takes.
func over(seconds []int) (n int) {
	for _, s := range seconds {
		if s > perSecond {
			n++
		}
	}
	return n
}

// TestHerd simulates ten thousand devices that lose their hub at the same moment, on
// the code that decides when a device comes back and when it renews its token.
func TestHerd(t *testing.T) {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "hub gone\tarrivals/s, most\tafter 10 s\tseconds over %d/s\ttries per device\thalf are back\t99 %%\tall\trenewals/s, most\n", perSecond)
	for _, gone := range []time.Duration{0, 10 * time.Second, time.Minute, 3 * time.Minute, 10 * time.Minute} {
		s := outage(gone)
		later := slices.Max(s.arrivals[min(10, len(s.arrivals)-1):])
		tries := float64(s.tries) / fleet
		all := s.back[fleet-1]
		fmt.Fprintf(w, "%v\t%d\t%d\t%d\t%.2f\t%v\t%v\t%v\t%d\n", gone, slices.Max(s.arrivals), later, over(s.arrivals), tries,
			s.back[fleet/2].Round(time.Second), s.back[fleet*99/100].Round(time.Second), all.Round(time.Second), slices.Max(s.renewals))
		if later > 140 || over(s.arrivals) > 25 || tries > 3.1 || all > 7*time.Minute {
			t.Errorf("gone for %v: they come together", gone)
		}
		if n := slices.Max(s.renewals); n > perSecond {
			t.Errorf("gone for %v: %d renewals in a second", gone, n)
		}
	}
	w.Flush()
	t.Logf("%d devices, a hub that takes %d connections in a second:\n%s", fleet, perSecond, out.String())
}
