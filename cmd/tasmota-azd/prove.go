package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"tasmota-azd/internal/clock"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/enroll"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/logs"
	"tasmota-azd/internal/twin"
)

// How long enroll waits for others.
const (
	timeWithin  = time.Minute
	cloudWithin = 90 * time.Second
)

var errTooLong = errors.New("there is no answer in time")

// errLater is the end of an enrollment that may go better later.
var errLater = errors.New("the cloud could not be asked now, and nothing is changed; try again later")

// A prover asks the cloud as the daemon would, with the same proven time.
type prover struct {
	out    io.Writer
	stderr io.Writer
	clock  *clock.Clock
}

func newProver(out, stderr io.Writer) *prover { return &prover{out: out, stderr: stderr} }

// prove is for enroll.Options.
func (p *prover) prove(ctx context.Context, t enroll.Try, cfg config.Config) (string, error) {
	log := logs.New(p.stderr, "text", slog.LevelWarn)
	if err := p.proveTime(ctx, cfg, log); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cloudWithin, errTooLong)
	defer cancel()
	said, err := p.ask(ctx, t, cfg, log)
	if errors.Is(err, errTooLong) {
		err = fmt.Errorf("%w: %w", errLater, err)
	}
	return said, err
}

func (p *prover) ask(ctx context.Context, t enroll.Try, cfg config.Config, log *slog.Logger) (string, error) {
	if t.Meaning != enroll.Device {
		return p.askDPS(ctx, cfg, log)
	}
	return p.askHub(ctx, cfg, log)
}

// proveTime waits until the time is proven, once: tokens are refused if it is wrong.
func (p *prover) proveTime(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	if p.clock != nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeWithin, errTooLong)
	defer cancel()
	clk := newClock(cfg, log)
	ended := make(chan error, 1)
	go func() { ended <- clk.Run(ctx) }()
	err := clk.Wait(ctx)
	cancel()
	<-ended
	if errors.Is(err, errTooLong) {
		return fmt.Errorf("%w: the time is not proven: check ntp.servers, and that UDP 123 is open", errLater)
	}
	p.clock = clk
	return err
}

// askDPS registers the device, as its first start would.
func (p *prover) askDPS(ctx context.Context, cfg config.Config, log *slog.Logger) (string, error) {
	a, err := dps.Register(ctx, dps.Options{
		Endpoint: cfg.DPS.Endpoint, ScopeID: cfg.DPS.ScopeID, RegistrationID: cfg.DPS.RegistrationID, Key: cfg.DPS.Key,
		Roots: cfg.DPS.CA.Pool(), Now: p.clock.Now, UserAgent: agent(), ModelID: twin.ModelID(len(cfg.Relays)), Log: log,
	})
	e, ok := errors.AsType[*dps.Error](err)
	switch {
	case ok && (e.Kind == dps.Unauthorized && e.Status == 401 || e.Kind == dps.NotEnrolled):
		return "", enroll.Refusal{Err: fmt.Errorf("HTTP %d, code %d (%s)", e.Status, e.Code, e.Message)}
	case ok && e.Kind.Passing():
		return "", fmt.Errorf("%w: %w", errLater, err)
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("its hub is %s, its device id %s", a.Hub, a.DeviceID), nil
}

// askHub asks over HTTPS, which ends nobody's session, or else logs in.
func (p *prover) askHub(ctx context.Context, cfg config.Config, log *slog.Logger) (string, error) {
	o := hub.Options{Port: cfg.Hub.Port, ClientType: agent(), Roots: cfg.Hub.CA.Pool(), Now: p.clock.Now, Log: log}
	id := hub.Identity{Host: cfg.Hub.Host, DeviceID: cfg.Hub.DeviceID, Gateway: cfg.Hub.Gateway, Key: cfg.Hub.Key}
	if cfg.Hub.Transport == config.TransportWebSocket {
		o.Port, o.WebPort = 0, cfg.Hub.Port
		id.Way = hub.WebSocket
	}
	err := hub.NewProbe(o, id).Knock(ctx)
	if err == nil {
		return "the hub knows it", nil
	}
	if e, ok := errors.AsType[*hub.Error](err); ok && e.Kind == hub.Refused {
		return "", refusedByHub(e)
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	fmt.Fprintf(p.out, "not over HTTPS (%v), so by a login, which ends another session of this device … ", err)
	if err := login(ctx, o, id); err != nil {
		return "", err
	}
	return "the hub let it in", nil
}

// refusedByHub tells a key that is wrong from a device that may not come in now.
func refusedByHub(e *hub.Error) error {
	switch e.Reply {
	case hub.DeviceDisabled, hub.QuotaExceeded, hub.WrongTier:
		return e
	}
	return enroll.Refusal{Err: e}
}

// login is one try of a session, which ends as soon as it stands.
func login(ctx context.Context, o hub.Options, id hub.Identity) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	o.Log = nil
	o.Accepted = func(hub.Identity) { cancel(errAccepted) }
	o.Identify = func(_ context.Context, t hub.Trouble) (hub.Identity, error) {
		if t.Failures > 0 {
			cancel(t.Err)
			return id, t.Err
		}
		return id, nil
	}
	events := make(chan hub.Event)
	ended := make(chan error, 1)
	go func() { ended <- hub.New(o).Run(ctx, events) }()
	for {
		select {
		case <-events:
		case err := <-ended:
			if err == nil {
				err = context.Cause(ctx)
			}
			return judgeLogin(err)
		}
	}
}

// errAccepted is the end of a session that stood.
var errAccepted = errors.New("accepted")

func judgeLogin(err error) error {
	e, ok := errors.AsType[*hub.Error](err)
	switch {
	case errors.Is(err, errAccepted):
		return nil
	case ok && e.Kind == hub.Refused:
		return enroll.Refusal{Err: err}
	case ok && e.Network():
		return fmt.Errorf("%w: %w", errLater, err)
	}
	return err
}
