package hubsim

import (
	"errors"
	"fmt"
	"time"
)

var errThrottled = errors.New("429002: too many messages wait for the throttle")

// A Throttle is how fast each hub takes the messages of its devices (H51). What
// comes faster is shaped: its PUBACK is late.
type Throttle struct {
	Rate    float64 `json:"rate"`    // messages a second; 0: no limit. The free tier and one S1 unit have 100
	Backlog int     `json:"backlog"` // how many may wait for their PUBACK before connections are closed, default 50
}

// SetThrottle changes the throttle.
func (s *Sim) SetThrottle(t Throttle) error {
	setDefault(&t.Backlog, 50)
	if t.Rate < 0 || t.Rate > 1e6 || t.Rate > 0 && t.Rate < 1e-3 || t.Backlog < 0 {
		return fmt.Errorf("%w: throttle %+v", ErrInvalid, t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttle = t
	clear(s.shaped)
	return nil
}

// Throttle returns the throttle.
func (s *Sim) Throttle() Throttle {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.throttle
}

// shape gives the next message of a hub its turn, and says how far that is
// away. The caller holds s.mu.
func (s *Sim) shape(hub string) (time.Duration, error) {
	if s.throttle.Rate == 0 {
		return 0, nil
	}
	apart := time.Duration(float64(time.Second) / s.throttle.Rate)
	now, turn := time.Now(), s.shaped[hub]
	if turn.Before(now) {
		turn = now
	}
	late := turn.Sub(now)
	if int(late/apart) > s.throttle.Backlog {
		return 0, errThrottled
	}
	s.shaped[hub] = turn.Add(apart)
	return late, nil
}
