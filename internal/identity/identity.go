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
	"tasmota-azd/internal/store"
	"tasmota-azd/internal/token"
)

// Options are the identity as it is configured.
type Options struct {
	// Hub is where to connect as whom. An empty DeviceID means the MAC address.
	// With DPS only DeviceID counts, as the default of the registration id.
	Hub hub.Identity
	// DPS names the hub if ScopeID is not empty. An empty RegistrationID means
	// Hub.DeviceID, or the MAC address without that.
	DPS dps.Options
	// Group says that DPS.Key is the key of an enrollment group. It is kept
	// only until the device's own key is derived from it.
	Group bool

	Store *store.Store // keeps the assignment and the MAC address
	Sys   fs.FS        // the network interfaces, default /sys/class/net
	Log   *slog.Logger // default: none
}

// Identities tells the hub's client who the device is.
type Identities struct {
	hub   hub.Identity
	dps   dps.Options // its Key is the device's own once named is true
	group bool
	named bool // the id is settled
	store *store.Store
	sys   fs.FS
	log   *slog.Logger

	known *assignment // what DPS said, nil if that is not known or does not fit
	next  time.Time   // DPS is not asked again before
}

// New returns the identities of o. It reads the state and asks nobody yet.
func New(o Options) *Identities {
	i := &Identities{
		hub:   o.Hub,
		dps:   o.DPS,
		group: o.Group,
		store: o.Store,
		sys:   o.Sys,
		log:   o.Log,
	}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	if i.sys == nil {
		i.sys = os.DirFS("/sys/class/net")
	}
	i.dps.Endpoint = cmp.Or(i.dps.Endpoint, dps.DefaultEndpoint)
	if i.dps.Log == nil {
		i.dps.Log = i.log
	}
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

// settle names the device and makes its own key from that of the group, which
// is forgotten.
func (i *Identities) settle(id string) {
	i.named = true
	if !i.provisioned() {
		i.hub.DeviceID = id
		return
	}
	i.dps.RegistrationID = id
	if i.group {
		i.dps.Key = i.dps.Key.Derive(id)
	}
	i.hub.Key = token.Key{}
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
	if !i.provisioned() {
		return i.hub, nil
	}
	if i.known == nil {
		if err := i.obtain(ctx); err != nil {
			return hub.Identity{}, err
		}
	} else if i.due(t) {
		i.askAgain(ctx, t)
	}
	if ctx.Err() != nil {
		return hub.Identity{}, context.Cause(ctx)
	}
	return hub.Identity{Host: i.known.Hub, DeviceID: i.known.DeviceID, Key: i.dps.Key}, nil
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
