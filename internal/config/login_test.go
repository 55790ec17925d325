package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/certificate/certtest"
	"tasmota-azd/internal/config"
)

// parseIn parses a configuration in a directory that holds a certificate.
func parseIn(t *testing.T, pair certtest.Pair, text string) config.Config {
	t.Helper()
	dir := t.TempDir()
	pair.Write(t, dir, "device")
	for file, key := range map[string]string{"one.key": key, "two.key": strings.Repeat("QUJD", 8)} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Parse(strings.NewReader(text+relays), filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestCertificate(t *testing.T) {
	year := time.Now().AddDate(1, 0, 0)
	self := certtest.SelfSigned(t, "pump", year)
	signed := certtest.NewAuthority(t, "CA").Issue(t, "pump", year)
	const files = "cert_file: device.pem, cert_key_file: device.key.pem"
	for _, tt := range []struct {
		name, text string
		pair       certtest.Pair
		id         string
		warning    string
	}{
		{"named by the certificate", "hub: {host: h.example, " + files + "}\n", self, "pump", ""},
		{"named otherwise, by thumbprint", "hub: {host: h.example, device_id: gate, " + files + "}\n", self, "gate", ""},
		{"named otherwise, signed", "hub: {host: h.example, device_id: gate, " + files + "}\n", signed, "gate",
			`the name in the certificate (CN="pump") is not the device id "gate"`},
		{"connection string", "hub: {connection_string: HostName=h.example;DeviceId=pump;x509=true, " + files + "}\n", signed, "pump", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := parseIn(t, tt.pair, tt.text)
			if h := cfg.Hub; h.DeviceID != tt.id || h.Host != "h.example" || !h.Cert.Equal(tt.pair.Parse(t)) || !h.Key.IsZero() ||
				filepath.Base(h.Cert.File) != "device.pem" || filepath.Base(h.Cert.KeyFile) != "device.key.pem" {
				t.Errorf("%+v", h)
			}
			if got := strings.Join(cfg.Warnings, "\n"); tt.warning == "" && got != "" || !strings.Contains(got, tt.warning) {
				t.Errorf("warnings %q, want %q", got, tt.warning)
			}
		})
	}
	for _, id := range []string{"", "registration_id: pump, ", "registration_id: PUMP, "} {
		cfg := parseIn(t, signed, "dps: {scope_id: 0ne00223A39, "+id+files+"}\n")
		if d := cfg.DPS; !strings.EqualFold(d.RegistrationID, "pump") || !d.Cert.Equal(signed.Parse(t)) || !cfg.Hub.Cert.IsZero() {
			t.Errorf("%s: %+v", id, d)
		}
	}
}

func TestPrivateKeyThatOthersRead(t *testing.T) {
	dir := t.TempDir()
	cert, secret := certtest.SelfSigned(t, "pump", time.Now().AddDate(1, 0, 0)).Write(t, dir, "device")
	for _, file := range []string{cert, secret} {
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := config.Parse(strings.NewReader("hub: {host: h.example, cert_file: device.pem, cert_key_file: device.key.pem}\n"+relays),
		filepath.Join(dir, "config.yaml"))
	if err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), "hub.cert_key_file") ||
		!strings.Contains(err.Error(), "others may read "+secret+" (mode 0644); run: chmod o-rwx "+secret) {
		t.Errorf("%v, want a refusal of the private key", err)
	}
}

func TestSecondaryKey(t *testing.T) {
	for _, first := range []string{"host: h.example, key_file: one.key", "connection_string: HostName=h.example;DeviceId=pump;SharedAccessKey=" + key} {
		cfg := parseIn(t, certtest.Pair{}, "hub: {"+first+", secondary_key_file: two.key}\n")
		sameKey(t, &cfg.Hub.Key, key)
		sameKey(t, &cfg.Hub.Secondary, strings.Repeat("QUJD", 8))
	}
}

func TestGateway(t *testing.T) {
	cfg := parse(t, "hub: {connection_string: "+connection+";GatewayHostName=Edge-1.local}\n"+relays)
	if h := cfg.Hub; h.Gateway != "edge-1.local" || h.Host != "myiothub.azure-devices.net" {
		t.Errorf("gateway %q of hub %q", h.Gateway, h.Host)
	}
}

func TestTransport(t *testing.T) {
	for _, tt := range []struct {
		text, transport string
		port            int
	}{
		{"", "auto", 8883},
		{", port: 1234", "auto", 1234},
		{", transport: mqtt", "mqtt", 8883},
		{", transport: websocket", "websocket", 443},
		{", transport: websocket, port: 8443", "websocket", 8443},
	} {
		cfg := parse(t, fmt.Sprintf("hub: {host: h.example, key: %s%s}\n%s", key, tt.text, relays))
		if string(cfg.Hub.Transport) != tt.transport || cfg.Hub.Port != tt.port {
			t.Errorf("%q: %s on port %d", tt.text, cfg.Hub.Transport, cfg.Hub.Port)
		}
	}
}
