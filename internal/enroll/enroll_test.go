package enroll_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/enroll"
	"tasmota-azd/internal/token"
)

const unit = "tasmota-azd.service"

// A board has a configuration, a cloud that takes some keys, and perhaps systemd-creds.
type board struct {
	*testing.T
	dir, config string
	takes       map[enroll.Meaning]string // the key that the cloud takes so
	asked       []string
	fails       error  // what the cloud says in place of an answer
	edits       string // what the owner writes into the configuration meanwhile
	out         strings.Builder
	vault       enroll.Vault
}

func newBoard(t *testing.T, text string) *board {
	dir := t.TempDir()
	b := &board{T: t, dir: dir, config: filepath.Join(dir, "etc/tasmota-azd/config.yaml"), takes: map[enroll.Meaning]string{},
		vault: enroll.Vault{Unit: unit, Root: dir, UID: os.Geteuid(), GID: os.Getegid()}}
	b.write("etc/tasmota-azd/config.yaml", text, 0o640)
	b.write("bin/systemd-creds", sealer, 0o755)
	t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	return b
}

// sealer stands in for systemd-creds: it writes each byte in octal, and opens what bears
// the right name. It has no TPM2 chip.
const sealer = `#!/bin/sh
case "$1" in
has-tpm2) exit 1 ;;
encrypt) echo "$2"; od -An -v -to1 ;;
decrypt) read -r name; [ "$name" = "$2" ] || { echo "for another name" >&2; exit 1; }
	for o in $(cat); do printf "\\$o"; done ;;
esac
`

func (b *board) write(name, text string, mode fs.FileMode) {
	b.Helper()
	path := filepath.Join(b.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		b.Fatal(err)
	}
}

func (b *board) read(name string) string {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// prove is the cloud.
func (b *board) prove(_ context.Context, t enroll.Try, cfg config.Config) (string, error) {
	b.asked = append(b.asked, t.String())
	if b.fails != nil {
		return "", b.fails
	}
	if b.edits != "" {
		b.write("etc/tasmota-azd/config.yaml", b.edits, 0o640)
	}
	key := cfg.Hub.Key
	if t.Meaning != enroll.Device {
		key = cfg.DPS.Key
	}
	if want := b.takes[t.Meaning]; want != "" && string(key.Reveal()) == want && key.Equal(t.Key) {
		return "welcome", nil
	}
	return "", enroll.Refusal{Err: errors.New("HTTP 401")}
}

func (b *board) enroll(secret string, w enroll.Where) (enroll.Outcome, error) {
	b.Helper()
	s, err := enroll.Recognise(secret)
	if err != nil {
		b.Fatal(err)
	}
	w.Named = func() string { return "02AB" }
	done, err := enroll.Run(b.Context(), enroll.Options{Config: b.config, Secret: s, Where: w, Vault: b.vault, Prove: b.prove, Out: &b.out})
	b.Log(b.out.String(), done.Report())
	for _, key := range []string{groupKey, deviceKey, derived("02AB"), derived("pump-1")} {
		if strings.Contains(b.out.String()+done.Report()+fmt.Sprintf("%+v", done), key[:12]) {
			b.Errorf("a key is said")
		}
	}
	return done, err
}

// holding lists the files in which a text stands.
func (b *board) holding(text string) []string {
	b.Helper()
	var list []string
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), text) {
			list = append(list, path[len(b.dir)+1:])
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return list
}

// derived is the key of a device of the group, made here once more (contract, section 2.5).
func derived(id string) string {
	k, err := token.ParseKey(groupKey)
	if err != nil {
		panic(err)
	}
	return string(k.Derive(id).Reveal())
}

const head = `# The pump house.
relays: [{name: Pump, pin: GPIO17}]
ntp: {servers: []} # no network
`

func TestGroup(t *testing.T) {
	b := newBoard(t, head+"dps:\n  scope_id: 0ne00223A39 # ours\n  key: "+groupKey+"\n")
	b.takes[enroll.Group] = derived("02AB")
	done, err := b.enroll(groupKey, enroll.Where{})
	if err != nil {
		t.Fatal(err)
	}
	want := head + `dps:
  key_file: device.key
  registration_id: "02AB"
  key_kind: individual
  scope_id: 0ne00223A39 # ours
`
	if got := b.read("etc/tasmota-azd/config.yaml"); strings.Count(got, "\n") != strings.Count(want, "\n") || !strings.HasPrefix(got, head) {
		t.Errorf("the file is now\n%s", got)
	}
	if files := slices.Concat(b.holding(groupKey), b.holding(derived("02AB"))); files != nil {
		t.Errorf("keys lie open in %q", files)
	}
	sealed := b.read("etc/credstore.encrypted/tasmota-azd.device.key")
	if !strings.HasPrefix(sealed, "--name=device.key\n") {
		t.Errorf("sealed: %.40q", sealed)
	}
	if got := b.read("etc/systemd/system/tasmota-azd.service.d/enroll.conf"); !strings.HasSuffix(got, "[Service]\nLoadCredentialEncrypted=device.key:/etc/credstore.encrypted/tasmota-azd.device.key\n") {
		t.Errorf("drop-in:\n%s", got)
	}
	for name, mode := range map[string]fs.FileMode{"etc/credstore.encrypted": fs.ModeDir | 0o700, "etc/credstore.encrypted/tasmota-azd.device.key": 0o600,
		"etc/tasmota-azd/config.yaml": 0o640, "etc/systemd/system/tasmota-azd.service.d/enroll.conf": 0o644} {
		if info, err := os.Stat(filepath.Join(b.dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	if r := done.Report(); !strings.Contains(r, "no TPM2") || !strings.Contains(r, "dps.key: removed, with the secret in it") || !strings.Contains(r, "not kept") {
		t.Error(r)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, "etc/*/*.enroll")); left != nil {
		t.Errorf("left over: %q", left)
	}

	open := exec.Command("systemd-creds", "decrypt", "--name=device.key", "-", "-")
	open.Stdin = strings.NewReader(sealed)
	opened, err := open.Output()
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"device.key": strings.TrimSpace(string(opened))}
	if cfg, err := config.LoadWith(b.config, given); err != nil || string(cfg.DPS.Key.Reveal()) != derived("02AB") {
		t.Errorf("opened: %v", err)
	}

	// Once more, as its own key now: the same file, another key.
	b.takes[enroll.Individual] = deviceKey
	done, err = b.enroll(deviceKey, enroll.Where{})
	if err != nil || len(done.Changes) != 0 || b.read("etc/credstore.encrypted/tasmota-azd.device.key") == sealed {
		t.Errorf("%v, %v", err, done.Changes)
	}
}

// TestMeanings: what is tried, in which order, and what the configuration says then.
func TestMeanings(t *testing.T) {
	const hub = "hub:\n  host: contoso.azure-devices.net\n  device_id: pump-1\n  key_file: device.key\n"
	for name, tt := range map[string]struct {
		config, secret string
		where          enroll.Where
		takes          enroll.Meaning
		key            string
		asked          int
		want           config.Config
	}{
		"group": {"", groupKey, enroll.Where{Scope: "0ne00223A39"}, enroll.Group, derived("02AB"), 1,
			config.Config{DPS: config.DPS{ScopeID: "0ne00223A39", RegistrationID: "02AB"}}},
		"individual, id said": {"dps: {scope_id: 0ne00223A39, registration_id: a}\n", deviceKey, enroll.Where{ID: "pump-1"}, enroll.Individual, deviceKey, 2,
			config.Config{DPS: config.DPS{ScopeID: "0ne00223A39", RegistrationID: "pump-1"}}},
		"id of the hub's section": {"dps: {scope_id: 0ne00223A39}\nhub: {device_id: pump-1}\n", groupKey, enroll.Where{}, enroll.Group, derived("pump-1"), 1,
			config.Config{DPS: config.DPS{ScopeID: "0ne00223A39", RegistrationID: "pump-1"}}},
		"device": {hub, deviceKey, enroll.Where{}, enroll.Device, deviceKey, 1,
			config.Config{Hub: config.Hub{Host: "contoso.azure-devices.net", DeviceID: "pump-1"}}},
		"device instead of DPS": {"dps: {scope_id: 0ne00223A39, key: " + groupKey + ", key_kind: group}\n", deviceKey, enroll.Where{Host: "H.example.net"}, enroll.Device, deviceKey, 1,
			config.Config{Hub: config.Hub{Host: "h.example.net", DeviceID: "02AB"}}},
		"DPS instead of a hub": {hub, groupKey, enroll.Where{Scope: "0ne00223A39"}, enroll.Group, derived("pump-1"), 1,
			config.Config{DPS: config.DPS{ScopeID: "0ne00223A39", RegistrationID: "pump-1"}}},
		"both": {"", deviceKey, enroll.Where{Scope: "0ne00223A39", Host: "h.example.net", ID: "x"}, enroll.Device, deviceKey, 3,
			config.Config{Hub: config.Hub{Host: "h.example.net", DeviceID: "x"}}},
		"both in the file": {hub + "dps: {scope_id: 0ne00223A39}\n", deviceKey, enroll.Where{}, enroll.Device, deviceKey, 3,
			config.Config{Hub: config.Hub{Host: "contoso.azure-devices.net", DeviceID: "pump-1"}}},
		"connection string": {"dps: {scope_id: 0ne00223A39, key: " + groupKey + "}\n", connection, enroll.Where{}, enroll.Device, deviceKey, 1,
			config.Config{Hub: config.Hub{Host: "contoso.azure-devices.net", DeviceID: "pump-1"}}},
		"connection string in place of one": {"hub: {connection_string_file: a, secondary_key_file: b}\n", connection, enroll.Where{}, enroll.Device, deviceKey, 1,
			config.Config{Hub: config.Hub{Host: "contoso.azure-devices.net", DeviceID: "pump-1"}}},
		"behind a gateway": {hub, connection + ";GatewayHostName=edge.local", enroll.Where{}, enroll.Device, deviceKey, 1,
			config.Config{Hub: config.Hub{Host: "contoso.azure-devices.net", DeviceID: "pump-1", Gateway: "edge.local"}}},
		"instead of a certificate": {"hub:\n  host: h.example.net\n  cert_file: a.pem\n  cert_key_file: b.pem\n", deviceKey, enroll.Where{ID: "x"}, enroll.Device, deviceKey, 1,
			config.Config{Hub: config.Hub{Host: "h.example.net", DeviceID: "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, head+tt.config)
			b.takes[tt.takes] = tt.key
			done, err := b.enroll(tt.secret, tt.where)
			if err != nil || len(b.asked) != tt.asked || done.Try.Meaning != tt.takes {
				t.Fatalf("%v; asked %q, want %d", err, b.asked, tt.asked)
			}
			name := "device.key"
			if tt.want.Hub.Gateway != "" {
				name = "device.connection"
			}
			text := b.read("etc/tasmota-azd/config.yaml")
			cfg, err := config.ParseWith(strings.NewReader(text), b.config, name, string(b.open(name)))
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			key := cfg.Hub.Key
			if tt.want.DPS.ScopeID != "" {
				key = cfg.DPS.Key
			}
			if string(key.Reveal()) != tt.key || cfg.DPS.ScopeID != tt.want.DPS.ScopeID || cfg.DPS.RegistrationID != tt.want.DPS.RegistrationID ||
				cfg.Hub.Host != tt.want.Hub.Host || cfg.Hub.DeviceID != tt.want.Hub.DeviceID || cfg.Hub.Gateway != tt.want.Hub.Gateway || len(cfg.Warnings) > 0 {
				t.Errorf("%+v\n%s", cfg, text)
			}
			if tt.want.DPS.ScopeID != "" && cfg.DPS.KeyKind != config.Individual {
				t.Errorf("the derived key counts as that of a %s", cfg.DPS.KeyKind)
			}
			if !strings.HasPrefix(text, head) {
				t.Errorf("what was not meant is changed:\n%s", text)
			}
			if files := b.holding(groupKey); files != nil {
				t.Errorf("the key of the group lies in %q", files)
			}
		})
	}
}

// open opens what the stand-in has sealed.
func (b *board) open(name string) []byte {
	b.Helper()
	var text []byte
	for i, word := range strings.Fields(b.read("etc/credstore.encrypted/tasmota-azd." + name)) {
		var c byte
		if i == 0 {
			continue
		}
		if _, err := fmt.Sscanf(word, "%o", &c); err != nil {
			b.Fatal(err)
		}
		text = append(text, c)
	}
	return text
}

// TestNothingIsChanged: after any failure everything on the disk is as it was.
func TestNothingIsChanged(t *testing.T) {
	good := head + "dps: {scope_id: 0ne00223A39}\n"
	busy := errors.New("busy")
	for name, tt := range map[string]struct {
		config string
		secret string
		where  enroll.Where
		spoil  func(*board)
		want   string
	}{
		"refused":           {good, deviceKey, enroll.Where{}, nil, "does not take this key"},
		"no answer":         {good, groupKey, enroll.Where{}, func(b *board) { b.fails = busy }, "busy"},
		"nowhere":           {head, groupKey, enroll.Where{}, nil, "--scope-id"},
		"a mistake":         {"relays: []\n", groupKey, enroll.Where{Scope: "0ne00223A39"}, nil, "relays"},
		"a wrong scope":     {head, groupKey, enroll.Where{Scope: "my scope"}, nil, "dps.scope_id"},
		"a wrong host":      {head, groupKey, enroll.Where{Host: "https://h"}, nil, "hub.host"},
		"a wrong id":        {head, groupKey, enroll.Where{Host: "h.example.net", ID: "a b"}, nil, "hub.device_id"},
		"no YAML":           {"a: [", groupKey, enroll.Where{Scope: "0ne00223A39"}, nil, "config.yaml:1"},
		"odd":               {head + "dps:\n  ? scope_id\n  : a\n", groupKey, enroll.Where{Scope: "0ne00223A39"}, nil, "change it by hand"},
		"string and scope":  {good, connection, enroll.Where{Scope: "0ne00223A39"}, nil, "leave --scope-id away"},
		"string and hub":    {good, connection, enroll.Where{Host: "other.example.net"}, nil, "--hub says other.example.net"},
		"string and device": {good, connection, enroll.Where{ID: "other"}, nil, `--device-id says "other"`},
		"no room for the file": {good, groupKey, enroll.Where{}, func(b *board) {
			b.write("etc/systemd/system", "a file in the way of the drop-in", 0o600)
		}, "not a directory"},
		"a folder in the place of the key": {good, groupKey, enroll.Where{}, func(b *board) {
			b.write("etc/credstore.encrypted/tasmota-azd.device.key/file", "", 0o600)
		}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, tt.config)
			b.takes[enroll.Group] = derived("02AB")
			if tt.spoil != nil {
				tt.spoil(b)
			}
			before := b.disk()
			_, err := b.enroll(tt.secret, tt.where)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), groupKey[:9]) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if after := b.disk(); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// TestEditedMeanwhile: what an owner writes while the cloud is asked is not lost.
func TestEditedMeanwhile(t *testing.T) {
	b := newBoard(t, head+"dps: {scope_id: 0ne00223A39}\n")
	b.takes[enroll.Group] = derived("02AB")
	b.edits = head + "dps: {scope_id: 0ne00223A39}\nlog: {level: debug}\n"
	_, err := b.enroll(groupKey, enroll.Where{})
	if err == nil || !strings.Contains(err.Error(), "run this once more") || b.read("etc/tasmota-azd/config.yaml") != b.edits {
		t.Errorf("%v\n%s", err, b.disk())
	}
	if _, err := os.Stat(filepath.Join(b.dir, "etc/credstore.encrypted")); err == nil {
		t.Error("a key is sealed")
	}
	b.edits = ""
	if _, err := b.enroll(groupKey, enroll.Where{}); err != nil || !strings.Contains(b.read("etc/tasmota-azd/config.yaml"), "level: debug") {
		t.Errorf("once more: %v", err)
	}
}

// disk is every file with its content.
func (b *board) disk() string {
	b.Helper()
	var all strings.Builder
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s %q\n", path, data)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return all.String()
}
