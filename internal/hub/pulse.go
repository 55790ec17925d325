package hub

import "time"

// A pulse tells when a link is to be pinged, and when it is dead. All that counts
// as life is that the hub has answered something: what leaves may be lost, and what
// arrives does not show that anything leaves. Links that are dead in one direction
// only are not rare, and a client that publishes often hides them from itself if it
// takes its own packets for life (contract, section 12.5).
//
// A link is pinged when nothing was answered for the keep-alive time, which also is
// as often as the hub wants to hear something. Dead in whatever direction, it is
// found out 4/3 of that time later at most; the hub takes 3/2.
type pulse struct {
	every  time.Duration
	within time.Duration // for an answer
	proof  time.Time     // when the last thing was sent that was answered
	asked  time.Time     // when the ping that is not answered was sent, or zero
}

func newPulse(keepAlive time.Duration) pulse {
	return pulse{every: keepAlive, within: pongWithin(keepAlive), proof: time.Now()}
}

// pongWithin is how long a hub may take to answer a ping.
func pongWithin(keepAlive time.Duration) time.Duration { return min(10*time.Second, keepAlive/3) }

// due is when to ping, or when to give up.
func (p *pulse) due() time.Time {
	at := p.proof.Add(p.every)
	if !p.asked.IsZero() {
		at = at.Add(p.within)
	}
	return at
}

// ask notes a ping that is sent at now. It reports false if one is out already.
func (p *pulse) ask(now time.Time) bool {
	if !p.asked.IsZero() {
		return false
	}
	p.asked = now
	return true
}

// answered notes that the ping has been answered.
func (p *pulse) answered() {
	if p.asked.IsZero() {
		return
	}
	p.proven(p.asked)
	p.asked = time.Time{}
}

// proven notes that something was answered which had been sent at a time. The hub
// heard it then or later.
func (p *pulse) proven(sent time.Time) {
	if sent.After(p.proof) {
		p.proof = sent
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
