package hubsim

import "time"

// A Feedback is what became of a C2D message whose sender asked for it (H36).
// The service hands them over in batches, every 15 s or 64 records; here each
// is there at once.
type Feedback struct {
	Seq        uint64    `json:"seq"`
	Time       time.Time `json:"enqueuedTimeUtc"` // by the cloud's clock
	MessageID  string    `json:"originalMessageId"`
	Device     string    `json:"deviceId"`
	Generation string    `json:"deviceGenerationId"`
	Status     string    `json:"statusCode"` // FeedbackSuccess or FeedbackExpired
}

// What can become of a message here. A hub of Azure knows more ends, none of
// which is to be had over MQTT or by waiting.
const (
	FeedbackSuccess = "Success" // acknowledged by the device
	FeedbackExpired = "Expired" // not acknowledged in its time
)

// Feedback returns the feedback seen so far, oldest first.
func (s *Sim) Feedback() []Feedback {
	all, _ := s.feedback.since(0)
	return all
}

// wants reports whether the sender asked to hear of an end.
func (m C2D) wants(status string) bool {
	switch m.Ack {
	case "full":
		return true
	case "positive":
		return status == FeedbackSuccess
	case "negative":
		return status == FeedbackExpired
	}
	return false
}

// tell records the end of a message for its sender. The caller holds s.mu.
func (s *Sim) tell(d *device, m *message, status string) {
	m.stop()
	if !m.wants(status) {
		return
	}
	f := Feedback{Time: s.opts.Now().UTC(), MessageID: m.MessageID, Device: d.id, Generation: d.generation, Status: status}
	s.feedback.add(func(n uint64) Feedback { f.Seq = n; return f })
	s.notify()
}

// watch sees to it that the end of a message is noticed when it comes, if
// somebody wants to hear of it. The caller holds s.mu.
func (s *Sim) watch(d *device, m *message) {
	if !m.wants(FeedbackExpired) {
		return
	}
	m.expiry = time.AfterFunc(time.Until(m.expires), func() {
		s.mu.Lock()
		if s.devices[d.id] == d && !s.closed {
			s.expire(d, time.Now())
		}
		s.mu.Unlock()
		s.persistOrLog()
	})
}

// watchAll watches what was queued before a restart.
func (s *Sim) watchAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		for _, m := range d.queue {
			s.watch(d, m)
		}
	}
}

// stop ends the timers of a message.
func (m *message) stop() {
	m.unlock()
	if m.expiry != nil {
		m.expiry.Stop()
		m.expiry = nil
	}
}
