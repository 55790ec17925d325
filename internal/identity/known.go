package identity

import (
	"cmp"
	"context"
	"log/slog"
	"os"

	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/store"
)

// A Known is as whom a device would connect, as far as that is known without asking.
type Known struct {
	Hub       hub.Identity // without a Host if only DPS can say it
	Secondary hub.Identity // the same with the other key, zero without one
	DPS       dps.Options  // with the device's own key; without a ScopeID if DPS is not used
}

// Look returns what an Identities of the same options would begin with. It reads what
// earlier runs have kept in the state directory, takes no lock there and changes nothing,
// so it may be called while a daemon runs. The Store of o does not count.
func Look(o Options, dir string) (Known, error) {
	i := &Identities{hub: o.Hub, dps: o.DPS, group: o.Group, sys: o.Sys, log: slog.New(slog.DiscardHandler)}
	i.dps.Certificate = o.Certificate.Certificate
	i.dps.Endpoint = cmp.Or(i.dps.Endpoint, dps.DefaultEndpoint)
	if i.sys == nil {
		i.sys = os.DirFS("/sys/class/net")
	}
	id, err := i.look(dir)
	if err != nil {
		return Known{}, err
	}
	k := Known{Hub: o.Hub, DPS: i.dps}
	k.Hub.Certificate = i.dps.Certificate
	if !i.provisioned() {
		k.Hub.DeviceID = id
		if !o.Secondary.IsZero() {
			k.Secondary = k.Hub
			k.Secondary.Key = o.Secondary
		}
		return k, nil
	}
	k.DPS.RegistrationID = id
	if o.Group {
		k.DPS.Key = o.DPS.Key.Derive(id)
	}
	i.dps = k.DPS
	k.Hub.Key, k.Hub.DeviceID = k.DPS.Key, ""
	var a assignment
	version, err := store.Peek(dir, assignmentFile, &a)
	if version > 0 && a.answers(i.question()) {
		k.Hub.Host, k.Hub.DeviceID = a.Hub, a.DeviceID
	}
	return k, err
}

// look is the id of the device.
func (i *Identities) look(dir string) (string, error) {
	if id := i.configured(); id != "" {
		return id, nil
	}
	var kept keptID
	if _, err := store.Peek(dir, idFile, &kept); err != nil {
		return "", err
	}
	if kept.ID != "" {
		return kept.ID, nil
	}
	list, err := adapters(i.sys)
	if err != nil {
		return "", err
	}
	a, ok := choose(list)
	if !ok {
		return "", errNoAdapter
	}
	return a.mac, nil
}

// OtherKind finds out which dps.key_kind a key would fit that DPS refuses: "group",
// "individual", or empty for none. configured is the key as it is written.
func (k Known) OtherKind(ctx context.Context, o Options) string {
	other, kind := o.DPS.Key, "individual"
	if !o.Group {
		other, kind = o.DPS.Key.Derive(k.DPS.RegistrationID), "group"
	}
	try := k.DPS
	try.Key = other
	if dps.Fits(ctx, try) {
		return kind
	}
	return ""
}
