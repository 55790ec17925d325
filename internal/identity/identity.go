// Package identity decides, before each attempt to connect, as whom the device
// connects and to which IoT hub.
//
// Either the configuration says so, or the Device Provisioning Service does.
// What DPS said is kept in the state directory and used until DPS says
// something else: DPS is asked when there is no assignment that fits the
// configuration, and when its hub has refused for long, and no oftener than
// the azure-iot contract, section 7.7, allows. Without a configured id the
// device is named after its MAC address, once and for all.
//
// It also decides how: with which of two keys, with the certificate that is in
// its files at that moment, and by which way. What worked is kept, too.
//
// An Identities is not safe for concurrent use; the hub's client owns it.
package identity

import (
	"cmp"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/spread"
	"tasmota-azd/internal/store"
	"tasmota-azd/internal/token"
)

// Options are the identity as it is configured.
type Options struct {
	// Hub is where to connect as whom. An empty DeviceID means the MAC address.
	// With DPS only DeviceID counts, as the default of the registration id.
	Hub hub.Identity
	// Secondary is a second key of the device, for when the hub refuses Hub.Key.
	Secondary token.Key
	// Certificate is used in place of any key, by the hub and by DPS.
	Certificate Certificate
	Transport   Transport
	// DPS names the hub if ScopeID is not empty. An empty RegistrationID means
	// Hub.DeviceID, or the MAC address without that.
	DPS dps.Options
	// Group says that DPS.Key is the key of an enrollment group, from which the
	// device's own key is derived. It is kept only until DPS has taken that one.
	Group bool

	Store *store.Store     // keeps the assignment, the MAC address, and what logins have taught
	Now   func() time.Time // the proven time, default time.Now
	Sys   fs.FS            // the network interfaces, default /sys/class/net
	Log   *slog.Logger     // default: none
}

// Identities tells the hub's client who the device is.
type Identities struct {
	hub   hub.Identity
	dps   dps.Options // its Key is the device's own once named is true
	group bool
	other token.Key // what DPS would take if Group were wrong; zero when that is known to be right
	named bool      // the id is settled
	store *store.Store
	sys   fs.FS
	now   func() time.Time
	log   *slog.Logger

	keys    ring
	cert    renewal
	route   route
	counted int // the failures that have been learned from
	memory  memory

	known *assignment // what DPS said, nil if that is not known or does not fit
	next  time.Time   // DPS is not asked again before
	turns *spread.Turns
}

// New returns the identities of o. It reads the state and asks nobody yet.
func New(o Options) *Identities {
	i := &Identities{
		hub:   o.Hub,
		dps:   o.DPS,
		group: o.Group,
		store: o.Store,
		sys:   o.Sys,
		now:   o.Now,
		log:   o.Log,
		keys:  newRing(o.Hub.Key, o.Secondary),
		route: newRoute(o.Transport),
		turns: new(spread.Turns),
	}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	if i.now == nil {
		i.now = time.Now
	}
	if i.sys == nil {
		i.sys = os.DirFS("/sys/class/net")
	}
	i.dps.Endpoint = cmp.Or(i.dps.Endpoint, dps.DefaultEndpoint)
	if i.dps.Log == nil {
		i.dps.Log = i.log
	}
	i.cert = renewal{Certificate: o.Certificate, now: i.now, log: i.log}
	i.dps.Certificate = o.Certificate.Certificate
	i.recallLogin()
	if id := i.configured(); id != "" {
		i.settle(id)
	}
	return i
}

// configured is the id the configuration gives the device, empty if none.
func (i *Identities) configured() string {
	if i.provisioned() {
		return cmp.Or(i.dps.RegistrationID, i.hub.DeviceID)
	}
	return i.hub.DeviceID
}

func (i *Identities) provisioned() bool { return i.dps.ScopeID != "" }

// settle names the device and makes its own key from that of the group.
func (i *Identities) settle(id string) {
	i.named = true
	i.turns.Of(id)
	if !i.provisioned() {
		i.hub.DeviceID = id
		return
	}
	i.dps.RegistrationID = id
	i.other = i.dps.Key.Derive(id)
	if i.group {
		i.dps.Key, i.other = i.other, i.dps.Key
	}
	i.keys = newRing(i.dps.Key)
	i.recall()
}

// Identify says as whom to connect where. It is asked before each attempt;
// t is how the attempts before have gone. It returns at once unless DPS has to
// be asked. As long as there is no assignment, or no adapter to be named
// after, it goes on trying; so the only error is the cause of ctx.
func (i *Identities) Identify(ctx context.Context, t hub.Trouble) (hub.Identity, error) {
	if err := i.name(ctx); err != nil {
		return hub.Identity{}, err
	}
	i.learn(t)
	i.dps.Certificate = i.cert.current()
	id := i.hub
	id.Key, id.Certificate, id.Way = i.keys.key(), i.dps.Certificate, i.route.next(i.now())
	if !i.provisioned() {
		return id, nil
	}
	if i.known == nil {
		if err := i.obtain(ctx); err != nil {
			return hub.Identity{}, err
		}
	} else if i.due(t) || i.renewed() {
		i.askAgain(ctx, t)
	}
	if ctx.Err() != nil {
		return hub.Identity{}, context.Cause(ctx)
	}
	id.Host, id.DeviceID = i.known.Hub, i.known.DeviceID
	return id, nil
}

// wait returns after d, or before with the cause of ctx.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
