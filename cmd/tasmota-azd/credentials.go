package main

import (
	"context"
	"fmt"
	"os"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/doctor"
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

// load reads the configuration, with the credentials that the unit has
// (LoadCredential= in systemd.exec(5)). They are those of this process, or of the service
// if it runs; or else root opens what the unit will give, so that other commands find the
// configuration in order before the service starts.
func load(path string) (config.Config, error) {
	dir := granted()
	if dir != "" || proper(path, defaultConfig) != defaultConfig || os.Geteuid() != 0 {
		return config.Load(path, dir)
	}
	given, err := doctor.Credentials(context.Background())
	if err != nil {
		fmt.Fprintf(os.Stderr, "tasmota-azd: %v\n", err)
	}
	return config.LoadWith(path, given)
}
