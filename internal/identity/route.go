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
	// manyBlocked is after how many network failures in a row both ways are tried.
	manyBlocked = 3
	// tryEvery is how often a hub that is reached by WebSocket is tried on its
	// port for MQTT, at a login that is due anyway.
	tryEvery = 24 * time.Hour
)

// A route chooses the way to the hub before each attempt. That WebSocket leads
// there says nothing about the port for MQTT if the network has only just come
// back; so it is tried first each time, and only then given up.
type route struct {
	fixed    bool      // there is nothing to choose
	prefers  hub.Way   // what led to the hub last
	failures int       // of the network, in a row
	try      time.Time // when the port for MQTT is tried again, if prefers is WebSocket
}

func newRoute(t Transport) route {
	r := route{fixed: t != Auto}
	if t == WebSocket {
		r.prefers = hub.WebSocket
	}
	return r
}

func (r *route) recall(webSocket bool, try time.Time) {
	if !r.fixed && webSocket {
		r.prefers, r.try = hub.WebSocket, try
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
	if !r.fixed && (r.failures >= manyBlocked || r.prefers == hub.WebSocket && due) {
		return hub.Trial
	}
	return r.prefers
}

// failed counts a failure of the network.
func (r *route) failed() { r.failures++ }

// reached forgets the failures, as the hub has said something, unless that may
// have been by the other way.
func (r *route) reached() {
	if r.failures < manyBlocked {
		r.failures = 0
	}
}

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
	case changed || r.next(now) == hub.Trial: // it was tried, and not reached
		r.try = now.Add(tryEvery)
	}
	r.prefers, r.failures = w, 0
	return changed
}
