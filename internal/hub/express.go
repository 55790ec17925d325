package hub

import "sync"

// An express holds what must not wait behind messages: direct methods, whose
// caller is waiting, and what the twin has to say. All of it belongs to one link
// and ends with it.
type express struct {
	came chan struct{} // holds one token when there may be something to take

	mu     sync.Mutex
	events []Event
}

func newExpress() *express { return &express{came: make(chan struct{}, 1)} }

// put adds an event. It never blocks.
func (x *express) put(e Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events = append(x.events, e)
	nudge(x.came)
}

// first returns the oldest event without removing it, or nil.
func (x *express) first() Event {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.events) == 0 {
		return nil
	}
	return x.events[0]
}

// told removes the oldest event: the device has taken it.
func (x *express) told() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events[0] = nil
	x.events = x.events[1:]
}
