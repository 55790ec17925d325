package main

import (
	"errors"
	"fmt"
	"testing"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/relay"
	"tasmota-azd/internal/relay/gpiochip"
)

// What only the file can mend ends with 78. A pin in use, and chips that are not there
// yet or may not be read, can be mended elsewhere.
func TestExitCode(t *testing.T) {
	noSuchPin := &relay.NameError{Name: "GPIO71"}
	inUse := &relay.NameError{Name: "GPIO17", Err: &gpiochip.InUseError{}}
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"file", &config.Error{}, 78},
		{"no such pin", noSuchPin, 78},
		{"one of several", fmt.Errorf("pins: %w", errors.Join(inUse, noSuchPin)), 78},
		{"in use", inUse, 1},
		{"no such pin among those that can be read", errors.Join(noSuchPin, relay.ErrNotReady), 1},
		{"anything else", errors.New("no room"), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitCode(tt.err); got != tt.want {
				t.Errorf("exit status %d, want %d", got, tt.want)
			}
		})
	}
}
