package identity

import (
	"errors"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/token"
)

// loginFile is the name of the memory in the store.
const loginFile = "login"

// A memory is what earlier logins have taught. The zero memory holds nothing.
type memory struct {
	// Key is the fingerprint of the secondary key, if that is what the hub takes.
	Key string `json:"key_fingerprint,omitempty"`
	// WebSocket says that the hub was reached so, and not on its port for MQTT.
	WebSocket bool `json:"websocket,omitempty"`
	// TryDirect is when that port is tried again.
	TryDirect time.Time `json:"try_direct,omitzero"`
}

// recallLogin loads what is still of use for what is configured now.
func (i *Identities) recallLogin() {
	if _, err := i.store.Load(loginFile, &i.memory); err != nil {
		i.log.Warn("what the last logins taught cannot be read", "err", err)
	}
	i.keys.recall(i.memory.Key)
	i.route.recall(i.memory.WebSocket, i.memory.TryDirect)
}

// learn draws conclusions from how the attempts before have gone: whether
// another key or another way is to be tried.
func (i *Identities) learn(t hub.Trouble) {
	if t.Failures == i.counted {
		return
	}
	i.counted = t.Failures
	e, ok := errors.AsType[*hub.Error](t.Err)
	switch {
	case t.Failures == 0:
		i.route.reached()
	case !ok:
	case e.Kind == hub.Refused:
		i.route.reached()
		if e.Code == 4 || e.Code == 5 { // not authorized (contract, section 1.4)
			i.keys.turn()
		}
	case e.Network():
		i.route.failed()
	}
}

// Accepted learns from a login that the hub accepted, and keeps it for the next
// start. It belongs into hub.Options.
func (i *Identities) Accepted(id hub.Identity) {
	before := i.memory
	i.acceptedKey(id.Key)
	i.acceptedWay(id.Way)
	if i.memory != before {
		i.save(loginFile, i.memory)
	}
}

func (i *Identities) acceptedKey(k token.Key) {
	was := i.memory.Key
	i.memory.Key = ""
	if i.keys.spare() && !i.keys.first() {
		i.memory.Key = k.Fingerprint()
	}
	switch {
	case i.memory.Key == was || !i.keys.spare():
	case was != "":
		i.log.Info("the hub takes the primary key again")
	default:
		i.log.Warn("the hub refused the primary key and takes the secondary one, which is used from now on: is the primary key still right?")
	}
}

func (i *Identities) acceptedWay(w hub.Way) {
	changed := i.route.accepted(w, i.now())
	i.memory.WebSocket, i.memory.TryDirect = i.route.remembered()
	switch {
	case changed && i.memory.WebSocket:
		i.log.Warn("the hub is reached by WebSocket on port 443 and not on its port for MQTT, which is tried again after a day: does a firewall block it?")
	case changed:
		i.log.Info("the hub is reached on its port for MQTT again")
	}
}

// A ring is the keys that may sign, and which of them does.
type ring struct {
	keys []token.Key
	at   int
}

// newRing leaves out what is not configured.
func newRing(keys ...token.Key) ring {
	var r ring
	for _, k := range keys {
		if !k.IsZero() {
			r.keys = append(r.keys, k)
		}
	}
	return r
}

func (r *ring) key() token.Key {
	if len(r.keys) == 0 {
		return token.Key{}
	}
	return r.keys[r.at]
}

func (r *ring) spare() bool { return len(r.keys) > 1 }
func (r *ring) first() bool { return r.at == 0 }

// turn takes the next key.
func (r *ring) turn() {
	if r.spare() {
		r.at = (r.at + 1) % len(r.keys)
	}
}

// recall takes the key with a fingerprint, if it is one of these.
func (r *ring) recall(fingerprint string) {
	for i, k := range r.keys {
		if k.Fingerprint() == fingerprint {
			r.at = i
		}
	}
}
