//go:build !manuals

// Command tasmota-azd makes a Linux board behave like a Tasmota relay device on
// Azure IoT Hub.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/logs"
)

func main() {
	ctx, stop := withSignals(context.Background())
	defer stop()
	if err := command(os.Stdout, os.Stderr).ExecuteContext(ctx); err != nil {
		report(err)
		os.Exit(exitCode(err))
	}
}

// report prints the error that ends the program: one line for each mistake.
func report(err error) {
	text := "tasmota-azd: " + err.Error()
	var mistakes *config.Error
	if errors.As(err, &mistakes) {
		text = err.Error()
	}
	if _, told := errors.AsType[*notReloaded](err); told { // which the daemon logs, as the last of a process
		fmt.Fprintln(os.Stderr, text)
		return
	}
	if err := logs.Last(os.Stderr, text); err != nil {
		os.Exit(1) // there is nobody to tell
	}
}
