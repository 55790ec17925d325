package hub

import (
	"slices"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// maxArrivals bounds the messages of one link that are not acknowledged. The
// hub's queue holds 50, and each may come a second time (contract, section 4.2).
const maxArrivals = 100

// An inbox holds the messages of one link in the order of their arrival, until
// they are acknowledged: first those that have been handed to the device, then
// those that wait for it.
type inbox struct {
	came   chan struct{} // holds one token when there may be something to take
	finish chan struct{} // holds one token when there may be something to acknowledge

	mu      sync.Mutex
	open    []*arrival
	given   int // the first so many of open have been handed to the device
	dropped int
}

// An arrival is one message on its way from PUBLISH to PUBACK.
type arrival struct {
	in      *inbox
	message mqtt.Message
	at      time.Time
	isDone  bool
}

func newInbox() *inbox {
	return &inbox{came: make(chan struct{}, 1), finish: make(chan struct{}, 1)}
}

// put adds a message. It never blocks, as paho delivers on the goroutine that
// also reads the PUBACKs. If there is no room the message is dropped, and since
// it is not acknowledged the hub delivers it again; then put returns how many
// were dropped so far.
func (in *inbox) put(m mqtt.Message) (dropped int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.open) == maxArrivals {
		in.dropped++
		return in.dropped
	}
	in.open = append(in.open, &arrival{in: in, message: m, at: time.Now()})
	nudge(in.came)
	return 0
}

// take returns the next message for the device, or nil.
func (in *inbox) take() *arrival {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.given == len(in.open) {
		return nil
	}
	in.given++
	return in.open[in.given-1]
}

// untake takes back that the last message from take was handed over.
func (in *inbox) untake() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.given--
}

// done marks a message as ready to be acknowledged.
func (a *arrival) done() {
	a.in.mu.Lock()
	defer a.in.mu.Unlock()
	a.isDone = true
	if len(a.in.open) > 0 && a == a.in.open[0] {
		nudge(a.in.finish)
	}
}

// finished removes the oldest message and returns it, if it is done.
func (in *inbox) finished() *arrival {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.open) == 0 || !in.open[0].isDone {
		return nil
	}
	a := in.open[0]
	in.open = slices.Delete(in.open, 0, 1)
	in.given--
	return a
}

// settled reports whether the device owes no acknowledgement.
func (in *inbox) settled() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.given == 0
}
