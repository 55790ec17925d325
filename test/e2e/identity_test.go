package e2e

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/certificate/certtest"
	"tasmota-azd/internal/hubsim"
)

func TestCertificate(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	soon := time.Now().AddDate(0, 0, 20)
	first, second := certtest.SelfSigned(t, "pump", soon), certtest.SelfSigned(t, "pump", time.Now().AddDate(1, 0, 0))
	b.check(b.cloud.AddDevice(hubsim.Device{ID: "pump", Auth: hubsim.Thumbprint,
		Thumbprints: []string{first.Parse(t).Fingerprint(), second.Parse(t).Fingerprint()}}))
	first.Write(t, b.dir, "device")
	b.start(b.config(fmt.Sprintf(`hub:
  host: localhost
  port: %d
  cert_file: device.pem
  cert_key_file: device.key.pem
  ca_file: cloud-ca.pem
`, b.cloud.HubPort)))
	b.waitLog("WARN", "the certificate expires soon", "days_left=19")
	b.subscribed("pump")
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)

	second.Write(t, b.dir, "device")
	b.check(b.cloud.Kick("pump"))
	b.online(2)
	b.command("pump", "m2", "/power1", "off", `{"POWER1":"OFF"}`)
	b.waitLog("there is a new certificate")

	certtest.Pair{Cert: []byte("broken"), Key: second.Key}.Write(t, b.dir, "device")
	b.check(b.cloud.Kick("pump"))
	b.online(3)
	b.command("pump", "m3", "/power1", "on", `{"POWER1":"ON"}`)
	b.waitLog("WARN", "the one before stays in use", "device.pem: no certificate in PEM")
	if n := b.logins(5); n != 0 {
		t.Errorf("%d logins refused", n)
	}
}

func TestCertificateThatTheHubDoesNotKnow(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	ca := certtest.NewAuthority(t, "our root")
	b.check(b.cloud.AddDevice(hubsim.Device{ID: "pump", Auth: hubsim.CASigned}))
	ca.Issue(t, "pump", time.Now().AddDate(1, 0, 0)).Write(t, b.dir, "device")
	b.start(b.config(fmt.Sprintf("hub:\n  connection_string: HostName=localhost;DeviceId=pump;x509=true\n  port: %d\n  cert_file: device.pem\n"+
		"  cert_key_file: device.key.pem\n  ca_file: cloud-ca.pem\n", b.cloud.HubPort)))
	b.waitLog("WARN", "CONNACK 5", `certificate \"pump\" is not the one`)
	b.check(b.cloud.AddCertificate("our-root", ca.Cert))
	b.subscribed("pump")
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)
}

func TestProvisioningByCertificate(t *testing.T) {
	year := time.Now().AddDate(1, 0, 0)
	ca := certtest.NewAuthority(t, "our root")
	own := certtest.SelfSigned(t, "board-7", year)
	for _, tt := range []struct {
		name       string
		enrollment hubsim.Enrollment
		pair       certtest.Pair
	}{
		{"individual", hubsim.Enrollment{ID: "board-7", Certificates: []*x509.Certificate{own.Parse(t).Leaf()}}, own},
		{"group", hubsim.Enrollment{ID: "boards", Group: true, Certificates: []*x509.Certificate{ca.Leaf}}, ca.Issue(t, "board-7", year)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, hubsim.Options{DPSRetryAfter: time.Second}, 0)
			b.check(b.cloud.CreateEnrollment(tt.enrollment))
			tt.pair.Write(t, b.dir, "device")
			config := b.config(fmt.Sprintf(`hub:
  port: %d
  ca_file: cloud-ca.pem
dps:
  scope_id: 0ne00000001
  endpoint: localhost:%d
  cert_file: device.pem
  cert_key_file: device.key.pem
  ca_file: cloud-ca.pem
`, b.cloud.HubPort, b.cloud.DPSPort))
			b.start(config)
			b.subscribed("board-7")
			b.command("board-7", "m1", "/power1", "on", `{"POWER1":"ON"}`)
			b.stop()

			// A renewed certificate is shown to DPS, which enters it in the hub.
			renewed := ca.Issue(t, "board-7", year)
			if tt.name == "individual" {
				return // which knows this one only
			}
			renewed.Write(t, b.dir, "device")
			b.start(config)
			b.online(2)
			b.command("board-7", "m2", "/power1", "off", `{"POWER1":"OFF"}`)
			if n := b.cloud.Registrations()[0].Times; n != 2 {
				t.Errorf("DPS was asked %d times, want 2", n)
			}
		})
	}
}

func TestWrongKindOfKeyIsNamed(t *testing.T) {
	b := newBench(t, hubsim.Options{DPSRetryAfter: time.Second}, 0)
	b.check(b.cloud.CreateEnrollment(hubsim.Enrollment{ID: "board-7"}, hubsim.NewKey()))
	config := b.dpsConfig() // with the key of a group
	text, _, err := b.cloud.EnrollmentKeys("board-7")
	if err != nil {
		t.Fatal(err)
	}
	b.write("group.key", text)
	b.start(config)
	b.waitLog("ERROR", "does not fit registration id", "write dps.key_kind: individual")
}

func TestSecondaryKey(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.check(b.cloud.CreateDevice("pump", "", hubsim.NewKey(), hubsim.NewKey()))
	primary, secondary, err := b.cloud.Keys("pump")
	if err != nil {
		t.Fatal(err)
	}
	b.write("primary.key", primary)
	b.write("secondary.key", secondary)
	config := b.config(fmt.Sprintf("hub:\n  host: localhost\n  port: %d\n  device_id: pump\n  key_file: primary.key\n  secondary_key_file: secondary.key\n"+
		"  ca_file: cloud-ca.pem\n", b.cloud.HubPort))
	b.start(config)
	b.subscribed("pump")
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)

	b.check(b.cloud.RenewKey("pump", "primary"))
	b.check(b.cloud.Kick("pump"))
	b.waitLog("WARN", "refused the primary key and takes the secondary one")
	b.command("pump", "m2", "/power1", "off", `{"POWER1":"OFF"}`)
	if n := b.logins(5); n != 1 {
		t.Errorf("%d logins refused, want 1", n)
	}
	b.stop()

	// The next start begins with the key that worked, and does not warn again.
	b.start(config)
	b.online(3)
	b.command("pump", "m3", "/power1", "on", `{"POWER1":"ON"}`)
	b.stop()
	if n := b.logins(5); n != 1 {
		t.Errorf("%d logins refused after a restart, want still 1", n)
	}
	if strings.Contains(strings.Join(b.d.Log(), "\n"), "primary key") {
		t.Error("said again")
	}
}

func TestBehindGateway(t *testing.T) {
	const host = "contoso.azure-devices.net"
	b := newBench(t, hubsim.Options{Hosts: []string{host}, Gateway: "localhost"}, 0)
	b.check(b.cloud.CreateDevice("pump", host, hubsim.NewKey()))
	text, err := b.cloud.ConnectionString("pump")
	if err != nil {
		t.Fatal(err)
	}
	b.write("pump.connection", strings.TrimSuffix(text, ";GatewayHostName=localhost")+";GatewayHostName=localhost")
	b.start(b.config(fmt.Sprintf("hub:\n  connection_string_file: pump.connection\n  port: %d\n  ca_file: cloud-ca.pem\n", b.cloud.HubPort)))
	b.waitLog("connected", "host="+host, "gateway=localhost")
	b.subscribed("pump")
	b.command("pump", "m1", "/power1", "on", `{"POWER1":"ON"}`)
	if l := b.cloud.Logins()[0]; l.Host != host || l.ServerName != "localhost" {
		t.Errorf("signed in at %s by the name of %s", l.Host, l.ServerName)
	}
}
