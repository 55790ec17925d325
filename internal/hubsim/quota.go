package hubsim

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrOverQuota is what everything that is counted meets for the rest of the
// day (contract, section 3.6).
var ErrOverQuota = errors.New("403002: the hub's daily quota is used up")

// severAfter is how soon a connection is closed that was accepted over quota.
const severAfter = time.Second

// The forms that a used-up quota takes for devices; no reason is ever given.
const (
	OverDrop   = "drop"   // for Quota.Publish: nothing is stored, and no PUBACK comes
	OverClose  = "close"  // for Quota.Publish: nothing is stored, and the connection is closed
	OverRefuse = "refuse" // for Quota.Connect: CONNACK 5
	OverSever  = "sever"  // for Quota.Connect: accepted, and closed a second later
)

// A Quota is how many messages each hub takes a day (H50). The day ends at
// 00:00 UTC by the cloud's clock.
type Quota struct {
	Limit   int    `json:"limit"`   // 0: all are counted, and none refused. The free tier has 8,000
	Meter   int    `json:"meter"`   // bytes that count as one message, default 4096; 512 on the free tier
	Publish string `json:"publish"` // what a device's message meets beyond the limit, default OverDrop
	Connect string `json:"connect"` // what a CONNECT meets then, default OverRefuse
}

func (q Quota) withDefaults() Quota {
	setDefault(&q.Meter, 4096)
	setDefault(&q.Publish, OverDrop)
	setDefault(&q.Connect, OverRefuse)
	return q
}

func (q Quota) check() error {
	if q.Limit < 0 || q.Meter < 1 || q.Publish != OverDrop && q.Publish != OverClose || q.Connect != OverRefuse && q.Connect != OverSever {
		return fmt.Errorf("%w: quota %+v", ErrInvalid, q)
	}
	return nil
}

// Usage is what a hub has counted today.
type Usage struct {
	Hub    string    `json:"hub"`
	Used   int       `json:"used"`   // messages, as they are metered
	Resets time.Time `json:"resets"` // the next 00:00 UTC
}

// tally counts for one hub.
type tally struct {
	day  time.Time // when it began
	used int
}

// SetQuota changes the quota. What was counted today stays counted.
func (s *Sim) SetQuota(q Quota) error {
	q = q.withDefaults()
	if err := q.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quota = q
	return nil
}

// Quota returns the quota.
func (s *Sim) Quota() Quota {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quota
}

// Usage returns what each hub has counted today.
func (s *Sim) Usage() []Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Usage
	for _, h := range s.opts.Hosts {
		t := s.today(h)
		all = append(all, Usage{h, t.used, t.day.AddDate(0, 0, 1)})
	}
	return all
}

// Spend counts messages that nobody has sent, to come near the limit. No hub
// means the first.
func (s *Sim) Spend(hub string, messages int) error {
	setDefault(&hub, s.opts.Hosts[0])
	if !slices.Contains(s.opts.Hosts, hub) || messages < 0 {
		return fmt.Errorf("%w: %d messages at hub %q", ErrInvalid, messages, hub)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.today(hub).used += messages
	return nil
}

// today is the tally of a hub. The caller holds s.mu.
func (s *Sim) today(hub string) *tally {
	day := s.opts.Now().UTC().Truncate(24 * time.Hour)
	t := s.tallies[hub]
	if t == nil || !t.day.Equal(day) {
		t = &tally{day: day}
		s.tallies[hub] = t
	}
	return t
}

// affords reports whether a hub takes a message of so many bytes today. The
// caller holds s.mu.
func (s *Sim) affords(hub string, size int) bool {
	return s.quota.Limit == 0 || s.today(hub).used+s.cost(size) <= s.quota.Limit
}

// charge counts a message of so many bytes, if the hub affords it. The caller
// holds s.mu.
func (s *Sim) charge(hub string, size int) bool {
	if !s.affords(hub, size) {
		return false
	}
	s.today(hub).used += s.cost(size)
	return true
}

// cost is how many messages so many bytes count as. An empty one is one.
func (s *Sim) cost(size int) int { return max(1, (size+s.quota.Meter-1)/s.quota.Meter) }

// overQuota ends a session a second after it has begun, if nothing can be sent
// today. The caller holds s.mu.
func (s *Sim) overQuota(ss *session) {
	if s.quota.Connect == OverSever && !s.affords(ss.hub, 0) {
		time.AfterFunc(severAfter, func() { s.endLocked(ss, ErrOverQuota) })
	}
}
