package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/hub"
)

var networkChecks = []Check{
	{Name: "network", Group: "network", What: "an interface is up and has an address", Needs: []string{"file"}, Remedy: "ip address; nmcli device (or raspi-config for Wi-Fi)", run: (*patient).network},
	{Name: "name-server", Group: "network", What: "a name server answers", Needs: []string{"file", "network"}, After: []string{"proxy"}, Within: 12 * time.Second,
		Remedy: "resolvectl status; cat /etc/resolv.conf", run: (*patient).nameServer},
	{Name: "proxy", Group: "network", What: "the HTTP proxy of the environment leads out", Needs: []string{"file", "network"}, After: []string{"unit"}, Within: 10 * time.Second,
		Remedy: "correct HTTPS_PROXY: sudo systemctl edit tasmota-azd", run: (*patient).proxy},
	{Name: "roots", Group: "network", What: "there is somebody to trust: the system's root certificates, or a ca_file", Needs: []string{"file"},
		Remedy: "sudo apt install ca-certificates", run: (*patient).roots},
}

var portChecks = []Check{
	{Name: "hub-name", Group: "hub", What: "the hub has an address", Needs: []string{"name-server", "assignment"}, Within: 12 * time.Second,
		Remedy: "correct hub.host, as the portal shows it: sudoedit CONFIG", run: (*patient).hubName},
	{Name: "mqtt-port", Group: "hub", What: "the hub is reached on the port for MQTT, 8883", Needs: []string{"hub-name"}, Within: 8 * time.Second,
		Remedy: "let outgoing TCP through to that port in the firewall", run: (*patient).mqttPort},
	{Name: "https-port", Group: "hub", What: "the hub is reached on port 443, for WebSocket and HTTPS", Needs: []string{"hub-name", "proxy"}, Within: 8 * time.Second,
		Remedy: "let outgoing TCP through to port 443 in the firewall", run: (*patient).httpsPort},
}

func (p *patient) network(context.Context) Finding {
	if name := p.anyName(); name == "localhost" || net.ParseIP(name).IsLoopback() {
		return skip("the hub is on this machine")
	}
	list, err := net.Interfaces()
	if err != nil {
		return skip(err.Error())
	}
	var up []string
	for _, i := range list {
		addresses, err := i.Addrs()
		if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagUp == 0 || err != nil {
			continue
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				up = append(up, i.Name+" "+n.IP.String())
			}
		}
	}
	if up == nil {
		return fault("no interface is up and has an address", "")
	}
	return ok(strings.Join(up, ", "))
}

// resolve asks the name server once for each name.
func (p *patient) resolve(ctx context.Context, host string) lookup {
	p.lookups.mu.Lock()
	defer p.lookups.mu.Unlock()
	known, found := p.lookups.known[host]
	if !found {
		known.addresses, known.err = net.DefaultResolver.LookupHost(ctx, host)
		if p.lookups.known == nil {
			p.lookups.known = make(map[string]lookup)
		}
		p.lookups.known[host] = known
	}
	return known
}

// nameServer judges whether there is an answer, of whatever kind.
func (p *patient) nameServer(ctx context.Context) Finding {
	host := p.anyName()
	if net.ParseIP(host) != nil {
		return skip("no name is to be looked up")
	}
	l := p.resolve(ctx, host)
	e, ok1 := errors.AsType[*net.DNSError](l.err)
	switch {
	case ok1 && !e.IsNotFound && p.proxied:
		return skip("none answers, and the proxy looks names up")
	case ok1 && !e.IsNotFound:
		p.nameless = true
		return fault("no answer from "+cmp.Or(e.Server, "any")+" about "+host+": "+e.Err, "")
	}
	return ok("it answers")
}

// anyName is a name that has to be looked up anyway.
func (p *patient) anyName() string {
	if p.cfg.DPS.ScopeID != "" {
		host, _ := endpoint(p.cfg.DPS.Endpoint)
		return host
	}
	return cmp.Or(p.cfg.Hub.Gateway, p.cfg.Hub.Host)
}

func (p *patient) hubName(ctx context.Context) Finding {
	return p.named(ctx, cmp.Or(p.who.Hub.Gateway, p.who.Hub.Host))
}

// named judges what the name server says about a name.
func (p *patient) named(ctx context.Context, host string) Finding {
	l := p.resolve(ctx, host)
	switch {
	case l.err != nil && p.proxied:
		return skip("not known here: the proxy looks it up")
	case l.err != nil:
		return fault("there is no "+host+": "+plainDNS(l.err), "")
	}
	if net.ParseIP(host) != nil {
		return ok(host)
	}
	return ok(host + " is " + strings.Join(l.addresses, ", "))
}

func plainDNS(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.Err
	}
	return err.Error()
}

// proxy tries the proxy with the first name that is asked by HTTPS.
func (p *patient) proxy(ctx context.Context) Finding {
	host := p.anyName()
	u, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: host}})
	switch {
	case err != nil: // it may quote a password
		return fault("HTTPS_PROXY is not an address like http://proxy:3128", "")
	case u == nil && !isAddress(cmp.Or(os.Getenv("HTTPS_PROXY"), os.Getenv("https_proxy"))):
		return warn("HTTPS_PROXY is not an address like http://proxy:3128, so no proxy is used", "")
	case u == nil:
		return skip("there is none in the environment")
	}
	_, port := endpoint(p.cfg.DPS.Endpoint)
	if !p.withDPS() {
		port = p.webPort()
	}
	if err := hub.NewProbe(hub.Options{WebPort: port, Roots: p.cfg.Hub.CA.Pool()}, hub.Identity{Host: host}).Reach(ctx, hub.WebSocket); err != nil {
		return fault(err.Error(), "")
	}
	p.proxied = true
	return ok(u.Host + " leads to " + host)
}

// isAddress reports whether a text is one of a proxy, or empty.
func isAddress(text string) bool {
	_, err := url.Parse(text)
	return err == nil
}

// webPort is the port of WebSocket and HTTPS.
func (p *patient) webPort() int {
	if p.cfg.Hub.Transport == config.TransportWebSocket {
		return p.cfg.Hub.Port
	}
	return 443
}

// newProbe makes the probe of the way to the hub.
func (p *patient) newProbe(id hub.Identity) *hub.Probe {
	return hub.NewProbe(hub.Options{
		Port: p.cfg.Hub.Port, WebPort: p.webPort(), Roots: p.cfg.Hub.CA.Pool(), Now: func() time.Time { return p.now() },
	}, id)
}

func (p *patient) mqttPort(ctx context.Context) Finding {
	if p.cfg.Hub.Transport == config.TransportWebSocket {
		return skip("hub.transport is websocket")
	}
	err := p.probe.Reach(ctx, hub.Direct)
	p.direct = err == nil
	switch {
	case err == nil:
		return ok(fmt.Sprintf("port %d is open", p.cfg.Hub.Port))
	case p.cfg.Hub.Transport == config.TransportAuto && p.cfg.Hub.Gateway == "":
		return warn(err.Error()+" (the daemon tries WebSocket on port 443 as well)", "")
	}
	return fault(err.Error(), "")
}

// httpsPort is needed by a hub that is spoken to by WebSocket, and else only nice to have.
func (p *patient) httpsPort(ctx context.Context) Finding {
	if p.cfg.Hub.Gateway != "" {
		return skip("a gateway stands in between")
	}
	err := p.probe.Reach(ctx, hub.WebSocket)
	switch {
	case err == nil:
		return ok("the port is open")
	case p.cfg.Hub.Transport == config.TransportWebSocket:
		return fault(err.Error(), "")
	}
	f := warn(err.Error()+" (the daemon works without, and has no other way then)", "")
	f.blocks = true
	return f
}

// endpoint parts host and port of DPS.
func endpoint(text string) (host string, port int) {
	host, number, err := net.SplitHostPort(text)
	if err != nil {
		return text, 443
	}
	port, _ = strconv.Atoi(number) // checked by config
	return host, port
}

// adoptProxy takes over what the unit says about a proxy, for the daemon goes by that.
func adoptProxy(u unit) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
		if value := u.environment(name); value != "" && os.Getenv(name) == "" {
			os.Setenv(name, value)
		}
	}
}
