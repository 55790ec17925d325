package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/faultlab"
)

const (
	// most commands of a round: the daemon's record of causes has room for 256, and
	// five of six commands and four relays at each start go in.
	most = 240
	// patience is how long the driver waits for an answer: longer than any pause
	// between two attempts to connect, and than the lock of a message.
	patience = time.Hour / 2
)

// A world is the guest.
type world struct {
	names  *nameServer
	cloud  *cloud
	daemon *daemon
	turn   int // how many faults there were
	chance *rand.Rand

	mu     sync.Mutex // of all below
	choice *rand.Rand // of commands
	on     []bool     // what the relays will be when all was done
	sent   []faultlab.Command
	at     []time.Time // when

	toggles int // of wear and cut
}

func newWorld(seed uint64) *world {
	return &world{chance: rand.New(rand.NewPCG(seed, 0)), choice: rand.New(rand.NewPCG(seed, 1)), on: make([]bool, len(pins))}
}

// between is a random time.
func between(chance *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(chance.Int64N(int64(most-least)))
}

// keepSending sends commands until it is to stop.
func (w *world) keepSending(pace *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(between(pace, 50*time.Millisecond, 3*time.Second)):
			w.command()
		}
	}
}

// command sends the next command, if there are not enough of them: one that moves a
// relay, or every sixth time a question with a long answer.
func (w *world) command() {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.sent)
	if n == most {
		return
	}
	c := faultlab.Command{ID: fmt.Sprintf("c-%04d", n+1)}
	topic, body := "/status", "0"
	if w.choice.IntN(6) > 0 {
		i := w.choice.IntN(len(pins))
		w.on[i] = !w.on[i]
		c.Pin, topic, body = pins[i], fmt.Sprintf("/power%d", i+1), "toggle"
		if w.choice.IntN(3) == 0 {
			body = map[bool]string{true: "on", false: "off"}[w.on[i]]
		}
	}
	w.post(c, topic, body)
}

// post returns when the hub has a message. If it cannot say so it is sent the same one
// again, under the same id.
func (w *world) post(c faultlab.Command, topic, body string) {
	for w.cloud.send(c.ID, topic, body) != nil {
		time.Sleep(500 * time.Millisecond) // its queue is full, or it is being restarted
	}
	w.sent, w.at = append(w.sent, c), append(w.at, time.Now())
}

// recovery sends one more command, waits until it and all before it are answered, and
// returns how long that took.
func (w *world) recovery() time.Duration {
	began := time.Now()
	w.command()
	w.answered()
	return time.Since(began)
}

// answered waits until all that was sent is answered, or for too long.
func (w *world) answered() {
	w.mu.Lock()
	open := make(map[string]bool)
	for _, c := range w.sent {
		open[c.ID] = true
	}
	w.mu.Unlock()
	seen := 0
	w.cloud.until(patience, func(records []hubsim.Record) bool {
		for ; seen < len(records); seen++ {
			delete(open, records[seen].System["correlation-id"])
		}
		return len(open) == 0
	})
}
