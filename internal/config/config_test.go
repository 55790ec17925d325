package config_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/token"
)

const (
	key        = "Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ"
	connection = "HostName=MyIoTHub.azure-devices.net;DeviceId=Pump-1;SharedAccessKey=" + key
	relays     = "relays:\n  - {name: Pump, pin: GPIO17}\n"
)

func parse(t *testing.T, text string) config.Config {
	t.Helper()
	cfg, err := config.Parse(strings.NewReader(text), "testdata/bad/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// sameKey takes the key out of a configuration, after comparing it, so that
// the rest can be compared with ==.
func sameKey(t *testing.T, got *token.Key, want string) {
	t.Helper()
	k, err := token.ParseKey(want)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(k) {
		t.Error("not the key of the file")
	}
	*got = token.Key{}
}

func same(t *testing.T, got, want config.Config) {
	t.Helper()
	got.PinLines = nil // TestPinLines has them
	got.Secrets = nil  // which are where the test put them
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got:\n%+v\nwant:\n%+v", got, want)
	}
}

// The defaults, written down a second time.
func defaults() config.Config {
	return config.Config{
		Hub: config.Hub{
			Port: 8883, Transport: "auto", TokenTTL: time.Hour, KeepAlive: 60 * time.Second,
		},
		DPS: config.DPS{
			Endpoint: "global.azure-devices-provisioning.net", KeyKind: config.Group,
		},
		NTP:       config.NTP{Servers: []string{"0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org"}},
		GPIO:      config.GPIO{Driver: "auto", SimDir: "/run/tasmota-azd/pins", OnStop: "off", MaxPerMinute: 600},
		Relays:    []config.Relay{{Name: "Pump", Pin: "GPIO17"}},
		Telemetry: config.Telemetry{Period: 300 * time.Second, FullTopic: "%topic%/", Meter: 512},
		StateDir:  "/var/lib/tasmota-azd",
		Log:       config.Log{Level: slog.LevelInfo, Format: "auto"},
	}
}

func TestDefaults(t *testing.T) {
	got := parse(t, "hub: {host: h.azure-devices.net, key: "+key+"}\n"+relays)
	sameKey(t, &got.Hub.Key, key)
	want := defaults()
	want.Hub.Host = "h.azure-devices.net"
	same(t, got, want)
}

func TestNullIsDefault(t *testing.T) {
	got := parse(t, `
hub: {host: h.azure-devices.net, key: `+key+`, port: , device_id: null, ca_file: ~, token_ttl: , keep_alive: }
dps:
ntp: {servers: }
gpio: {driver: , sim_dir: , on_stop: , stagger: , max_per_minute: }
telemetry: ~
state_dir:
log:
`+relays)
	sameKey(t, &got.Hub.Key, key)
	want := defaults()
	want.Hub.Host = "h.azure-devices.net"
	same(t, got, want)
}

func TestEverythingSet(t *testing.T) {
	guard(t)
	got := parse(t, `
hub:
  host: MyIoTHub.azure-devices.net
  port: 443
  device_id: 0x1F # text, whatever YAML takes it for
  key_file: files/good.key
  token_ttl: 1h30m
  keep_alive: 1177s
  transport: websocket
ntp: {servers: [time.example.org:1123, "[2001:db8::1]", "[2001:db8::1]:123", 192.0.2.1]}
gpio: {driver: sim, sim_dir: pins, on_stop: hold, stagger: 200ms, max_per_minute: 0}
relays:
  - {name: yes, pin: GPIO0, active_low: True}
  - {name: 007, pin: 27, active_low: FALSE, min_interval: 1m30s}
  - {name: "Pumpe: Küche", pin: P1_40}
telemetry: {period: 0s, full_topic: "%prefix%/%topic%"}
state_dir: ../state
log: {level: debug, format: json}
`)
	sameKey(t, &got.Hub.Key, key)
	got.Warnings = nil // of the mode of the key file, which git does not keep
	same(t, got, config.Config{
		Hub: config.Hub{
			Host: "myiothub.azure-devices.net", Port: 443, Transport: "websocket", DeviceID: "0x1F",
			TokenTTL: 90 * time.Minute, KeepAlive: 1177 * time.Second,
		},
		DPS:  defaults().DPS,
		NTP:  config.NTP{Servers: []string{"time.example.org:1123", "[2001:db8::1]", "[2001:db8::1]:123", "192.0.2.1"}},
		GPIO: config.GPIO{Driver: "sim", SimDir: "testdata/bad/pins", OnStop: config.StopHold, Stagger: 200 * time.Millisecond},
		Relays: []config.Relay{
			{Name: "yes", Pin: "GPIO0", ActiveLow: true},
			{Name: "007", Pin: "27", MinInterval: 90 * time.Second},
			{Name: "Pumpe: Küche", Pin: "P1_40"},
		},
		Telemetry: config.Telemetry{FullTopic: "%prefix%/%topic%/", Meter: 512},
		StateDir:  "testdata/state",
		Log:       config.Log{Level: slog.LevelDebug, Format: "json"},
	})
}

func TestConnectionString(t *testing.T) {
	guard(t)
	for name, hub := range map[string]string{
		"inline": "connection_string: " + connection,
		"spaced": "connection_string: ' " + strings.ReplaceAll(connection, ";", " ; ") + "; '",
		"cased":  "connection_string: " + strings.NewReplacer("HostName", "hostname", "SharedAccessKey", "sharedAccessKey").Replace(connection),
		"file":   "connection_string_file: files/good.connection",
	} {
		t.Run(name, func(t *testing.T) {
			got := parse(t, "hub: {"+hub+"}\n"+relays)
			sameKey(t, &got.Hub.Key, key)
			got.Warnings = nil
			want := defaults()
			want.Hub.Host, want.Hub.DeviceID = "myiothub.azure-devices.net", "Pump-1"
			same(t, got, want)
		})
	}
}

func TestDPS(t *testing.T) {
	for name, tt := range map[string]struct{ hub, dps, id string }{
		"MAC":             {"", "", ""},
		"device id":       {"hub: {device_id: Pump-1}\n", "", "Pump-1"},
		"registration id": {"hub: {device_id: Pump-1}\n", ", registration_id: Pump-1", "Pump-1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := parse(t, tt.hub+"dps: {scope_id: 0ne00223A39, key: "+key+", key_kind: individual, endpoint: d.example.org:8443"+tt.dps+"}\n"+relays)
			sameKey(t, &got.DPS.Key, key)
			want := defaults()
			want.Hub.DeviceID = tt.id
			want.DPS = config.DPS{ScopeID: "0ne00223A39", Endpoint: "d.example.org:8443", RegistrationID: tt.id, KeyKind: config.Individual}
			same(t, got, want)
		})
	}
}

func TestEmptyServers(t *testing.T) {
	got := parse(t, "hub: {connection_string: "+connection+"}\nntp: {servers: []}\n"+relays)
	if len(got.NTP.Servers) != 0 {
		t.Errorf("servers %q, want none", got.NTP.Servers)
	}
}

func TestWarnings(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"short host": {"hub: {host: MyIoTHub, key: " + key + "}\n",
			`f.yaml:1: hub.host: "myiothub" has no dot; a hub's whole name is needed, such as myiothub.azure-devices.net`},
		"localhost": {"hub: {host: localhost, key: " + key + "}\n", ""},
		"unused device id": {"hub: {device_id: a}\ndps: {scope_id: 0ne00223A39, key: " + key + ", registration_id: b}\n",
			`f.yaml:1: hub.device_id: "a" is not used; with DPS the service says which device id belongs to dps.registration_id (line 2)`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := config.Parse(strings.NewReader(tt.text+relays), "f.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(cfg.Warnings, "\n"); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// TestModes plants secrets in files of several modes.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("key 640", key+"\r\n", 0o640)
	inline := "hub: {host: h.azure-devices.net, key: " + key + "}\n" + relays
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		warning    string // between the name of the file and "; run: chmod"
	}{
		{"inline-600", inline, 0o600, ""},
		{"inline-640", inline, 0o640, ""},
		{"inline-644", inline, 0o644, ":1: hub.key: others may read this file (mode 0644) and so the secret in it"},
		{"inline-602", inline, 0o602, ":1: hub.key: others may read this file (mode 0602) and so the secret in it"},
		{"connection-644", "hub:\n  connection_string: " + connection + "\n" + relays, 0o644,
			":2: hub.connection_string: others may read this file (mode 0644) and so the secret in it"},
		{"file-644", "hub: {host: h.azure-devices.net, key_file: 'key 640'}\n" + relays, 0o644, ""},
		{"dps-644", "dps: {scope_id: 0ne00223A39, key: " + key + "}\n" + relays, 0o644,
			":1: dps.key: others may read this file (mode 0644) and so the secret in it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(tt.name, tt.text, tt.mode)
			cfg, err := config.Load(path, "")
			if err != nil {
				t.Fatal(err)
			}
			secret := &cfg.Hub.Key
			if secret.IsZero() {
				secret = &cfg.DPS.Key
			}
			sameKey(t, secret, key)
			if tt.warning == "" {
				if len(cfg.Warnings) > 0 {
					t.Errorf("warned without need: %q", cfg.Warnings)
				}
				return
			}
			want := path + tt.warning + "; run: chmod o-rwx "
			if len(cfg.Warnings) != 1 || !strings.HasPrefix(cfg.Warnings[0], want) {
				t.Errorf("warnings %q, want one that begins with %q", cfg.Warnings, want)
			}
		})
	}
}

func TestLoadFaults(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): " does not exist; begin with the commented sample that comes with tasmota-azd, configs/config.yaml",
		dir:                             " is a directory; the name of the file in it is needed",
	} {
		_, err := config.Load(path, "")
		mistakes, ok := errors.AsType[*config.Error](err)
		if !ok || err.Error() != path+":"+want {
			t.Errorf("%v, want %s:%s", err, path, want)
			continue
		}
		if len(mistakes.Mistakes) != 1 || mistakes.Mistakes[0].Line != 0 {
			t.Errorf("mistakes %+v, want one without a line", mistakes.Mistakes)
		}
	}
}

// TestText holds what has to be right before there is any YAML.
func TestText(t *testing.T) {
	good := "hub: {connection_string: " + connection + "}\n" + relays
	for name, tt := range map[string]struct{ text, want string }{
		"plain":       {good, ""},
		"BOM":         {"\ufeff" + good, ""},
		"CRLF":        {strings.ReplaceAll(good, "\n", "\r\n"), ""},
		"no last end": {strings.TrimSuffix(good, "\n"), ""},
		"document":    {"---\n" + good + "...\n", ""},
		"comments":    {"# x\n\n" + good + "# y\n\n", ""},
		"UTF-16":      {"\xff\xfeh\x00u\x00b\x00", "f.yaml:1: the file is in UTF-16; save it as UTF-8"},
		"Latin-1":     {good + "# K\xfcche\n", "f.yaml:4: the line is not in UTF-8; save the file as UTF-8"},
		"old Mac":     {strings.ReplaceAll(good, "\n", "\r"), "f.yaml:1: a line ends with a carriage return alone; save the file with Unix line ends"},
		"NUL":         {good + "\x00", "f.yaml:4: the line holds the control character U+0000; remove it"},
		"next line":   {"# a\u0085" + good, "f.yaml:1: the line holds the control character U+0085; remove it"},
		"large":       {good + strings.Repeat("#", 1<<20), "f.yaml:1: is larger than 1 MiB; this cannot be a configuration"},
		"comment":     {"# nothing\n", "f.yaml:1: the file is empty; begin with the commented sample that comes with tasmota-azd, configs/config.yaml"},
		"deep":        {"hub: " + strings.Repeat("[", 20000), "f.yaml:1: this is not valid YAML"},
		"long list":   {good + "ntp: {servers: [" + strings.Repeat("a,", 1001) + "]}\n", "f.yaml:4: ntp.servers: has 1001 entries, far too many"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse(strings.NewReader(tt.text), "f.yaml")
			if got := fmt.Sprint(err); err == nil && tt.want != "" || err != nil && got != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestMany holds that a file of nothing but mistakes is not judged for long.
func TestMany(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "key%d: 1\n", i)
	}
	_, err := config.Parse(strings.NewReader(text.String()), "f.yaml")
	lines := strings.Split(fmt.Sprint(err), "\n")
	if len(lines) != 101 || lines[100] != "f.yaml:100: there may be more mistakes; correct these first" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestReaderFails(t *testing.T) {
	_, err := config.Parse(io.MultiReader(strings.NewReader("hub:"), brokenReader{}), "f.yaml")
	if err == nil || err.Error() != "f.yaml: on fire" {
		t.Errorf("%v, want f.yaml: on fire", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("on fire") }

func TestLargeSecret(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "k"), bytes.Repeat([]byte("Q"), 64<<10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Parse(strings.NewReader("hub: {host: h.azure-devices.net, key_file: k}\n"+relays), filepath.Join(dir, "f.yaml"))
	if err == nil || !strings.HasSuffix(err.Error(), `: hub.key_file: "k": `+filepath.Join(dir, "k")+" is too large for what it should be") {
		t.Errorf("%v", err)
	}
}

func TestCA(t *testing.T) {
	got := parse(t, "hub: {connection_string: "+connection+", ca_file: files/root.pem}\ndps: {ca_file: files/root.pem}\n"+relays)
	for name, ca := range map[string]config.CA{"hub": got.Hub.CA, "dps": got.DPS.CA} {
		if len(ca) != 1 || ca[0].Subject.CommonName != "tasmota-azd test root" {
			t.Errorf("%s: not the root of the file: %v", name, ca)
			continue
		}
		want, err := x509.SystemCertPool()
		if err != nil {
			want = x509.NewCertPool()
		}
		want.AddCert(ca[0])
		if !ca.Pool().Equal(want) {
			t.Errorf("%s: the pool does not hold the system's roots and this one", name)
		}
	}
	if config.CA(nil).Pool() != nil {
		t.Error("a pool without roots of its own is not nil, which means the system's")
	}
}

// TestNotPrinted prints a configuration in every way there is.
func TestNotPrinted(t *testing.T) {
	guard(t)
	for _, text := range []string{
		"hub: {connection_string: " + connection + "}\n",
		"hub: {connection_string_file: files/good.connection}\n",
		"hub: {host: h.azure-devices.net, key: " + key + "}\n",
		"dps: {scope_id: 0ne00223A39, key_file: files/good.key}\n",
	} {
		cfg := parse(t, text+relays)
		j, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "cfg", cfg)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "cfg", cfg)
		outs := []string{string(j), log.String(), strings.Join(cfg.Warnings, "\n")}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p"} {
			outs = append(outs, fmt.Sprintf(verb, cfg), fmt.Sprintf(verb, &cfg))
		}
		for _, out := range outs {
			noCanary(t, out)
			if strings.Contains(strings.ToLower(out), fmt.Sprintf("%x", "CANARY")) {
				t.Errorf("a secret is shown in hex: %s", out)
			}
		}
	}
}
