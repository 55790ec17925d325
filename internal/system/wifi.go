package system

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mdlayher/wifi"

	"tasmota-azd/internal/commands"
)

// radioTimeout is how long the kernel may take over the questions about a radio,
// because the device loop waits for the answers.
const radioTimeout = time.Second

// radio is what is asked of nl80211; a wifi.Client has these methods.
type radio interface {
	Interfaces() ([]*wifi.Interface, error)
	BSS(*wifi.Interface) (*wifi.BSS, error)
	StationInfo(*wifi.Interface) ([]*wifi.StationInfo, error)
	SetDeadline(time.Time) error
	Close() error
}

func dialRadio() (radio, error) {
	c, err := wifi.New()
	if err != nil {
		return nil, err // not c, which would be a radio that is not nil
	}
	return c, nil
}

func (s *System) isWireless(device string) bool {
	for _, mark := range []string{"wireless", "phy80211"} {
		if _, err := os.Stat(filepath.Join(s.sys, "class/net", device, mark)); err == nil {
			return true
		}
	}
	return false
}

// wifi describes the network a wireless interface is in, nil if it is in none
// or the kernel does not tell. The socket is opened for each question, so that
// nothing is held between two of them and a driver loaded anew does not matter.
//
// What the kernel answers has not been seen on a real radio: the machines this
// was built on have none. The questions are those of the wifi package, and
// describe, which makes something of the answers, has tests.
func (s *System) wifi(device string) *commands.Wifi {
	c, err := s.dialRadio()
	if err != nil {
		return nil
	}
	defer c.Close()
	if c.SetDeadline(time.Now().Add(radioTimeout)) != nil {
		return nil
	}
	all, err := c.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range all {
		if i.Name != device {
			continue
		}
		bss, err := c.BSS(i)
		if err != nil {
			return nil
		}
		stations, _ := c.StationInfo(i) // without them there is the network's own signal
		w := describe(i, bss, stations)
		w.LinkCount = s.linkCount(device)
		return w
	}
	return nil
}

// describe puts together what the kernel says of an interface, of the network
// it is in, and of its link to the access point.
func describe(i *wifi.Interface, bss *wifi.BSS, stations []*wifi.StationInfo) *commands.Wifi {
	w := &commands.Wifi{
		SSID:    bss.SSID,
		BSSID:   strings.ToUpper(bss.BSSID.String()),
		Channel: channel(bss.Frequency),
		Mode:    mode(i.ChannelWidth),
		Signal:  int(bss.Signal) / 100, // from hundredths of a dBm
	}
	for _, st := range stations {
		if st.Signal < 0 {
			w.Signal = st.Signal
		}
	}
	return w
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
func mode(w wifi.ChannelWidth) string {
	switch w {
	case wifi.ChannelWidth20NoHT:
		return "11g"
	case wifi.ChannelWidth20:
		return "HT20"
	case wifi.ChannelWidth40:
		return "HT40"
	case wifi.ChannelWidth80, wifi.ChannelWidth80P80:
		return "VHT80"
	case wifi.ChannelWidth160:
		return "VHT160"
	case wifi.ChannelWidth320:
		return "EHT320"
	}
	return w.String()
}
