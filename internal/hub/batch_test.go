package hub_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hub"
)

// A wire notes what each write brings.
type wire struct {
	net.Conn
	writes []string
	broken error
}

func (w *wire) SetWriteDeadline(time.Time) error { return nil }

func (w *wire) Write(p []byte) (int, error) {
	w.writes = append(w.writes, string(p))
	return len(p), w.broken
}

// The first byte of a packet says what it is.
const (
	aPublish    = "\x32 publish;"
	aPuback     = "\x40 puback;"
	aSubscribe  = "\x82 subscribe;"
	aDisconnect = "\xe0 disconnect;"
)

// TestBatch plays what the pump (+ for hold, a digit for release) and paho, which
// writes a packet, may do in one order or another.
func TestBatch(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []string
		want  []string
	}{
		{"paho is fast", []string{"+", aPublish, aPuback, "2"}, []string{aPublish + aPuback}},
		{"paho is slow", []string{"+", aPublish, "2", aPuback}, []string{aPublish + aPuback}},
		{"paho is very slow", []string{"+", "2", aPublish, aPuback}, []string{aPublish + aPuback}},
		{"nothing to say", []string{"+", "0"}, nil},
		{"two batches become one", []string{"+", "1", "+", aPublish, aPuback, "1"}, []string{aPublish + aPuback}},
		{"no batch", []string{aPublish, aPuback}, []string{aPublish, aPuback}},
		{"another goroutine publishes before", []string{aPublish, "+", aPublish, aPuback, "2"}, []string{aPublish, aPublish + aPuback}},
		{"another goroutine publishes in it", []string{"+", aPublish, aPublish, "1", aPublish}, []string{aPublish + aPublish, aPublish}},
		{"the end does not wait", []string{"+", aPublish, aDisconnect}, []string{aPublish + aDisconnect}},
		{
			"what takes the batch along leaves nothing behind",
			[]string{"+", aPublish, aSubscribe, "1", "+", aPublish, "1"},
			[]string{aPublish + aSubscribe, aPublish},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &wire{}
			b := hub.NewBatching(w, false)
			for _, s := range tt.steps {
				play(t, b, s)
			}
			if !slices.Equal(w.writes, tt.want) {
				t.Errorf("written %q, want %q", w.writes, tt.want)
			}
		})
	}
}

func play(t *testing.T, b hub.Batching, step string) {
	t.Helper()
	switch {
	case step == "+":
		b.Hold()
	case len(step) == 1:
		b.Release(int(step[0] - '0'))
	default:
		if err := b.Write([]byte(step)); err != nil {
			t.Fatal(err)
		}
	}
}

// A long batch leaves in parts, and one that cannot leave is an error to paho.
func TestBatchLeaves(t *testing.T) {
	w := &wire{}
	b := hub.NewBatching(w, false)
	b.Hold()
	long := aPublish + strings.Repeat("x", 3<<10)
	play(t, b, long)
	play(t, b, long)
	if len(w.writes) != 1 || w.writes[0] != long+long {
		t.Errorf("%d writes", len(w.writes))
	}
	w.broken = errors.New("no cable")
	b.Release(3)
	if err := b.Write([]byte(aPuback)); !errors.Is(err, w.broken) {
		t.Errorf("error %v", err)
	}
}

// Over a WebSocket there are none, and nothing waits for company.
func TestNoBatch(t *testing.T) {
	w := &wire{}
	b := hub.NewBatching(w, true)
	for _, s := range []string{"+", aPublish, aPuback, "2", "+", aPublish, "1", "+", "1", aPublish} {
		play(t, b, s)
	}
	if want := []string{aPublish, aPuback, aPublish, aPublish}; !slices.Equal(w.writes, want) {
		t.Errorf("written %q, want %q", w.writes, want)
	}
}

// TestNothingWaits: in whatever order the pump, the twin, pings and paho take their turns,
// each packet leaves once, in order, at the latest when paho has written all it was handed.
func TestNothingWaits(t *testing.T) {
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := &wire{}
		b := hub.NewBatching(w, seed%4 == 0)
		var paho []string // what it was handed and has not written
		var want strings.Builder
		write := func(p string) {
			want.WriteString(p)
			play(t, b, p)
		}
		turns := func() {
			for random.IntN(3) > 0 {
				switch {
				case len(paho) > 0:
					write(paho[0])
					paho = paho[1:]
				case random.IntN(20) == 0:
					write(aSubscribe)
				}
				if random.IntN(8) == 0 {
					paho = append(paho, aPublish) // the twin's, which nobody counts
				}
			}
		}
		for range 20 {
			b.Hold()
			n := random.IntN(4)
			for i := range n {
				paho = append(paho, []string{aPublish, aPuback, aPublish + strings.Repeat("x", random.IntN(3000))}[i])
				turns()
			}
			b.Release(n)
			turns()
			if random.IntN(2) == 0 {
				for ; len(paho) > 0; paho = paho[1:] {
					write(paho[0])
				}
				if got := strings.Join(w.writes, ""); got != want.String() {
					t.Fatalf("seed %d: %d bytes have left of %d", seed, len(got), want.Len())
				}
			}
		}
	}
}
