package hub

import (
	"errors"
	"time"
)

// A hub whose messages of the day are used up says so by nothing: it acknowledges no
// message, closes the session, refuses the login, and all that until 00:00 UTC
// (contract, section 3.6). So the signs are counted.
const (
	// usedUp is how many signs in a row make the quota likely.
	usedUp = 3
	// thriftyFrom and thriftyTo bound the wait then: what is tried in vain may cost
	// messages of the next day, and helps nobody.
	thriftyFrom, thriftyTo = 5 * time.Minute, 15 * time.Minute
	// newDayWithin spreads the devices that come back when the day ends.
	newDayWithin = time.Minute
)

// A famine counts the signs.
type famine struct{ signs int }

// note counts a failure. starved says that the session sent messages of which the
// hub acknowledged none.
func (f *famine) note(err error, starved bool) {
	e, _ := errors.AsType[*Error](err)
	switch {
	case starved && (errors.Is(err, errNoPuback) || isClosed(err)):
		f.signs++
	case e != nil && e.Kind == Refused && f.signs > 0:
		f.signs++
	case e != nil && e.Kind == Lost && !starved: // a session in which something arrived
		f.signs = 0
	}
}

// likely tells whether the quota is likely to be used up.
func (f *famine) likely() bool { return f.signs >= usedUp }

// wait is the time until the next attempt, at now by the proven clock: wait as it
// would be without a famine, longer in one, but never far into the next day. chance
// is random in [0, 1).
func (f *famine) wait(now time.Time, wait time.Duration, chance float64) time.Duration {
	if !f.likely() {
		return wait
	}
	wait = thriftyFrom + time.Duration(chance*float64(thriftyTo-thriftyFrom))
	now = now.UTC()
	midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)
	return min(wait, midnight.Sub(now)+time.Second+time.Duration(chance*float64(newDayWithin)))
}
