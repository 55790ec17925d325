package hubsim

import "sync"

// maxOperations is how many registrations are remembered for polling.
const maxOperations = 1000

// An operation is a registration under way.
type operation struct {
	id           string
	registration string // as the device wrote it
	enrollment   *enrollment
	thumbprint   string // of the device's certificate, if it was that which admitted it
	fail         int    // error code, or 0

	mu    sync.Mutex
	polls int // how many are still answered "assigning"
	done  *Registration
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
