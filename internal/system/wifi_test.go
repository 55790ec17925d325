package system

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/system/nl80211"
)

func TestWifi(t *testing.T) {
	home := nl80211.Network{SSID: "home", BSSID: net.HardwareAddr{0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}, MHz: 2437, Width: nl80211.Width20, Signal: -61}
	for name, tt := range map[string]struct {
		network nl80211.Network
		err     error
		want    *commands.Wifi
	}{
		"in a network":  {home, nil, &commands.Wifi{SSID: "home", BSSID: "AA:BB:CC:DD:EE:FF", Channel: 6, Mode: "HT20", Signal: -61, LinkCount: 7}},
		"in no network": {nl80211.Network{}, nl80211.ErrNone, nil},
		"not permitted": {nl80211.Network{}, errors.New("operation not permitted"), nil},
	} {
		root := filepath.Join("testdata", "zero")
		s := New(Options{Proc: filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys"), Etc: filepath.Join(root, "etc")})
		s.askRadio = func(device string, _ time.Duration) (nl80211.Network, error) {
			if device != "wlan0" {
				t.Errorf("%s: asked about %s", name, device)
			}
			return tt.network, tt.err
		}
		got := s.Facts()
		if got.MAC != "B8:27:EB:65:43:21" || got.Gateway != "192.168.1.1" {
			t.Errorf("%s: %+v", name, got)
		}
		if w := got.Wifi; (w == nil) != (tt.want == nil) || w != nil && *w != *tt.want {
			t.Errorf("%s: %+v, want %+v", name, w, tt.want)
		}
	}
}

// TestEthernetAsksNoRadio: a cable leads out, whatever the radio does.
func TestEthernetAsksNoRadio(t *testing.T) {
	root := filepath.Join("testdata", "pi")
	s := New(Options{Proc: filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys")})
	s.askRadio = func(string, time.Duration) (nl80211.Network, error) { t.Error("asked"); return nl80211.Network{}, nil }
	s.Facts()
}

func TestChannel(t *testing.T) {
	for mhz, want := range map[int]int{
		2412: 1, 2437: 6, 2472: 13, 2484: 14, 5180: 36, 5745: 149, 5885: 177, 5955: 1, 7115: 233, 0: 0, 900: 0, 60480: 0, -5: 0,
	} {
		if got := channel(mhz); got != want {
			t.Errorf("channel at %d MHz is %d, want %d", mhz, got, want)
		}
	}
}

func TestMode(t *testing.T) {
	for width, want := range map[nl80211.Width]string{
		nl80211.Width20NoHT: "11g", nl80211.Width20: "HT20", nl80211.Width40: "HT40",
		nl80211.Width80: "VHT80", nl80211.Width80And80: "VHT80", nl80211.Width160: "VHT160",
		nl80211.Width320: "EHT320", 6: "narrow",
	} {
		if got := mode(width); got != want {
			t.Errorf("mode of %d is %s, want %s", width, got, want)
		}
	}
}
