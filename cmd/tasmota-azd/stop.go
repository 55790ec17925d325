package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/relay"
	"tasmota-azd/internal/store"
)

// A signalled is the cause of a context that a signal ended.
type signalled struct{ signal os.Signal }

func (s signalled) Error() string { return "stopped by the signal " + s.signal.String() }

// withSignals returns a context that ends with a signal: SIGINT or SIGTERM, which
// end the service, or SIGUSR2, which the unit sends before a restart.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-signals:
			cancel(signalled{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
		<-done
	}
}

// forGood tells whether ctx was ended by a signal that ends the service, and not
// by one that comes before a restart.
func forGood(ctx context.Context) bool {
	s, ok := errors.AsType[signalled](context.Cause(ctx))
	return ok && s.signal != syscall.SIGUSR2
}

// stopFile is the name under which the store keeps a stopMark.
const stopFile = "stop"

// A stopMark says that the relays are off because the service was stopped. Their
// saved state is what they are to be after the next start.
type stopMark struct {
	BootID string `json:"boot_id,omitempty"` // of the kernel that saw the stop, empty for none
}

// A stopper opens the relays when the service ends for good, and knows after the
// next start that it did.
type stopper struct {
	store  *store.Store
	bootID string
	log    *slog.Logger
}

// stopped tells whether the relays are off because of a stop. After a power-on
// that is of no interest any more.
func (s stopper) stopped() bool {
	var m stopMark
	if _, err := s.store.Load(stopFile, &m); err != nil {
		s.log.Error("not known whether the service was stopped", "err", err)
	}
	return m.BootID != "" && m.BootID == s.bootID
}

// started is called when the relays stand.
func (s stopper) started() { s.save(stopMark{}) }

// stop applies gpio.on_stop. The off state is not saved.
func (s stopper) stop(bank *relay.Bank, on config.OnStop) {
	if on != config.StopOff {
		s.log.Info("relays stay as they are, as long as the kernel keeps them", "on_stop", on)
		return
	}
	s.save(stopMark{BootID: s.bootID})
	if err := bank.Off(cause.Cause{Door: cause.Stop}); err != nil {
		s.log.Error("relay is not off", "err", err)
	}
}

func (s stopper) save(m stopMark) {
	if _, err := s.store.Save(stopFile, m); err != nil {
		s.log.Error("not noted whether the service was stopped", "err", err)
	}
}
