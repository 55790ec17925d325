package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"tasmota-azd/internal/clock"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/identity"
	"tasmota-azd/internal/store"
	"tasmota-azd/internal/twin"
)

// errAnew is why there is no session for a moment when a reload has changed the hub.
var errAnew = errors.New("the configuration says now how to connect otherwise")

// An uplink is the way to the hub: one client after the other, as reloads want it. What
// has not been sent goes on from one to the next.
type uplink struct {
	store *store.Store
	clock *clock.Clock
	log   *slog.Logger

	ids       atomic.Pointer[identity.Identities]
	fullTopic atomic.Pointer[string]
	model     atomic.Pointer[string]
	client    atomic.Pointer[hub.Client]

	mu   sync.Mutex
	next *hub.Client        // takes the place of the client when its run has ended
	stop context.CancelFunc // ends the run of the client; nil: it has not begun
}

// newUplink makes the first client, and what tells it who and where it is.
func newUplink(cfg config.Config, st *store.Store, clk *clock.Clock, log *slog.Logger) *uplink {
	u := &uplink{store: st, clock: clk, log: log}
	u.ids.Store(u.identities(cfg))
	u.announce(cfg)
	u.client.Store(hub.New(u.options(cfg)))
	return u
}

// now is the client that runs.
func (u *uplink) now() *hub.Client { return u.client.Load() }

// Run keeps the device connected until ctx ends.
func (u *uplink) Run(ctx context.Context, events chan<- hub.Event) error {
	for {
		one, stop := context.WithCancel(ctx)
		err := u.begin(stop).Run(one, events)
		stop()
		if err != nil || ctx.Err() != nil {
			return err
		}
		select {
		case events <- hub.Disconnected{Err: errAnew}:
		case <-ctx.Done():
			return nil
		}
	}
}

// begin returns the client whose turn it is. stop ends its run.
func (u *uplink) begin(stop context.CancelFunc) *hub.Client {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.next != nil {
		u.client.Store(u.next)
		u.next = nil
	}
	u.stop = stop
	return u.now()
}

// change makes the uplink that of another configuration. A session that would be the
// same today is left alone. Where only the key, the certificate or the topic of the
// will is another, the next session follows on it in good order, as for a new token.
func (u *uplink) change(old, cfg config.Config) {
	u.announce(cfg)
	same := sameWay(old, cfg)
	if same && sameLogin(old, cfg) {
		u.now().Renew() // looks at the will
		return
	}
	u.ids.Store(u.identities(cfg))
	if same && u.now().Connected() {
		u.log.Info("the session goes over to the new login")
		u.now().Renew()
		return
	}
	u.log.Info("connecting anew, as the configuration says now")
	u.mu.Lock()
	defer u.mu.Unlock()
	u.next = u.now().After(u.options(cfg))
	if u.stop != nil {
		u.stop()
	}
}

// announce takes what a session says of the device when it begins.
func (u *uplink) announce(cfg config.Config) {
	u.fullTopic.Store(&cfg.Telemetry.FullTopic)
	u.model.Store(new(twin.ModelID(len(cfg.Relays))))
}

// sameWay reports whether both configurations lead to the same device at the same hub,
// and in the same way, whatever the key.
func sameWay(a, b config.Config) bool {
	x, y := a.Hub, b.Hub
	return x.Host == y.Host && x.Gateway == y.Gateway && x.Port == y.Port && x.Transport == y.Transport && x.DeviceID == y.DeviceID &&
		x.TokenTTL == y.TokenTTL && x.KeepAlive == y.KeepAlive && x.CA.Equal(y.CA) &&
		a.DPS.ScopeID == b.DPS.ScopeID && a.DPS.Endpoint == b.DPS.Endpoint && a.DPS.RegistrationID == b.DPS.RegistrationID &&
		a.DPS.CA.Equal(b.DPS.CA)
}

// sameLogin reports whether the device proves in the same way who it is.
func sameLogin(a, b config.Config) bool {
	same := func(x, y config.Certificate) bool {
		return x.Equal(y.Certificate) && x.File == y.File && x.KeyFile == y.KeyFile
	}
	return a.Hub.Key.Equal(b.Hub.Key) && a.Hub.Secondary.Equal(b.Hub.Secondary) && same(a.Hub.Cert, b.Hub.Cert) &&
		a.DPS.Key.Equal(b.DPS.Key) && a.DPS.KeyKind == b.DPS.KeyKind && same(a.DPS.Cert, b.DPS.Cert)
}

// sameDevice reports whether both configurations name the same queue of messages.
func sameDevice(a, b config.Config) bool {
	return a.Hub.Host == b.Hub.Host && a.Hub.DeviceID == b.Hub.DeviceID &&
		a.DPS.ScopeID == b.DPS.ScopeID && a.DPS.Endpoint == b.DPS.Endpoint && a.DPS.RegistrationID == b.DPS.RegistrationID
}

// agent is how the daemon calls itself to DPS and hub.
func agent() string {
	return fmt.Sprintf("tasmota-azd/%s (%s; %s)", version, runtime.GOOS, runtime.GOARCH)
}

var transports = map[config.Transport]identity.Transport{
	config.TransportAuto: identity.Auto, config.TransportMQTT: identity.MQTT, config.TransportWebSocket: identity.WebSocket,
}

// identityCertificate is that of the device, for DPS and hub alike.
func identityCertificate(cfg config.Config) identity.Certificate {
	if !cfg.DPS.Cert.IsZero() {
		return identity.Certificate(cfg.DPS.Cert)
	}
	return identity.Certificate(cfg.Hub.Cert)
}

func (u *uplink) identities(cfg config.Config) *identity.Identities {
	return identity.New(identity.Options{
		Hub:         hub.Identity{Host: cfg.Hub.Host, DeviceID: cfg.Hub.DeviceID, Gateway: cfg.Hub.Gateway, Key: cfg.Hub.Key},
		Secondary:   cfg.Hub.Secondary,
		Certificate: identityCertificate(cfg),
		Transport:   transports[cfg.Hub.Transport],
		DPS: dps.Options{
			Endpoint: cfg.DPS.Endpoint, ScopeID: cfg.DPS.ScopeID, RegistrationID: cfg.DPS.RegistrationID,
			Key: cfg.DPS.Key, Roots: cfg.DPS.CA.Pool(), Now: u.clock.Now, UserAgent: agent(), ModelID: twin.ModelID(len(cfg.Relays)),
			Log: u.log.With("part", "dps"),
		},
		Group: cfg.DPS.KeyKind == config.Group,
		Store: u.store,
		Now:   u.clock.Now,
		Log:   u.log.With("part", "identity"),
	})
}

func (u *uplink) options(cfg config.Config) hub.Options {
	port, webPort := cfg.Hub.Port, 0
	if cfg.Hub.Transport == config.TransportWebSocket {
		port, webPort = 0, port
	}
	return hub.Options{
		Identify: func(ctx context.Context, t hub.Trouble) (hub.Identity, error) { return u.ids.Load().Identify(ctx, t) },
		Accepted: func(id hub.Identity) { u.ids.Load().Accepted(id) },
		Port:     port, WebPort: webPort,
		TokenTTL: cfg.Hub.TokenTTL, KeepAlive: cfg.Hub.KeepAlive, ClientType: agent(),
		ModelID: func() string { return *u.model.Load() },
		Roots:   cfg.Hub.CA.Pool(), Now: u.clock.Now,
		Will: func(deviceID string) hub.Telemetry { return device.Will(*u.fullTopic.Load(), deviceID) },
		Log:  u.log.With("part", "hub"),
	}
}

// What the device has to say goes to the client that runs.

func (u *uplink) Send(t hub.Telemetry)                         { u.now().Send(t) }
func (u *uplink) Ack(m hub.Message)                            { u.now().Ack(m) }
func (u *uplink) Answer(m hub.Method, status int, body []byte) { u.now().Answer(m, status, body) }
func (u *uplink) Progress() (oldest uint64, dropped int)       { return u.now().Progress() }
func (u *uplink) Progressed() <-chan struct{}                  { return u.now().Progressed() }
func (u *uplink) Report(patch []byte)                          { u.now().Report(patch) }
