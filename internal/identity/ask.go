package identity

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/lasting"
)

// When DPS is asked again although there is an assignment: when connecting has
// failed this often and for this long (contract, section 7.7): DPS takes 1,000
// registrations a minute, and a fleet whose hub is gone must not come together.
const (
	manyFailures = 10
	longTrouble  = 15 * time.Minute // and up to twice that, each device at its place
	askEvery     = time.Hour        // at most
	missedEvery  = 5 * time.Minute  // if DPS did not even hear it
	askLimit     = time.Minute      // as the known hub waits meanwhile
)

// Waits between two registrations without an assignment.
const (
	firstRetry    = time.Second
	throttleRetry = 10 * time.Second
	longestRetry  = 5 * time.Minute
	slowRetry     = 15 * time.Minute // and up to twice that
)

// obtain asks DPS until it has assigned a hub.
func (i *Identities) obtain(ctx context.Context) error {
	var fault lasting.Fault
	for setbacks := 0; ; setbacks++ {
		level := slog.LevelDebug
		if !fault.Lasts() {
			level = slog.LevelInfo
		}
		i.log.Log(ctx, level, "asking DPS for a hub", "endpoint", i.dps.Endpoint, "scope", i.dps.ScopeID, "registration_id", i.dps.RegistrationID)
		err := i.ask(ctx)
		if err == nil {
			if lasted, was := fault.Over(time.Now()); was {
				i.log.Info("DPS gives this device a hub again", "lasted", lasted.Round(time.Second))
			}
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pause := retryIn(err, setbacks, i.turns.Next())
		i.complain(&fault, err, pause)
		if !passing(err) {
			setbacks = -1
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// complain says that there is no hub, but not each time.
func (i *Identities) complain(fault *lasting.Fault, err error, pause time.Duration) {
	now := time.Now()
	if !fault.Say(now, err.Error()) {
		return
	}
	attrs := []any{"err", err, "retry_in", pause.Round(time.Second / 10), "lasts", fault.For(now).Round(time.Second)}
	if passing(err) {
		i.log.Warn("no hub yet", attrs...)
	} else {
		i.log.Error("DPS gives this device no hub", attrs...)
	}
}

// retryIn is how long to wait after err: for what passes by itself from a
// second up to five minutes, else a quarter of an hour and more; at least what DPS
// asked for. turn says where between, in [0, 1).
func retryIn(err error, setbacks int, turn float64) time.Duration {
	part := func(of time.Duration) time.Duration { return time.Duration(turn * float64(of)) }
	if !passing(err) {
		return max(slowRetry, retryAfter(err)) + part(slowRetry)
	}
	pause := firstRetry + part(min(firstRetry<<min(setbacks, 10), longestRetry-firstRetry))
	if e, ok := errors.AsType[*dps.Error](err); ok && e.Kind == dps.Throttled {
		pause += throttleRetry
	}
	if asked := retryAfter(err); asked > 0 {
		pause = max(pause, asked+part(throttleRetry))
	}
	return pause
}

// passing reports whether err may be gone soon without the owner.
func passing(err error) bool {
	e, ok := errors.AsType[*dps.Error](err)
	return !ok || e.Kind.Passing()
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*dps.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// due reports whether the hub has failed long enough to ask DPS whether it is
// still the right one.
func (i *Identities) due(t hub.Trouble) bool {
	long := longTrouble + time.Duration(i.turns.Place()*float64(longTrouble))
	return t.Failures >= manyFailures && time.Since(t.Since) >= long && !time.Now().Before(i.next)
}

// renewed reports whether DPS does not know the certificate yet that the device
// has now. In the hub DPS enters that of the registration (contract, section 8.2).
func (i *Identities) renewed() bool {
	return i.known.Certificate != i.dps.Certificate.Fingerprint() && !time.Now().Before(i.next)
}

var errAskLimit = errors.New("DPS took too long to decide")

// askAgain asks DPS once whether the device has moved. Whatever goes wrong,
// the known assignment stands.
func (i *Identities) askAgain(ctx context.Context, t hub.Trouble) {
	old := *i.known
	i.log.Info("asking DPS whether the device has another hub now", "hub", old.Hub, "failures", t.Failures,
		"for", time.Since(t.Since).Round(time.Second), "endpoint", i.dps.Endpoint, "registration_id", i.dps.RegistrationID)
	limited, cancel := context.WithTimeoutCause(ctx, askLimit, errAskLimit)
	defer cancel()
	switch err := i.ask(limited); {
	case ctx.Err() != nil:
	case err == nil && i.known.Hub == old.Hub && i.known.DeviceID == old.DeviceID:
		i.log.Info("DPS names the same hub as before", "hub", old.Hub, "device_id", old.DeviceID)
	case err == nil:
	default:
		level := slog.LevelWarn
		if !passing(err) {
			level = slog.LevelError
		}
		i.log.Log(ctx, level, "DPS gave no answer, the known hub stands", "hub", old.Hub, "err", err, "retry_in", time.Until(i.next).Round(time.Second))
	}
}

// ask registers once and keeps what DPS says.
func (i *Identities) ask(ctx context.Context) error {
	a, err := dps.Register(ctx, i.dps)
	i.next = time.Now().Add(max(askEvery, retryAfter(err)))
	if e, ok := errors.AsType[*dps.Error](err); ok && e.Kind == dps.Unreachable {
		i.next = time.Now().Add(missedEvery)
	}
	if err != nil {
		i.findKind(ctx, err)
		return err
	}
	i.remember(a)
	return nil
}

// findKind adds to a refusal whether the key would fit as one of the other kind.
func (i *Identities) findKind(ctx context.Context, err error) {
	e, ok := errors.AsType[*dps.Error](err)
	if !ok || e.Status != http.StatusUnauthorized || i.other.IsZero() || dps.Fits(ctx, i.dps) {
		return
	}
	o := i.dps
	o.Key = i.other
	if !dps.Fits(ctx, o) {
		return
	}
	e.OtherKind = "group"
	if i.group {
		e.OtherKind = "individual"
	}
}
