// Package doctor finds out what keeps a device from working, and says what to do.
//
// A Check looks at one thing and has a name. It may need other checks: if one of those
// fails, it is not made, so that one fault has one name. Checks change nothing on the
// machine and disturb neither a running daemon nor its session.
//
// What it looks at is real: files, sockets, the network. A test gives it another machine
// to look at, not other answers.
package doctor

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"tasmota-azd/internal/config"
)

// An Outcome is what came of a check.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"
	Warning Outcome = "warning" // the daemon works, and something is to be mended all the same
	Fault   Outcome = "fault"
	Skipped Outcome = "skipped" // there was nothing to check, or it could not be
)

// A Check looks at one thing.
type Check struct {
	Name   string
	Group  string
	What   string        // it looks at, or makes sure of
	Remedy string        // what to do, mostly a command; a Finding may know better
	Needs  []string      // checks that come before, and without which this one means nothing
	After  []string      // checks that come before, however they end
	Within time.Duration // default 5 s

	// off says why there is nothing to check with this configuration, or nothing.
	off func(*patient) string

	run func(*patient, context.Context) Finding
}

// A Finding is what a check has found.
type Finding struct {
	Outcome Outcome
	Found   string
	Remedy  string // empty: that of the check

	blocks bool // what needs this check is not made, though it is no fault
}

// A Result is a check and what came of it.
type Result struct {
	Name    string  `json:"name"`
	Group   string  `json:"group"`
	What    string  `json:"what"`
	Outcome Outcome `json:"outcome"`
	Found   string  `json:"found"`
	Remedy  string  `json:"remedy,omitempty"` // only for warnings and faults

	blocks bool
}

// Options say whom to examine.
type Options struct {
	Config      string // path of the configuration
	Credentials string // directory of systemd's credentials, or empty
	StateDir    func(config.Config) string
	Sockets     []string // where a running daemon may be asked
	Version     string   // of this program
	Only        []string // groups or names of checks, with those that they need; default all

	// Root is where the files of the system are, default "/".
	Root string
	// Waiting is told which check is waited for. Default: nobody is.
	Waiting func(name string)
	Log     *slog.Logger // default none
}

// total bounds all checks together.
const total = 60 * time.Second

// Checks returns all checks in the order of the report.
func Checks() []Check {
	return slices.Concat(credentialChecks, fileChecks, keyChecks, userChecks, pinChecks, machineChecks, daemonChecks, clockChecks, networkChecks,
		dpsChecks, portChecks, tlsChecks, hubChecks, diskChecks, stateChecks, unitChecks)
}

// ok, warn, fault and skip make findings. A skipped check is no obstacle to those that
// need it, and unknown is one that is.
func ok(found string) Finding    { return Finding{Outcome: OK, Found: found} }
func skip(why string) Finding    { return Finding{Outcome: Skipped, Found: why} }
func unknown(why string) Finding { return Finding{Outcome: Skipped, Found: why, blocks: true} }
func warn(found, remedy string) Finding {
	return Finding{Outcome: Warning, Found: found, Remedy: remedy}
}
func fault(found, remedy string) Finding {
	return Finding{Outcome: Fault, Found: found, Remedy: remedy}
}
