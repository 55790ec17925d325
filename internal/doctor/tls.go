package doctor

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/hub"
)

var tlsChecks = []Check{
	{Name: "tls", Group: "tls", What: "the hub proves on the port for MQTT who it is", Needs: []string{"roots", "clock", "mqtt-port"}, Within: 12 * time.Second,
		Remedy: "sudo update-ca-certificates, or name the issuer's certificate in hub.ca_file if it is yours", run: (*patient).tlsDirect},
	{Name: "tls-https", Group: "tls", What: "the hub proves on port 443 who it is", Needs: []string{"roots", "clock", "https-port"}, Within: 12 * time.Second,
		Remedy: "exempt the hub from TLS inspection in the proxy or firewall, or set hub.transport: mqtt", run: (*patient).tlsWeb},
	{Name: "tls-days", Group: "tls", What: "the certificates that the hub shows count for two weeks at least", Needs: []string{"tls"}, After: []string{"tls-https"},
		Remedy: "have the certificate of the gateway or hub renewed", run: (*patient).tlsDays},
	{Name: "interception", Group: "tls", What: "nobody stands in between: a hub of Azure shows a certificate of Azure's public roots", Needs: []string{"tls"}, After: []string{"tls-https"},
		Remedy: "exempt the hub from TLS inspection in the proxy or firewall", run: (*patient).interception},
}

// azureRoots are the SHA-256 fingerprints of the roots that certificates of Azure's hubs
// end at (contract, section 8.4).
var azureRoots = map[string]string{
	"cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f": "DigiCert Global Root G2",
	"31ad6648f8104138c738f39ea4320133393e3a18cc02296ef97c2ac9ef6731d0": "DigiCert Global Root G3",
	"c741f70f4b2a8d88bf2e71c14122ef53ef10eba0cfa5e64cfa20f418853073e0": "Microsoft RSA Root Certificate Authority 2017",
	"358df39d764af9e1b766e9c972df352ee15cfac227af6ad1d70e8e4a6edcba02": "Microsoft ECC Root Certificate Authority 2017",
	// Sovereign clouds moved later.
	"4348a0e9444c78cb265e058d5e8944b4d84f9662bd26db257f8934a443c70161": "DigiCert Global Root CA",
}

func (p *patient) roots(context.Context) Finding {
	own := len(p.cfg.Hub.CA)
	if system, err := x509.SystemCertPool(); err == nil && !system.Equal(x509.NewCertPool()) {
		return ok(fmt.Sprintf("the system's, and %d of hub.ca_file", own))
	}
	if own > 0 && (p.cfg.DPS.ScopeID == "" || len(p.cfg.DPS.CA) > 0) {
		return ok(fmt.Sprintf("%d of ca_file; the system has none", own))
	}
	return fault("the system has no root certificates", "")
}

func (p *patient) tlsDirect(ctx context.Context) Finding {
	if !p.direct {
		return skip("the port for MQTT is not used")
	}
	return p.greet(ctx, 0, hub.Direct)
}

func (p *patient) tlsWeb(ctx context.Context) Finding {
	if p.cfg.Hub.Gateway != "" {
		return skip("a gateway stands in between")
	}
	f := p.greet(ctx, 1, hub.WebSocket)
	if f.Outcome == Fault && p.cfg.Hub.Transport == config.TransportMQTT {
		f.Outcome, f.blocks = Warning, true
	}
	return f
}

func (p *patient) greet(ctx context.Context, n int, w hub.Way) Finding {
	state, err := p.probe.Greet(ctx, w)
	if err != nil {
		return fault(err.Error(), "")
	}
	p.chains[n] = &state
	leaf := state.PeerCertificates[0]
	return ok(fmt.Sprintf("%s, %s, issued by %s", tls.VersionName(state.Version), leaf.Subject.CommonName, leaf.Issuer.CommonName))
}

// tlsDays looks at what is shown; whoever sends it has to renew it.
func (p *patient) tlsDays(context.Context) Finding {
	var first time.Time
	for _, state := range p.chains {
		if state == nil {
			continue
		}
		for _, c := range state.VerifiedChains[0] {
			if first.IsZero() || c.NotAfter.Before(first) {
				first = c.NotAfter
			}
		}
	}
	if first.IsZero() {
		return skip("none was shown")
	}
	days := int(first.Sub(p.now()) / (24 * time.Hour))
	found := fmt.Sprintf("until %s, in %d days", first.UTC().Format(time.DateOnly), days)
	if days < 14 {
		return warn(found, "")
	}
	return ok(found)
}

// interception judges by the root at which a chain ends.
func (p *patient) interception(context.Context) Finding {
	found := skip("no certificate was shown")
	for _, state := range p.chains {
		if state == nil {
			continue
		}
		f := judgeRoot(p.who.Hub.Host, p.cfg.Hub.CA, state.VerifiedChains)
		if f.Outcome != OK && p.cfg.Hub.Gateway != "" {
			return skip("a gateway stands in between, with a certificate of its own")
		}
		if f.Outcome != OK {
			return f
		}
		found = f
	}
	return found
}

// judgeRoot judges the chains that a host of Azure has shown. own are the roots that the
// owner trusts besides the system's.
func judgeRoot(host string, own config.CA, chains [][]*x509.Certificate) Finding {
	var root *x509.Certificate
	for _, chain := range chains {
		root = chain[len(chain)-1]
		sum := sha256.Sum256(root.Raw)
		if name, known := azureRoots[hex.EncodeToString(sum[:])]; known {
			return ok("the chain ends at " + name)
		}
		if slices.ContainsFunc(own, root.Equal) {
			return ok("the chain ends at a root of ca_file, " + root.Subject.CommonName)
		}
	}
	if !ofAzure(host) {
		return ok("the chain ends at " + root.Subject.CommonName + "; this is no name of Azure's")
	}
	return fault(fmt.Sprintf("the certificate of %s ends at %q, which is in the system's roots and none that Azure uses: somebody reads along", host, root.Subject.CommonName), "")
}

func ofAzure(host string) bool {
	for _, service := range []string{".azure-devices", ".azure-devices-provisioning"} {
		name, cloud, found := strings.Cut(host, service+".")
		if found && name != "" && (cloud == "net" || cloud == "cn" || cloud == "us") {
			return true
		}
	}
	return false
}
