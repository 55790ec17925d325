package relay

import (
	"fmt"
	"time"

	"tasmota-azd/internal/cause"
)

// A State is what is known of a relay.
type State int

// The states of a relay.
const (
	Unknown State = iota // its line was not ours, or its chip was gone
	Off
	On
)

func stateOf(on bool) State {
	if on {
		return On
	}
	return Off
}

// String returns "unknown", "off" or "on".
func (s State) String() string { return [...]string{"unknown", "off", "on"}[s] }

// MarshalText returns what String does.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(text []byte) error {
	for _, known := range []State{Unknown, Off, On} {
		if string(text) == known.String() {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("%.20q is no state of a relay", text)
}

// An Edge is one change that a Bank drove. Driving a relay to where it is
// already makes none.
type Edge struct {
	Time     time.Time // when it was driven, by the system's clock and the monotonic one
	Relay    int       // counted from 1; 0 for a line that is no relay's any more
	Name     string    // what the owner calls the relay
	Pin      string    // proper name, such as GPIO17
	From, To State     // From is Unknown at the first level of a line
	Cause    cause.Cause
}
