package main

import (
	"errors"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/relay"
)

// exitConfig is the exit status for a configuration file with mistakes, which also may
// name pins that this machine has not: EX_CONFIG of sysexits.h, which systemd shows as
// "78/CONFIG".
const exitConfig = 78

// exitLater is the exit status of what may go better later: EX_TEMPFAIL of sysexits.h.
const exitLater = 75

// exitCode is the exit status for the error that ends the program.
func exitCode(err error) int {
	if e, ok := errors.AsType[*notReloaded](err); ok && e.Broken {
		return exitConfig
	}
	var mistakes *config.Error
	pins := errors.Is(err, relay.ErrMistake) && !errors.Is(err, relay.ErrNotReady)
	if pins || errors.As(err, &mistakes) {
		return exitConfig
	}
	if errors.Is(err, errLater) {
		return exitLater
	}
	return 1
}
