package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/configs"
)

// Who adds a key to the file decides here whether its value may leave the board. A key
// that is in neither list fails the test, and is hidden all the same.
func TestEachKeyIsShownOrSecret(t *testing.T) {
	secret := []string{"hub.key", "hub.connection_string", "dps.key"}
	sections := []string{"hub", "dps", "ntp", "gpio", "relays", "telemetry", "metrics", "log"}
	all := map[string]bool{}
	for section, name := range known() {
		path := join(section, name)
		all[path] = true
		isShown := shown[path] || shown[path+"[]"]
		if isShown == slices.Contains(append(secret, sections...), path) {
			t.Errorf("%s: is its value to be shown? It must be either in shown or in the list of this test", path)
		}
	}
	for path := range shown {
		if !all[strings.TrimSuffix(path, "[]")] {
			t.Errorf("%s is shown, and no key of the file", path)
		}
	}
	for section := range reflect.TypeFor[written]().Fields() {
		if section.Type != reflect.TypeFor[scalar]() && !slices.Contains(sections, section.Tag.Get("yaml")) {
			t.Errorf("the section %s is not in the list", section.Name)
		}
	}
}

func TestViewOf(t *testing.T) {
	const key = "dGhlIGtleSBvZiB0aGUgZGV2aWNlLCBxdWl0ZSBsb25n"
	if _, err := ViewOf(strings.NewReader("hub:\n  key: ["+key+"\n"), "c"); err == nil || strings.Contains(err.Error(), key) {
		t.Errorf("no YAML: %v", err)
	}
	v, err := ViewOf(strings.NewReader(`# the key is `+key+`
hub:
  host: h.azure-devices.net
  key: &a `+key+`
  `+key+`: 1
  device_id: `+key+`
  key_file: device.key
  cert_file: c2hvcnRrZXlzaG9ydGtleTEy
  gateway: secret7
  ca_file: {password: secret6}
  token_ttl: *a
dps: secret5
ntp: {servers: [a.example, "SharedAccessSignature sr=x"]}
relays:
  - {name: Pump, pin: 17, password: secret4}
  - secret3
state_dir: state
colour: {secret2: secret1}
`), "/etc/x/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const want = `line 3: hub.host = "h.azure-devices.net"
line 4: hub.key = (hidden)
line 5: hub.(no key of this release) = (hidden)
line 6: hub.device_id = (hidden)
line 7: hub.key_file = "device.key"
line 8: hub.cert_file = (hidden)
line 9: hub.(no key of this release) = (hidden)
line 10: hub.ca_file.(no key of this release) = (hidden)
line 11: hub.token_ttl = (hidden)
line 12: dps = (hidden)
line 13: ntp.servers[0] = "a.example"
line 13: ntp.servers[1] = (hidden)
line 15: relays[0].name = "Pump"
line 15: relays[0].pin = "17"
line 15: relays[0].(no key of this release) = (hidden)
line 16: relays[1] = (hidden)
line 17: state_dir = "state"
line 18: (no key of this release) = (hidden)
`
	if string(v.Text) != want {
		t.Errorf("got:\n%s\nwant:\n%s", v.Text, want)
	}
	if !slices.Equal(v.Files, []string{"/etc/x/device.key"}) || v.StateDir != "/etc/x/state" {
		t.Errorf("files %q, state %q", v.Files, v.StateDir)
	}
	if v, err := ViewOf(strings.NewReader(configs.Sample), "c"); err != nil || !strings.Contains(string(v.Text), `relays[0].pin = "GPIO17"`) {
		t.Errorf("of the sample: %s, %v", v.Text, err)
	}
}

func TestConceal(t *testing.T) {
	clean, lines := Conceal([]byte("one /tmp/TestSomething12345/Test2/config\nkey=dGhlIGtleSBvZiB0aGUgZGV2aWNlLCBxdWl0ZSBsb25n\nSharedAccessSignature sr=h&sig=x\ntwo"))
	const line = "(this line is hidden, it looks like it holds a key)\n"
	if string(clean) != "one /tmp/TestSomething12345/Test2/config\n"+line+line+"two" || lines != 2 {
		t.Errorf("%q, %d", clean, lines)
	}
}
