package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"tasmota-azd/internal/clock"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/logs"
	"tasmota-azd/internal/store"
)

// When the start is over, and what it took can be given back, at the earliest, and where
// a network or a clock came late.
const (
	calmAfter = 5 * time.Second
	calmBy    = 10 * time.Minute
)

// rest gives back what only the start needed, such as the system's root certificates: soon
// after it, ever more rarely, and then no more, so that what commands go through stays.
func rest(ctx context.Context, pages []stretch) error {
	for wait := calmAfter; wait < calmBy; wait *= 2 {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
			debug.FreeOSMemory()
			letGo(pages)
		}
	}
	return nil
}

// run is the life of the daemon: it ends when ctx does, with nil, or when a part
// cannot begin.
func run(ctx context.Context, path string, ttl time.Duration, stderr io.Writer) error {
	started := time.Now()
	smallPages()
	if err := noCoreFile(); err != nil {
		return fmt.Errorf("forbidding core files: %w", err)
	}
	byHand := hasTerminal()
	asked := make(chan os.Signal, 1) // to read the file again; one that comes early waits
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	file := source{path: path, ttl: ttl}
	cfg, err := file.load()
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(cfg.Log.Level)
	log := logs.New(stderr, cfg.Log.Format, level)
	log.Info("starting", "version", version, "config", path)
	for _, w := range cfg.Warnings {
		log.Warn("configuration: " + w)
	}
	st, err := store.Open(stateDir(cfg), log.With("part", "store"))
	if err != nil {
		return err
	}
	defer release(st, log)
	state, j, err := device.Load(st)
	if err != nil {
		return err
	}
	defer release(j, log)
	defer keep(j, log)
	d, err := build(ctx, file, cfg, st, state, j, started, level, log)
	if err != nil {
		return err
	}
	defer release(d.bank, log)
	pages := programPages()
	if err := noDump(); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	thrift()
	d.byHand = byHand
	return d.serve(ctx, asked, pages)
}

// thrift makes the garbage collector run early: the heap is small, and from now on memory
// is worth more than time. Before the relays stand it is the other way round. Still less
// than half costs a sixth of a command's time, and saves nothing (docs/performance.md).
func thrift() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// A source is where the configuration comes from.
type source struct {
	path string
	ttl  time.Duration // of tokens, in place of what the file says; 0 for that
}

func (s source) load() (config.Config, error) {
	cfg, err := load(s.path)
	if err == nil && s.ttl != 0 {
		cfg.Hub.TokenTTL = max(s.ttl, 5*time.Second)
	}
	return cfg, err
}

// stateDir is the directory that systemd made for the unit (StateDirectory= in
// systemd.exec(5)), or else the one of the file.
func stateDir(cfg config.Config) string {
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	return cfg.StateDir
}

// serve runs the parts until ctx ends, or the terminal of one that runs by hand: the
// device's loop first, which finishes what has begun, then the connection, which carries
// away what that led to.
func (d *daemon) serve(ctx context.Context, asked <-chan os.Signal, pages []stretch) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	online, offline := context.WithCancel(context.WithoutCancel(ctx))
	defer offline()
	events := make(chan hub.Event)
	listen := d.config().Metrics.Listen
	var parts errgroup.Group
	parts.Go(func() error { return d.clock.Run(online) })
	parts.Go(func() error {
		d.page.serve(online, listen)
		return nil
	})
	if d.control != nil {
		parts.Go(func() error { return d.control.Serve(online) })
	}
	parts.Go(func() error {
		if d.reloads(ctx, asked) {
			end(signalled{syscall.SIGHUP})
		}
		return nil
	})
	parts.Go(func() error {
		if err := d.clock.Wait(online); err != nil {
			return nil // stopped before the time was proven
		}
		return d.hub.Run(online, events)
	})
	parts.Go(func() error {
		defer offline()
		err := d.device.Run(ctx, events)
		d.systemd.stopping()
		if forGood(ctx) {
			d.stopper.stop(d.bank, d.config().GPIO.OnStop)
		}
		return err
	})
	parts.Go(func() error { return rest(online, pages) })
	err := parts.Wait()
	d.log.Info("stopped")
	return err
}

// newClock makes the clock that dates tokens and telemetry.
func newClock(cfg config.Config, log *slog.Logger) *clock.Clock {
	return clock.New(clock.Options{Servers: cfg.NTP.Servers, Log: log.With("part", "clock")})
}

// keep notes the edges of the last moment: of a start that failed, and of a stop.
func keep(j *journal.Journal, log *slog.Logger) {
	if len(j.Unsaved()) == 0 {
		return
	}
	if _, err := j.Done(journal.Outcome{At: time.Now().UTC()}); err != nil {
		log.Error("edges not saved: it will not be known why the relays moved at the end", "err", err)
	}
}

// release closes a part at the end of the daemon, where an error can only be told.
func release(part io.Closer, log *slog.Logger) {
	if err := part.Close(); err != nil && !errors.Is(err, context.Canceled) {
		log.Error("not released in good order", "err", err)
	}
}
