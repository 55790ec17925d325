// Package systemd holds the unit as it is shipped, to compare the installed one with.
package systemd

import _ "embed"

// Unit is tasmota-azd.service.
//
//go:embed tasmota-azd.service
var Unit string
