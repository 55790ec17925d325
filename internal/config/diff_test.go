package config_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/token"
)

const otherKey = "T1RIRVJfT1RIRVJfT1RIRVJfT1RIRVI="

func texts(changes []config.Change) (all []string) {
	for _, c := range changes {
		all = append(all, c.String())
	}
	return all
}

// A change of each kind, as a log tells it.
func TestDiff(t *testing.T) {
	old := parse(t, "hub: {host: h.azure-devices.net, device_id: pump, key: "+key+"}\n"+`
relays:
  - {name: Pump, pin: GPIO17}
  - {name: Gate, pin: P1_13, active_low: true}
  - {name: Fan, pin: GPIO5}
`)
	new := parse(t, "hub: {host: h2.azure-devices.net, device_id: pump, key: "+otherKey+"}\n"+`
relays:
  - {name: Gate, pin: 27, min_interval: 5s}
  - {name: Well, pin: P1_11}
  - {name: Lamp, pin: GPIO22, active_low: true}
telemetry: {period: 10s}
metrics: {listen: "127.0.0.1:9100"}
log: {level: debug}
`)
	want := []string{
		"hub.host: h.azure-devices.net is now h2.azure-devices.net",
		"hub.key changed",
		"relays[2]: Fan on GPIO5 is removed",
		"relays[0]: relay 2 on 27 is now relay 1 on 27",
		"relays[0].active_low: true is now false",
		"relays[0].min_interval: 0s is now 5s",
		"relays[1]: relay 1 on P1_11 is now relay 2 on P1_11",
		"relays[1].name: Pump is now Well",
		"relays[2]: Lamp on GPIO22 (active low) is new",
		"telemetry.period: 5m0s is now 10s",
		"metrics.listen: 127.0.0.1:9100 is new",
		"log.level: INFO is now DEBUG",
	}
	if got := texts(config.Diff(old, new)); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := config.Diff(old, old); len(got) > 0 {
		t.Errorf("a file differs from itself: %q", texts(got))
	}
}

// Every key of the file is compared: what is forgotten here would be applied in silence.
func TestDiffKnowsEveryKey(t *testing.T) {
	from := config.Config{}
	to := config.Config{
		Hub: config.Hub{Host: "a", Gateway: "a", Port: 1, Transport: "a", DeviceID: "a", TokenTTL: 1, KeepAlive: 1},
		DPS: config.DPS{ScopeID: "a", Endpoint: "a", RegistrationID: "a", KeyKind: "a"},
		NTP: config.NTP{Servers: []string{"a"}}, GPIO: config.GPIO{Driver: "a", SimDir: "a", OnStop: "a", Stagger: 1, MaxPerMinute: 1, MaxAge: 1},
		Board: "a", Telemetry: config.Telemetry{Period: 1, FullTopic: "a", DailyLimit: 1, Meter: 1}, StateDir: "a",
		Metrics: config.Metrics{Listen: "a"}, Log: config.Log{Level: slog.LevelWarn, Format: "a"},
	}
	k, err := token.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	to.Hub.Key, to.Hub.Secondary, to.DPS.Key = k, k, k
	told := map[string]bool{
		// These two say what hub.key says, and a certificate has two files. A CA and
		// a certificate have tests of their own.
		"hub.key_file": true, "hub.connection_string": true, "hub.connection_string_file": true, "dps.key_file": true,
		"hub.cert_file": true, "hub.cert_key_file": true, "dps.cert_file": true, "dps.cert_key_file": true,
		"hub.ca_file": true, "dps.ca_file": true,
	}
	for _, c := range config.Diff(from, to) {
		told[c.Key] = true
	}
	relay := func(r config.Relay) config.Config { return config.Config{Relays: []config.Relay{r}} }
	for _, r := range []config.Relay{{Name: "a"}, {Pin: "a"}, {ActiveLow: true}, {MinInterval: 1}, {MaxAge: 1}} {
		for _, c := range config.Diff(relay(config.Relay{}), relay(r)) {
			told[strings.Replace(c.Key, "[0]", "[]", 1)] = true
		}
	}
	told["relays[].pin"] = told["relays[]"]
	told["relays[].channel"] = true // is a pin by another name
	for _, k := range config.Keys() {
		if k.Allowed != "" && !told[k.Path] {
			t.Errorf("a change of %s is not told", k.Path)
		}
	}
}

// Neither a key nor what may be one gets into the diff, or into its fields.
func TestDiffHasNoSecrets(t *testing.T) {
	one := parse(t, "hub: {host: h.azure-devices.net, key: "+key+"}\n"+relays)
	two := parse(t, "hub: {host: h.azure-devices.net, key: "+otherKey+"}\n"+relays)
	two.Hub.DeviceID = otherKey // which the checker would refuse
	two.Hub.Secondary, two.DPS.Key = two.Hub.Key, two.Hub.Key
	for _, changes := range [][]config.Change{config.Diff(one, two), config.Diff(two, one)} {
		if len(changes) != 4 {
			t.Errorf("%q", texts(changes))
		}
		text := fmt.Sprintf("%+v %q", changes, texts(changes))
		for _, secret := range []string{key, otherKey, strings.TrimRight(otherKey, "="), one.Hub.Key.Fingerprint(), two.Hub.Key.Fingerprint()} {
			if strings.Contains(text, secret) {
				t.Errorf("the diff shows a secret: %s", text)
			}
		}
	}
}

// What is too long, or looks like a key, is compared as it is, whatever is shown of it.
func TestDiffComparesWhatItDoesNotShow(t *testing.T) {
	from := config.Config{StateDir: "/tmp/A1" + strings.Repeat("b", 60) + "/one"}
	to := config.Config{StateDir: "/tmp/A1" + strings.Repeat("b", 60) + "/two"}
	if len(config.Diff(from, to)) != 1 {
		t.Error("a change is not seen")
	}
}

func TestPinLines(t *testing.T) {
	head := "hub: {host: h.azure-devices.net, key: " + key + "}\n"
	listed := parse(t, head+"relays:\n  - name: Pump\n    pin: GPIO17\n  - {name: Gate, pin: GPIO27}\n")
	if !slices.Equal(listed.PinLines, []int{4, 5}) {
		t.Errorf("lines %v", listed.PinLines)
	}
	preset := parse(t, head+"board: waveshare-rpi-relay-board\n")
	if len(preset.PinLines) != len(preset.Relays) || preset.PinLines[0] != 2 {
		t.Errorf("lines %v of %d relays", preset.PinLines, len(preset.Relays))
	}
}
