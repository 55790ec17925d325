package hub

import (
	"errors"
	"syscall"
	"time"
)

const (
	minWait = time.Second
	maxWait = 5 * time.Minute
	// crowdWait is the longest wait of a device that the hub has let in before and
	// now turns away again and again. It may be one of thousands, of which the hub
	// takes a hundred in a second (contract, section 3.6). To close a session or not
	// to listen counts once, to refuse a login twice.
	crowdWait  = 4 * time.Minute
	turnedAway = 4
	// stands is how long a session must last to count as a success.
	stands = 30 * time.Second
	// sayAgain is how often a fault that lasts is repeated in the log at least.
	sayAgain = time.Hour
	// pushedOut is how many sessions in a row must be cut short by the other
	// side before a second client with the same device id is suspected: the
	// hub closes the older connection then (contract, section 1.8).
	pushedOut = 3
)

// A retry decides how long to wait after a failure, and what to say about it.
type retry struct {
	trouble  Trouble
	stood    bool      // a session stood before the trouble
	away     int       // how often the hub turned this device away, in a row; a refusal counts twice
	short    int       // sessions in a row that the other side cut short
	starving bool      // the hub's messages of the day are likely to be used up
	said     string    // the last failure that was logged
	saidAt   time.Time // when
}

// after counts a failure at now, that of a session which stood for a while or of
// an attempt that led to none. It returns the time to wait: after n failures between
// one second and 2ⁿ, so that devices which failed together do not return together.
// chance says where between, in [0, 1).
func (r *retry) after(now time.Time, err error, stood time.Duration, chance float64) time.Duration {
	if stood >= stands {
		*r = retry{stood: true}
	}
	if r.trouble.Failures == 0 {
		r.trouble.Since = now
	}
	r.trouble.Failures++
	r.trouble.Err = err
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == Lost && isClosed(err) {
		r.short++
	}
	switch e, _ := errors.AsType[*Error](err); {
	case e != nil && e.Kind == Refused:
		r.away += 2
	case isClosed(err) || errors.Is(err, syscall.ECONNREFUSED):
		r.away++
	default: // the network of this device may be at fault
		r.away = 0
	}
	most := maxWait
	if n := r.trouble.Failures; n < 9 { // 2⁹ s are more than five minutes
		most = min(maxWait, time.Second<<n)
	}
	if r.stood && r.away >= turnedAway {
		most = max(most, crowdWait)
	}
	return minWait + time.Duration(chance*float64(most-minWait))
}

// report returns the words for a failure that after has counted, and whether to
// log them. One that lasts is said at its first time, its second, its fourth and
// so on, and once an hour.
func (r *retry) report(now time.Time, err error) (text string, attrs []any, say bool) {
	text = redact(err.Error())
	switch {
	case r.starving:
		text += "; the hub takes no message: its quota of the day may be used up, and then this lasts until 00:00 UTC"
	case r.short >= pushedOut:
		text += "; another client may be using this device id"
	}
	n := r.trouble.Failures
	if text == r.said && !powerOfTwo(n) && now.Sub(r.saidAt) < sayAgain {
		return text, nil, false
	}
	r.said, r.saidAt = text, now
	if n > 1 {
		attrs = []any{"failures", n}
	}
	return text, attrs, true
}
