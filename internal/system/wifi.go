package system

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/system/nl80211"
)

// radioTimeout is how long the kernel may take over the questions about a radio,
// because the device loop waits for the answers.
const radioTimeout = time.Second

func (s *System) isWireless(device string) bool {
	for _, mark := range []string{"wireless", "phy80211"} {
		if _, err := os.Stat(filepath.Join(s.sys, "class/net", device, mark)); err == nil {
			return true
		}
	}
	return false
}

// wifi describes the network a wireless interface is in, nil if it is in none
// or the kernel does not tell.
//
// What the kernel answers has not been seen on a real radio: the machines this
// was built on have none.
func (s *System) wifi(device string) *commands.Wifi {
	n, err := s.askRadio(device, radioTimeout)
	if err != nil {
		return nil
	}
	return &commands.Wifi{
		SSID:      n.SSID,
		BSSID:     strings.ToUpper(n.BSSID.String()),
		Channel:   channel(n.MHz),
		Mode:      mode(n.Width),
		Signal:    n.Signal,
		LinkCount: s.linkCount(device),
	}
}

// channel returns the number of the channel at a frequency in MHz (IEEE
// 802.11), 0 if there is none.
func channel(mhz int) int {
	switch {
	case mhz == 2484:
		return 14
	case 2412 <= mhz && mhz < 2484:
		return (mhz - 2407) / 5
	case 5000 < mhz && mhz < 5925:
		return (mhz - 5000) / 5
	case 5955 <= mhz && mhz <= 7115:
		return (mhz - 5950) / 5
	}
	return 0
}

// mode names the width of the channel as Tasmota does on ESP32, and in its
// manner where it knows none.
func mode(w nl80211.Width) string {
	switch w {
	case nl80211.Width20NoHT:
		return "11g"
	case nl80211.Width20:
		return "HT20"
	case nl80211.Width40:
		return "HT40"
	case nl80211.Width80, nl80211.Width80And80:
		return "VHT80"
	case nl80211.Width160:
		return "VHT160"
	case nl80211.Width320:
		return "EHT320"
	}
	return "narrow" // 1 to 16 MHz, in no common use
}
