package main

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
)

// keys are the values in what create and renew-key print.
func keys(t *testing.T, printed string) (primary, secondary string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	if len(lines) != 3 {
		t.Fatalf("got %q", printed)
	}
	return strings.TrimPrefix(lines[1], "primary key    "), strings.TrimPrefix(lines[2], "secondary key  ")
}

func TestTwoKeys(t *testing.T) {
	c := serve(t, "--data", filepath.Join(t.TempDir(), "data"))
	primary, secondary := keys(t, c.run("device", "create", "pump"))
	for which, key := range map[string]string{"primary": primary, "secondary": secondary} {
		if got, want := c.run("device", "show", "pump", "--key-type", which), "HostName=localhost;DeviceId=pump;SharedAccessKey="+key+"\n"; got != want {
			t.Errorf("%s connection string %q", which, got)
		}
	}
	first, second := keys(t, c.run("device", "renew-key", "pump", "--key-type", "secondary"))
	if first != primary || second == secondary || second == first {
		t.Error("another key than the secondary one was made anew")
	}
	for _, args := range [][]string{{"renew-key", "pump"}, {"renew-key", "pump", "--key-type", "both"}, {"show", "pump", "--key-type", "both"}} {
		if _, err := c.try(append([]string{"device"}, args...)...); err == nil {
			t.Errorf("device %v is taken", args)
		}
	}
	must(t, c.stop())
}

// TestCertificates: a device with a certificate of its own, one with a CA's,
// and one that registers with it.
func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, "--data", filepath.Join(dir, "data"))
	if got := c.run("device", "create", "lamp", "--auth-method", "x509_thumbprint", "--output-dir", dir); got != "created lamp\n" {
		t.Errorf("got %q", got)
	}
	lamp, err := tls.LoadX509KeyPair(filepath.Join(dir, "lamp-cert.pem"), filepath.Join(dir, "lamp-key.pem"))
	must(t, err)
	if got := c.loginWith(lamp, "lamp"); got != 0 {
		t.Errorf("lamp: CONNACK %d", got)
	}

	ca, err := hubsim.NewCA(time.Now())
	must(t, err)
	path := filepath.Join(dir, "fleet.pem")
	must(t, os.WriteFile(path, ca.PEM(), 0o600))
	fan, err := ca.DeviceCertificate(time.Now(), "fan")
	must(t, err)
	c.run("certificate", "create", "fleet", "--path", path)
	c.run("device", "create", "fan", "--auth-method", "x509_ca")
	if got := c.run("certificate", "list"); !strings.Contains(got, "fleet  CN=hubsim test root") {
		t.Errorf("certificates:\n%s", got)
	}
	if got := c.loginWith(fan, "fan"); got != 0 {
		t.Errorf("fan: CONNACK %d", got)
	}
	c.run("certificate", "delete", "fleet")
	if got := c.loginWith(fan, "fan"); got != 5 {
		t.Errorf("fan, without the CA: CONNACK %d", got)
	}

	c.run("enrollment", "create", "fans", "--group", "--certificate-path", path)
	if got := c.run("enrollment", "list"); !strings.Contains(got, "fans     group  x509") {
		t.Errorf("enrollments:\n%s", got)
	}
	pump, err := ca.DeviceCertificate(time.Now(), "pump")
	must(t, err)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.roots(), ServerName: "localhost", Certificates: []tls.Certificate{pump}}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", "https://"+c.at.DPS+"/"+c.at.ScopeID+"/registrations/pump/register?api-version=2019-03-31", nil)
	must(t, err)
	res, err := client.Do(req)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != 202 {
		t.Errorf("register: %s", res.Status)
	}
	for _, args := range [][]string{
		{"device", "create", "x", "--auth-method", "x509_thumbprint"},
		{"device", "create", "x", "--output-dir", dir},
		{"device", "create", "x", "--auth-method", "x509_thumbprint", "--primary-thumbprint", "12"},
		{"certificate", "create", "x"},
		{"certificate", "create", "x", "--path", filepath.Join(dir, "lamp-key.pem")},
		{"enrollment", "create", "x", "--certificate-path", filepath.Join(dir, "nothing")},
	} {
		if _, err := c.try(args...); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	must(t, c.stop())
}

// loginWith connects with a certificate and returns the code of the CONNACK.
func (c *cloud) loginWith(cert tls.Certificate, id string) byte {
	c.t.Helper()
	conn, err := tls.Dial("tcp", c.at.Hub, &tls.Config{RootCAs: c.roots(), ServerName: "localhost", Certificates: []tls.Certificate{cert}})
	must(c.t, err)
	defer conn.Close()
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion, p.ClientIdentifier, p.Keepalive = "MQTT", 4, id, 60
	p.UsernameFlag, p.Username = true, "localhost/"+id+"/?api-version=2021-04-12"
	must(c.t, p.Write(conn))
	ack, ok := read(c.t, conn).(*packets.ConnackPacket)
	if !ok {
		c.t.Fatalf("got %v", ack)
	}
	return ack.ReturnCode
}
