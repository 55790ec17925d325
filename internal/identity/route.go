package identity

import (
	"time"

	"tasmota-azd/internal/hub"
)

// A Transport says which ways to the hub may be taken.
type Transport int

// The transports.
const (
	Auto      Transport = iota // the port for MQTT, or WebSocket where that is blocked
	MQTT                       // only the port for MQTT
	WebSocket                  // only WebSocket
)

const (
	// manyBlocked is after how many network failures in a row the other way is
	// tried, in turns with the first, until one of them leads to the hub.
	manyBlocked = 3
	// tryEvery is how often a hub that is reached by WebSocket is tried on its
	// port for MQTT, at a login that is due anyway.
	tryEvery = 24 * time.Hour
)

// A route chooses the way to the hub before each attempt.
type route struct {
	fixed    bool    // there is nothing to choose
	prefers  hub.Way // what led to the hub last
	turn     hub.Way // what is tried next
	failures int     // of the network, in a row
	try      time.Time
}

func newRoute(t Transport) route {
	r := route{fixed: t != Auto}
	if t == WebSocket {
		r.prefers, r.turn = hub.WebSocket, hub.WebSocket
	}
	return r
}

func (r *route) recall(webSocket bool, try time.Time) {
	if !r.fixed && webSocket {
		r.prefers, r.turn, r.try = hub.WebSocket, hub.WebSocket, try
	}
}

// remembered is what recall is to be given at the next start.
func (r *route) remembered() (webSocket bool, try time.Time) {
	return !r.fixed && r.prefers == hub.WebSocket, r.try
}

// next is the way to take at now. A clock that went back must not put off the
// trial for years.
func (r *route) next(now time.Time) hub.Way {
	due := !now.Before(r.try) || r.try.Sub(now) > tryEvery
	if !r.fixed && r.prefers == hub.WebSocket && r.turn == hub.WebSocket && due {
		return hub.Trial
	}
	return r.turn
}

// failed counts a failure of the network.
func (r *route) failed() {
	r.failures++
	if r.fixed || r.failures < manyBlocked {
		return
	}
	if r.turn == hub.Direct {
		r.turn = hub.WebSocket
	} else {
		r.turn = hub.Direct
	}
}

// calm forgets the failures: the network did its part.
func (r *route) calm() { r.failures = 0 }

// accepted notes the way that led to the hub, and reports whether it is another
// one than before.
func (r *route) accepted(w hub.Way, now time.Time) (changed bool) {
	if r.fixed {
		return false
	}
	changed = w != r.prefers
	switch {
	case w == hub.Direct:
		r.try = time.Time{}
	case changed || r.next(now) == hub.Trial:
		r.try = now.Add(tryEvery)
	}
	r.prefers, r.turn, r.failures = w, w, 0
	return changed
}
