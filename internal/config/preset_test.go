package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/boards"
	"tasmota-azd/internal/config"
)

const onHub = "hub: {connection_string: " + connection + "}\n"

func TestBoard(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []config.Relay
	}{
		"alone": {"board: waveshare-rpi-relay-board\n", []config.Relay{
			{Name: "CH1", Pin: "GPIO26", ActiveLow: true}, {Name: "CH2", Pin: "GPIO20", ActiveLow: true}, {Name: "CH3", Pin: "GPIO21", ActiveLow: true}}},
		"no changes": {"board: pimoroni-automation-phat\nrelays: []\n", []config.Relay{{Name: "RELAY1", Pin: "GPIO16"}}},
		"changes": {`board: waveshare-rpi-relay-board
relays:
  - {channel: 3, name: CH1, active_low: false}
  - {channel: ch1, name: Pump, min_interval: 1m}
`, []config.Relay{
			{Name: "Pump", Pin: "GPIO26", ActiveLow: true, MinInterval: time.Minute},
			{Name: "CH2", Pin: "GPIO20", ActiveLow: true}, {Name: "CH1", Pin: "GPIO21"}}},
		"tested": {`board: waveshare-rpi-zero-relay
relays: [{channel: 1, active_low: true}, {channel: 2, active_low: false}, {channel: 3, active_low: true}, {channel: 4, active_low: true},
  {channel: 5, active_low: true}, {channel: 6, active_low: true}]
`, []config.Relay{
			{Name: "CH1", Pin: "GPIO5", ActiveLow: true}, {Name: "CH2", Pin: "GPIO6"}, {Name: "CH3", Pin: "GPIO13", ActiveLow: true},
			{Name: "CH4", Pin: "GPIO16", ActiveLow: true}, {Name: "CH5", Pin: "GPIO19", ActiveLow: true}, {Name: "CH6", Pin: "GPIO20", ActiveLow: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := parse(t, onHub+tt.text)
			if !reflect.DeepEqual(got.Relays, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got.Relays, tt.want)
			}
			if b, _, _ := strings.Cut(strings.TrimPrefix(tt.text, "board: "), "\n"); got.Board != b {
				t.Errorf("board %q, want %q", got.Board, b)
			}
		})
	}
}

// TestShownBoards pastes what "board show" prints, which must be the same as
// naming the board; where the polarity is not known it must be refused.
func TestShownBoards(t *testing.T) {
	for _, b := range boards.All() {
		if b.Unsupported != "" {
			continue
		}
		var shown strings.Builder
		if err := b.Show(&shown); err != nil {
			t.Fatal(err)
		}
		pasted, err := config.Parse(strings.NewReader(onHub+shown.String()), "f.yaml")
		named, namedErr := config.Parse(strings.NewReader(onHub+"board: "+b.Name+"\n"), "f.yaml")
		if b.Active == boards.Unknown {
			if err == nil || namedErr == nil {
				t.Errorf("%s passes although its polarity is not known", b.Name)
			}
			continue
		}
		if err != nil || namedErr != nil || !reflect.DeepEqual(pasted.Relays, named.Relays) {
			t.Errorf("%s: pasted %+v (%v), named %+v (%v)", b.Name, pasted.Relays, err, named.Relays, namedErr)
		}
	}
}
