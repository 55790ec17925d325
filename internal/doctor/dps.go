package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/identity"
)

var dpsChecks = []Check{
	{Name: "identity", Group: "dps", What: "the device has an id, and what is known of its hub", Needs: []string{"file"},
		Remedy: "set hub.device_id: sudoedit CONFIG", run: (*patient).identity},
	{Name: "dps-name", Group: "dps", What: "DPS has an address", Needs: []string{"name-server"}, Within: 12 * time.Second,
		Remedy: "correct dps.endpoint: sudoedit CONFIG", off: withoutDPS, run: (*patient).dpsName},
	{Name: "dps-port", Group: "dps", What: "DPS is reached on port 443", Needs: []string{"dps-name", "proxy"}, Within: 8 * time.Second,
		Remedy: "let outgoing TCP through to port 443 in the firewall", off: withoutDPS, run: (*patient).dpsPort},
	{Name: "dps-tls", Group: "dps", What: "DPS proves who it is, and nobody stands in between", Needs: []string{"dps-port", "roots", "clock"}, Within: 12 * time.Second,
		Remedy: "sudo update-ca-certificates, or name the issuer's certificate in dps.ca_file if it is yours", off: withoutDPS, run: (*patient).dpsTLS},
	{Name: "dps-key", Group: "dps", What: "DPS takes the key, and as the kind that is configured", Needs: []string{"dps-tls", "identity"}, Within: 20 * time.Second, off: withoutDPS,
		Remedy: "compare key, dps.key_kind and dps.scope_id with the portal: sudoedit CONFIG", run: (*patient).dpsKey},
	{Name: "assignment", Group: "dps", What: "DPS has given the device a hub, or would", Needs: []string{"identity", "dps-key"}, After: []string{"daemon"}, Within: 25 * time.Second,
		Remedy: "enable the enrollment, and link a hub to it, in the portal", run: (*patient).assignment},
}

// options are the identity as it is configured.
func (p *patient) options() identity.Options {
	return identity.Options{
		Hub:         hub.Identity{Host: p.cfg.Hub.Host, DeviceID: p.cfg.Hub.DeviceID, Gateway: p.cfg.Hub.Gateway, Key: p.cfg.Hub.Key},
		Secondary:   p.cfg.Hub.Secondary,
		Certificate: p.certificateOf(),
		DPS: dps.Options{
			Endpoint: p.cfg.DPS.Endpoint, ScopeID: p.cfg.DPS.ScopeID, RegistrationID: p.cfg.DPS.RegistrationID,
			Key: p.cfg.DPS.Key, Roots: p.cfg.DPS.CA.Pool(), Now: func() time.Time { return p.now() }, Log: p.o.Log,
		},
		Group: p.cfg.DPS.KeyKind == "group",
	}
}

func (p *patient) certificateOf() identity.Certificate {
	if !p.cfg.DPS.Cert.IsZero() {
		return identity.Certificate(p.cfg.DPS.Cert)
	}
	return identity.Certificate(p.cfg.Hub.Cert)
}

func (p *patient) identity(context.Context) Finding {
	who, err := identity.Look(p.options(), p.o.StateDir(p.cfg))
	p.who = who
	if errors.Is(err, fs.ErrPermission) {
		if who.Hub.DeviceID == "" && p.cfg.DPS.ScopeID == "" || p.cfg.DPS.ScopeID != "" && who.DPS.RegistrationID == "" {
			return unknown("the state may not be read by this user; run this with sudo")
		}
		err = nil
	}
	if err != nil {
		return fault(err.Error(), "")
	}
	if p.cfg.DPS.ScopeID == "" {
		return ok(fmt.Sprintf("%s at %s", who.Hub.DeviceID, who.Hub.Host))
	}
	if who.Hub.Host != "" {
		return ok(fmt.Sprintf("%s; DPS said: %s at %s", who.DPS.RegistrationID, who.Hub.DeviceID, who.Hub.Host))
	}
	return ok(fmt.Sprintf("%s; DPS has not been heard yet", who.DPS.RegistrationID))
}

func (p *patient) withDPS() bool { return p.cfg.DPS.ScopeID != "" }

func withoutDPS(p *patient) string {
	if p.withDPS() {
		return ""
	}
	return "DPS is not used"
}

func (p *patient) dpsName(ctx context.Context) Finding {
	host, _ := endpoint(p.cfg.DPS.Endpoint)
	return p.named(ctx, host)
}

func (p *patient) dpsProbe() *hub.Probe {
	host, port := endpoint(p.cfg.DPS.Endpoint)
	return hub.NewProbe(hub.Options{WebPort: port, Roots: p.cfg.DPS.CA.Pool(), Now: func() time.Time { return p.now() }}, hub.Identity{Host: host})
}

func (p *patient) dpsPort(ctx context.Context) Finding {
	if err := p.dpsProbe().Reach(ctx, hub.WebSocket); err != nil {
		return fault(err.Error(), "")
	}
	return ok("the port is open")
}

func (p *patient) dpsTLS(ctx context.Context) Finding {
	state, err := p.dpsProbe().Greet(ctx, hub.WebSocket)
	if err != nil {
		return fault(err.Error(), "")
	}
	host, _ := endpoint(p.cfg.DPS.Endpoint)
	f := judgeRoot(host, p.cfg.DPS.CA, state.VerifiedChains)
	if f.Outcome == Fault {
		f.Remedy = "exempt DPS from TLS inspection in the proxy or firewall"
	}
	return f
}

func (p *patient) dpsKey(ctx context.Context) Finding {
	if p.sealed != "" {
		return unknown(p.sealed)
	}
	err := dps.Prove(ctx, p.who.DPS)
	if err == nil {
		return ok(fmt.Sprintf("taken for %s", p.who.DPS.RegistrationID))
	}
	e, refused := errors.AsType[*dps.Error](err)
	if refused && e.Status == http.StatusUnauthorized && p.who.DPS.Certificate.IsZero() {
		e.OtherKind = p.who.OtherKind(ctx, p.options())
	}
	if refused {
		return fault(e.What(), e.Remedy())
	}
	return fault(err.Error(), "")
}

// assignment finds out which hub it is. Without a daemon it asks DPS, as the first start
// would: registering again what was never registered moves nothing.
func (p *patient) assignment(ctx context.Context) Finding {
	switch {
	case p.withDPS() && p.who.Hub.Host == "" && p.daemon != nil && p.daemon.Session.Host != "":
		p.who.Hub.Host, p.who.Hub.DeviceID = p.daemon.Session.Host, p.daemon.Device
	case p.withDPS() && p.who.Hub.Host == "" && p.daemon != nil:
		return unknown("the daemon is asking DPS")
	case p.withDPS() && p.who.Hub.Host == "":
		a, err := dps.Register(ctx, p.who.DPS)
		if e, refused := errors.AsType[*dps.Error](err); refused {
			return fault(e.What(), e.Remedy())
		}
		if err != nil {
			return fault("DPS does not decide: "+err.Error(), "")
		}
		p.who.Hub.Host, p.who.Hub.DeviceID = a.Hub, a.DeviceID
	}
	p.probe = p.newProbe(p.who.Hub)
	if !p.withDPS() {
		return skip("DPS is not used")
	}
	return ok(fmt.Sprintf("%s at %s", p.who.Hub.DeviceID, p.who.Hub.Host))
}
