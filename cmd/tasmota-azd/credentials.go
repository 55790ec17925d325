package main

import (
	"context"
	"fmt"
	"os"

	"tasmota-azd/internal/enroll"
)

// unitCredentials is where systemd puts the credentials of a unit that runs, for its user
// and root (systemd.exec(5)).
const unitCredentials = "/run/credentials/tasmota-azd.service"

// granted is the directory of this process's credentials, or of the service's if it runs.
// It is empty without any.
func granted() string {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		return dir
	}
	if d, err := os.Open(unitCredentials); err == nil {
		_ = d.Close() // it was opened to see whether it may be
		return unitCredentials
	}
	return ""
}

// credentials returns the directory of the service's credentials, empty without any, and
// what to call when they have been read. They are those of this process, or of the service
// if it runs; or else root opens what enroll has sealed, so that other commands find the
// configuration in order before the service starts.
func credentials(path string) (dir string, forget func()) {
	if dir := granted(); dir != "" {
		return dir, func() {}
	}
	if proper(path, defaultConfig) != defaultConfig || os.Geteuid() != 0 {
		return "", func() {}
	}
	dir, forget, err := enroll.Vault{Unit: service}.Open(context.Background(), "/run")
	if err != nil {
		fmt.Fprintf(os.Stderr, "tasmota-azd: %v\n", err)
	}
	return dir, forget
}
