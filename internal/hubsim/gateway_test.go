package hubsim_test

import (
	"crypto/x509"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// TestG01Gateway: TLS is with the gateway and for its name alone; username and
// token name the hub behind it.
func TestG01Gateway(t *testing.T) {
	const hub, gateway = "contoso.azure-devices.net", "edge.local"
	inBubble(t, hubsim.Options{Hosts: []string{hub}, Gateway: gateway}, func(t *testing.T, c *cloud) {
		ca, err := hubsim.NewCA(time.Now())
		must(t, err)
		config, err := c.TLSConfig(ca)
		must(t, err)
		x := &x509Cloud{c, config, ca.Pool()}
		named := func(user, sr string) *connectPacket {
			p := hello()
			p.Username = user + "/" + dev + "/?api-version=2021-04-12"
			p.Password = []byte(token.Hub(key(t, keyText), sr, dev, time.Now().Add(time.Hour)))
			return p
		}
		for _, tt := range []struct {
			user, sr string
			want     int
		}{
			{hub, hub, 0}, {gateway, gateway, 5}, {hub, gateway, 5}, {gateway, hub, 5},
		} {
			if got := x.tryAt(gateway, nil, named(tt.user, tt.sr)); got != tt.want {
				t.Errorf("%s in the username and %s in sr: %d, want %d", tt.user, tt.sr, got, tt.want)
			}
		}
		if l := c.Logins()[0]; l.ServerName != gateway || l.Host != hub {
			t.Errorf("login %+v", l)
		}
		conn := x.dialTLS(hub, nil, c.ServeConn)
		if err := conn.Handshake(); !isA[x509.HostnameError](err) {
			t.Errorf("as the hub: %v", err)
		}
		lamp, err := hubsim.SelfSigned(time.Now(), "lamp")
		must(t, err)
		must(t, c.AddDevice(hubsim.Device{ID: "lamp", Auth: hubsim.Thumbprint, Thumbprints: []string{hubsim.ThumbprintOf(lamp.Certificate[0])}}))
		p := withCertificate("lamp")
		p.Username = hub + "/lamp/?api-version=2021-04-12"
		if got := x.tryAt(gateway, &lamp, p); got != 0 {
			t.Errorf("with a certificate: %d", got)
		}
		dps, err := c.DPSConfig(ca)
		must(t, err)
		if leaf, err := x509.ParseCertificate(dps.Certificates[0].Certificate[0]); err != nil || leaf.VerifyHostname(hub) != nil {
			t.Errorf("DPS is not behind the gateway: %v", err)
		}
	})
}
