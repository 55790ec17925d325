package fresh_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/configs"
	"tasmota-azd/internal/boards"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/config/fresh"
)

// written parses the configuration of answers, in a directory that has the keys.
func written(t *testing.T, a fresh.Answers) config.Config {
	t.Helper()
	text, err := a.Text()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, file := range []string{"device.key", "enrollment.key", "my key.txt"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.Repeat("QUJD", 8)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Parse(strings.NewReader(text), filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("warnings: %q", cfg.Warnings)
	}
	explained(t, text)
	return cfg
}

// explained fails if an explanation of the sample got lost.
func explained(t *testing.T, text string) {
	t.Helper()
	rest := strings.Split(text, "\n")
	for line := range strings.SplitSeq(configs.Sample, "\n") {
		if !strings.HasPrefix(strings.TrimLeft(line, " "), "# ") {
			continue
		}
		i := slices.Index(rest, line)
		if i < 0 {
			t.Fatalf("the line %q is lost, or not in its place", line)
		}
		rest = rest[i+1:]
	}
}

func TestHub(t *testing.T) {
	cfg := written(t, fresh.Answers{Host: "h.azure-devices.net", DeviceID: "on", KeyFile: "my key.txt", ClosesAt: boards.Low,
		Relays: []fresh.Relay{{"Pump: 1", "GPIO17"}, {"Gate", "27"}, {"No", "P1_16"}}})
	if cfg.Hub.Host != "h.azure-devices.net" || cfg.Hub.DeviceID != "on" || cfg.Hub.Key.IsZero() || cfg.DPS.ScopeID != "" {
		t.Errorf("%+v", cfg.Hub)
	}
	want := []config.Relay{{Name: "Pump: 1", Pin: "GPIO17", ActiveLow: true}, {Name: "Gate", Pin: "27", ActiveLow: true}, {Name: "No", Pin: "P1_16", ActiveLow: true}}
	if !slices.Equal(cfg.Relays, want) {
		t.Errorf("%+v, want %+v", cfg.Relays, want)
	}
}

func TestDPS(t *testing.T) {
	a := fresh.Answers{Scope: "0ne00223A39", Relays: []fresh.Relay{{"Pump", "GPIO17"}}}
	d := written(t, a).DPS
	if d.ScopeID != "0ne00223A39" || d.KeyKind != config.Group || d.RegistrationID != "" || d.Key.IsZero() {
		t.Errorf("%+v", d)
	}
	a.DeviceID, a.KeyKind, a.KeyFile = "pump-1", "individual", "device.key"
	if d := written(t, a).DPS; d.KeyKind != config.Individual || d.RegistrationID != "pump-1" {
		t.Errorf("%+v", d)
	}
}

// TestBoards makes a configuration for each board that can be used.
func TestBoards(t *testing.T) {
	for _, b := range boards.All() {
		if b.Unsupported != "" {
			continue
		}
		for _, closesAt := range []boards.Polarity{"", boards.High, boards.Low} {
			for _, named := range [][]fresh.Relay{nil, {{"Pump", b.Channels[0].Label}}} {
				a := fresh.Answers{Host: "h.example", Board: b.Name, ClosesAt: closesAt, Relays: named}
				if b.Active == boards.Unknown && closesAt == "" {
					if _, err := a.Text(); err == nil || !strings.Contains(err.Error(), "tasmota-azd board test "+b.Name) {
						t.Errorf("%s: %v, want the command that finds out", b.Name, err)
					}
					continue
				}
				low := closesAt == boards.Low || closesAt == "" && b.Active == boards.Low
				cfg := written(t, a)
				if len(cfg.Relays) != len(b.Channels) || cfg.Board != b.Name || slices.ContainsFunc(cfg.Relays, func(r config.Relay) bool { return r.ActiveLow != low }) {
					t.Errorf("%s closing at %q: %+v", b.Name, closesAt, cfg.Relays)
				}
				if named != nil && cfg.Relays[0].Name != "Pump" {
					t.Errorf("%s: the first relay is %s", b.Name, cfg.Relays[0].Name)
				}
			}
		}
	}
}

func TestNotEnough(t *testing.T) {
	relays := []fresh.Relay{{"Pump", "GPIO17"}}
	for _, tt := range []struct {
		a    fresh.Answers
		want string
	}{
		{fresh.Answers{Relays: relays}, "the host name of a hub or the ID Scope"},
		{fresh.Answers{Host: "h.example", Scope: "0ne00223A39", Relays: relays}, "not both"},
		{fresh.Answers{Host: "h.example", KeyKind: "group", Relays: relays}, "a matter of DPS"},
		{fresh.Answers{Host: "h.example"}, "at least one relay"},
		{fresh.Answers{Host: "h.example", Relays: relays, ClosesAt: "unknown"}, "low or at high"},
		{fresh.Answers{Host: "h.example", Board: "none"}, "no relay board is known"},
		{fresh.Answers{Host: "h.example", Board: "piface-digital-2"}, "cannot be used"},
		{fresh.Answers{Host: "h.example", Board: "waveshare-rpi-relay-board", ClosesAt: boards.High, Relays: []fresh.Relay{{"Pump", "CH9"}}}, "has no relay"},
	} {
		if _, err := tt.a.Text(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.a, err, tt.want)
		}
	}
}

func TestParseRelay(t *testing.T) {
	if r, err := fresh.ParseRelay("a=b=GPIO17"); err != nil || r != (fresh.Relay{Name: "a=b", At: "GPIO17"}) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, text := range []string{"", "GPIO17", "=GPIO17", "Pump="} {
		if _, err := fresh.ParseRelay(text); err == nil {
			t.Errorf("%q is taken for a relay", text)
		}
	}
}

func TestAsk(t *testing.T) {
	for _, tt := range []struct {
		answers string
		want    fresh.Answers
	}{
		{"\nh.example\npump\n\n\nlow\nPump\nGPIO17\nGate\n\n27\n\n",
			fresh.Answers{Host: "h.example", DeviceID: "pump", KeyFile: "device.key", ClosesAt: "low", Relays: []fresh.Relay{{"Pump", "GPIO17"}, {"Gate", "27"}}}},
		{"x\ndps\n\n0ne00223A39\n\nindividual\n a.key \nwaveshare-rpi-relay-board\n",
			fresh.Answers{Scope: "0ne00223A39", KeyKind: "individual", KeyFile: "a.key", Board: "waveshare-rpi-relay-board"}},
		{"hub\nh.example\n\n\ngeneric-optocoupler-of-nobody\n", fresh.Answers{Host: "h.example", KeyFile: "device.key", Board: "generic-optocoupler-of-nobody"}},
	} {
		got, err := fresh.Ask(strings.NewReader(tt.answers), t.Output())
		if err != nil || got.Host != tt.want.Host || got.Scope != tt.want.Scope || got.DeviceID != tt.want.DeviceID || got.KeyFile != tt.want.KeyFile ||
			got.KeyKind != tt.want.KeyKind && tt.want.KeyKind != "" || got.Board != tt.want.Board || got.ClosesAt != tt.want.ClosesAt || !slices.Equal(got.Relays, tt.want.Relays) {
			t.Errorf("%q: %+v, %v; want %+v", tt.answers, got, err, tt.want)
		}
		for n := range strings.Count(tt.answers, "\n") { // too few answers
			short := strings.Join(strings.SplitAfter(tt.answers, "\n")[:n], "")
			if _, err := fresh.Ask(strings.NewReader(short), io.Discard); err == nil || !strings.Contains(err.Error(), "--help") {
				t.Errorf("%q: %v", short, err)
			}
		}
	}
}
