package system

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/mdlayher/wifi"

	"tasmota-azd/internal/commands"
)

// A fakeRadio answers what a test wants of nl80211.
type fakeRadio struct {
	interfaces []*wifi.Interface
	bss        *wifi.BSS
	stations   []*wifi.StationInfo
	mute       bool // answers nothing about interfaces
	deadline   bool
	closed     int
}

var errRadio = errors.New("operation not permitted")

func (r *fakeRadio) Interfaces() ([]*wifi.Interface, error) {
	if r.mute || !r.deadline {
		return nil, errRadio
	}
	return r.interfaces, nil
}

func (r *fakeRadio) BSS(i *wifi.Interface) (*wifi.BSS, error) {
	if r.bss == nil || i.Name != "wlan0" {
		return nil, errRadio
	}
	return r.bss, nil
}

func (r *fakeRadio) StationInfo(*wifi.Interface) ([]*wifi.StationInfo, error) {
	if r.stations == nil {
		return nil, errRadio
	}
	return r.stations, nil
}

func (r *fakeRadio) SetDeadline(t time.Time) error { r.deadline = !t.IsZero(); return nil }
func (r *fakeRadio) Close() error                  { r.closed++; return nil }

func TestWifi(t *testing.T) {
	both := []*wifi.Interface{{Name: "p2p0"}, {Name: "wlan0", ChannelWidth: wifi.ChannelWidth20}}
	home := &wifi.BSS{SSID: "home", BSSID: net.HardwareAddr{0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}, Frequency: 2437, Signal: -6600}
	want := commands.Wifi{SSID: "home", BSSID: "AA:BB:CC:DD:EE:FF", Channel: 6, Mode: "HT20", Signal: -61, LinkCount: 7}
	weaker := want
	weaker.Signal = -66
	for name, tt := range map[string]struct {
		radio *fakeRadio
		want  *commands.Wifi
	}{
		"in a network":        {&fakeRadio{interfaces: both, bss: home, stations: []*wifi.StationInfo{{Signal: -61}}}, &want},
		"without stations":    {&fakeRadio{interfaces: both, bss: home}, &weaker},
		"without a signal":    {&fakeRadio{interfaces: both, bss: home, stations: []*wifi.StationInfo{{}}}, &weaker},
		"in no network":       {&fakeRadio{interfaces: both}, nil},
		"another radio":       {&fakeRadio{interfaces: both[:1], bss: home}, nil},
		"nothing may be told": {&fakeRadio{mute: true}, nil},
		"no nl80211":          {nil, nil},
	} {
		root := filepath.Join("testdata", "zero")
		s := New(Options{Proc: filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys"), Etc: filepath.Join(root, "etc")})
		s.dialRadio = func() (radio, error) {
			if tt.radio == nil {
				return nil, errRadio
			}
			return tt.radio, nil
		}
		got := s.Facts()
		if got.MAC != "B8:27:EB:65:43:21" || got.Gateway != "192.168.1.1" {
			t.Errorf("%s: %+v", name, got)
		}
		if w := got.Wifi; (w == nil) != (tt.want == nil) || w != nil && *w != *tt.want {
			t.Errorf("%s: %+v, want %+v", name, w, tt.want)
		}
		if tt.radio != nil && tt.radio.closed != 1 {
			t.Errorf("%s: closed %d times", name, tt.radio.closed)
		}
	}
}

// TestEthernetAsksNoRadio: a cable leads out, whatever the radio does.
func TestEthernetAsksNoRadio(t *testing.T) {
	root := filepath.Join("testdata", "pi")
	s := New(Options{Proc: filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys")})
	s.dialRadio = func() (radio, error) { t.Error("asked"); return nil, errRadio }
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
	for width, want := range map[wifi.ChannelWidth]string{
		wifi.ChannelWidth20NoHT: "11g", wifi.ChannelWidth20: "HT20", wifi.ChannelWidth40: "HT40",
		wifi.ChannelWidth80: "VHT80", wifi.ChannelWidth80P80: "VHT80", wifi.ChannelWidth160: "VHT160",
		wifi.ChannelWidth320: "EHT320", wifi.ChannelWidth5: "5 MHz",
	} {
		if got := mode(width); got != want {
			t.Errorf("mode of %s is %s, want %s", width, got, want)
		}
	}
}

// TestDialRadio: here there is mostly no radio, and then no half one.
func TestDialRadio(t *testing.T) {
	r, err := dialRadio()
	if (r == nil) != (err != nil) {
		t.Errorf("dialRadio: %v, %v", r, err)
	}
	if r != nil {
		r.Close()
	}
}
