package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"tasmota-azd/internal/control"
	"tasmota-azd/internal/device"
)

// A status is what `tasmota-azd status` shows: of the device, and of the parts that it
// does not know.
type status struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	PID     int       `json:"pid"`
	device.Status
	Token clockTime `json:"token"` // when the session is renewed
	Clock clockInfo `json:"clock"`

	Configuration configuration `json:"configuration"`
}

// A clockTime is a moment, or none.
type clockTime struct {
	RenewsAt time.Time `json:"renews_at,omitzero"`
}

// clockInfo is how it stands with the time.
type clockInfo struct {
	Proven bool          `json:"proven"`
	Source string        `json:"source,omitempty"`
	Offset time.Duration `json:"system_clock_slow_by_ns,omitempty"`
}

// listen makes the control socket. A daemon works without one. file tells of the
// configuration.
func listen(stateDir string, n numbers, file func() configuration, level *slog.LevelVar, log *slog.Logger) *control.Server {
	d := n.device
	dir := stateDir
	if run, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":"); run != "" {
		dir = run
	}
	s, err := control.Listen(dir, control.Options{
		Status: func(ctx context.Context) (any, error) {
			s := status{Version: version, Started: n.clock.Wall(n.started), PID: os.Getpid()}
			var err error
			s.Status, err = d.Status(ctx)
			s.Clock.Source, s.Clock.Offset, s.Clock.Proven = n.clock.Proven()
			if at, ok := n.hub.now().Renewal(); ok {
				s.Token.RenewsAt = n.clock.Wall(at)
			}
			s.Configuration = file()
			return s, err
		},
		Command: d.Command,
		Why: func(ctx context.Context, relay string, most int) (any, error) {
			n, err := d.RelayNumber(ctx, relay)
			if err != nil || n == 0 {
				return nil, cmp.Or(err, fmt.Errorf("relay %.40q: %w; name one by its number, its name or its pin", relay, control.ErrNoSuch))
			}
			return d.Why(ctx, n, most)
		},
		Watch:   d.Watch,
		Metrics: n.page,
		Level:   level,
		Log:     log,
	})
	if err != nil {
		log.Warn("nobody on this machine can ask the daemon", "err", err)
		return nil
	}
	return s
}
