package device

import "time"

const (
	// rememberFor is the longest a hub can deliver a message again: its greatest
	// time to live is two days (contract 4.2).
	rememberFor = 48 * time.Hour
	// rememberMost bounds the memory: 4,096 ids of at most 128 characters.
	rememberMost = 4096
)

// recent remembers the ids of the messages that have been run.
type recent struct {
	at    map[string]time.Time
	order []string // oldest first
}

// has reports whether id was added in the last two days.
func (r *recent) has(now time.Time, id string) bool {
	at, ok := r.at[id]
	return ok && now.Sub(at) < rememberFor
}

// add remembers id and forgets what is too old or too much.
func (r *recent) add(now time.Time, id string) {
	if r.at == nil {
		r.at = make(map[string]time.Time)
	}
	if _, known := r.at[id]; !known {
		r.order = append(r.order, id)
	}
	r.at[id] = now
	for len(r.order) > rememberMost || now.Sub(r.at[r.order[0]]) >= rememberFor {
		delete(r.at, r.order[0])
		r.order = r.order[1:]
	}
}
