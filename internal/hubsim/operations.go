package hubsim

import (
	"encoding/json"
	"sync"
	"time"
)

// maxOperations is how many registrations are remembered for polling.
const maxOperations = 1000

// A device may poll so often within so long (contract, section 7.6).
const (
	maxPolls   = 5
	pollWindow = 10 * time.Second
)

// An operation is a registration under way.
type operation struct {
	id           string
	registration string // as the device wrote it
	enrollment   *enrollment
	thumbprint   string // of the device's certificate, if it was that which admitted it
	fail         int    // error code, or 0
	payload      json.RawMessage

	mu    sync.Mutex
	polls int // how many are still answered "assigning"
	done  *Registration
	asked []time.Time // the last polls, at most maxPolls
}

// tooSoon notes a poll, or says how long it should have waited (D10).
func (op *operation) tooSoon(now time.Time) time.Duration {
	if len(op.asked) == maxPolls {
		if wait := op.asked[0].Add(pollWindow).Sub(now); wait > 0 {
			return wait
		}
		op.asked = op.asked[1:]
	}
	op.asked = append(op.asked, now)
	return 0
}

// operations remembers the last ones. A restart forgets them: their polls are
// answered 404, and the device registers again.
type operations struct {
	mu   sync.Mutex
	byID map[string]*operation
	ids  []string
}

func (o *operations) add(op *operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.byID[op.id] = op
	o.ids = append(o.ids, op.id)
	if len(o.ids) > maxOperations {
		delete(o.byID, o.ids[0])
		o.ids = o.ids[1:]
	}
}

func (o *operations) get(id string) *operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byID[id]
}
