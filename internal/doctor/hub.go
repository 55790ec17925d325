package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tasmota-azd/internal/hub"
)

var hubChecks = []Check{
	{Name: "login", Group: "login", What: "the hub would let the device in", Needs: []string{"clock", "roots", "hub-name"}, After: []string{"tls-https", "daemon"}, Within: 20 * time.Second,
		Remedy: "compare with: az iot hub device-identity show --hub-name HUB --device-id ID", run: (*patient).login},
	{Name: "secondary-key", Group: "login", What: "the hub takes the secondary key as well", Needs: []string{"login"}, Within: 20 * time.Second,
		Remedy: "copy the secondary key anew from the portal into hub.secondary_key_file", run: (*patient).secondary},
	{Name: "session", Group: "login", What: "the daemon that runs is connected", Needs: []string{"login"}, After: []string{"second-device"},
		Remedy: "journalctl -u tasmota-azd -e", run: (*patient).session},
	{Name: "second-device", Group: "login", What: "no other device uses this id", Needs: []string{"login"},
		Remedy: "find the other one (the hub's log says ConnectionForcefullyClosedOnNewConnection), and give each device an id and a key of its own", run: (*patient).rival},
	{Name: "tier", Group: "login", What: "the hub's tier has messages to devices", Needs: []string{"login"},
		Remedy: "az iot hub update --name HUB --sku S1", run: (*patient).tier},
	{Name: "quota", Group: "login", What: "there are messages left for today", Needs: []string{"login"},
		Remedy: "wait for 00:00 UTC, or: az iot hub update --name HUB --sku S1 --unit 2; a longer telemetry.period spends less", run: (*patient).quota},
}

// login asks the hub over HTTPS, which ends no session and touches no message. Where that
// cannot be, a session that stands is proof.
func (p *patient) login(ctx context.Context) Finding {
	connected := p.daemon != nil && p.daemon.Session.Connected
	if p.chains[1] == nil {
		if connected {
			return ok("the daemon is connected to " + p.daemon.Session.Host)
		}
		return skip("not tried, because the hub cannot be asked over HTTPS, and a login over MQTT would end the session of whoever has it")
	}
	if p.sealed != "" {
		return unknown(p.sealed)
	}
	p.knocked = true
	p.knock = p.probe.Knock(ctx)
	e, ok1 := errors.AsType[*hub.Error](p.knock)
	switch {
	case p.knock == nil, ok1 && (e.Reply == hub.QuotaExceeded || e.Reply == hub.WrongTier):
		return ok(fmt.Sprintf("%s would let %s in", p.who.Hub.Host, p.who.Hub.DeviceID))
	case ok1 && connected && e.Kind == hub.Refused:
		return fault("a session stands, and the next login would be refused: "+e.Error(), p.admission(e))
	case ok1:
		return fault(e.Error(), p.admission(e))
	}
	return fault(p.knock.Error(), "")
}

// admission is what to do about a refusal.
func (p *patient) admission(e *hub.Error) string {
	id := p.who.Hub.DeviceID
	switch {
	case e.Kind != hub.Refused:
		return "try again in a minute; https://azure.status.microsoft"
	case e.Reply == hub.DeviceDisabled:
		return fmt.Sprintf("az iot hub device-identity update --hub-name HUB --device-id %s --status enabled", id)
	case e.Reply == hub.UnknownDevice:
		return fmt.Sprintf("az iot hub device-identity create --hub-name HUB --device-id %s", id)
	case e.Reply == hub.Unauthorized:
		return fmt.Sprintf("compare with: az iot hub device-identity show --hub-name HUB --device-id %s", id)
	}
	return "look at Networking of the hub in the portal"
}

func (p *patient) secondary(ctx context.Context) Finding {
	if p.who.Secondary.Host == "" {
		return skip("none is configured")
	}
	if !p.knocked {
		return skip("not tried, because the hub cannot be asked over HTTPS")
	}
	err := p.newProbe(p.who.Secondary).Knock(ctx)
	if e, refused := errors.AsType[*hub.Error](err); refused && e.Reply == hub.Unauthorized {
		return warn("the hub does not take it", "")
	}
	return ok("it is taken")
}

// settled is how long a daemon may have been without a session before that is a fault.
const settled = 20 * time.Second

func (p *patient) session(context.Context) Finding {
	switch {
	case p.daemon == nil:
		return skip("no daemon was asked")
	case p.daemon.Session.Rival:
		return skip("another device ends it, again and again")
	case p.daemon.Session.Connected:
		return ok("since " + p.daemon.Session.Since.UTC().Format(time.DateTime) + " UTC")
	case time.Since(p.daemon.Session.Since) < settled:
		return skip("it is on its way: " + p.daemon.Session.Why)
	}
	return fault("it is not: "+p.daemon.Session.Why, "")
}

func (p *patient) rival(context.Context) Finding {
	switch {
	case p.daemon == nil:
		return skip("only a running daemon sees that its sessions are cut short")
	case p.daemon.Session.Rival:
		return fault("sessions are cut short, one after the other, as by a second client with the same id", "")
	}
	return ok("no session was cut short again and again")
}

func (p *patient) tier(context.Context) Finding {
	if !p.knocked {
		return skip("the hub cannot be asked over HTTPS")
	}
	if e, refused := errors.AsType[*hub.Error](p.knock); refused && e.Reply == hub.WrongTier {
		return fault(e.Error(), "")
	}
	return ok("free or standard")
}

func (p *patient) quota(context.Context) Finding {
	if e, refused := errors.AsType[*hub.Error](p.knock); refused && e.Reply == hub.QuotaExceeded {
		return fault(e.Error(), "")
	}
	d := p.daemon
	switch {
	case (d == nil || d.Limit == 0) && !p.knocked:
		return skip("the hub cannot be asked over HTTPS")
	case d == nil || d.Limit == 0:
		return ok("the hub does not say that they are used up")
	}
	found := fmt.Sprintf("%d of %d (telemetry.daily_limit) are spent", d.Spent.Messages, d.Limit)
	if d.Spent.Messages*100 >= d.Limit*80 {
		return warn(found, "")
	}
	return ok(found)
}
