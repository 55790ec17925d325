// Package nl80211 asks the kernel which Wi-Fi network an interface is in.
//
// It speaks generic netlink with the family nl80211 (linux/nl80211.h) and asks three
// questions: which interfaces there are, which networks one of them hears, and how
// well the station at the other end is heard. It holds nothing between two calls.
//
// A library for all of Wi-Fi was here before; it held 260 kB of the program.
package nl80211

import (
	"errors"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Network is the one that an interface is in.
type Network struct {
	SSID   string // characters that are none are replaced
	BSSID  net.HardwareAddr
	MHz    int   // of the channel
	Width  Width // of the channel
	Signal int   // in dBm; 0 if the driver does not tell
}

// Width is the width of a channel, as the kernel counts them.
type Width uint32

// The widths that Wi-Fi has in common use.
const (
	Width20NoHT  Width = unix.NL80211_CHAN_WIDTH_20_NOHT
	Width20      Width = unix.NL80211_CHAN_WIDTH_20
	Width40      Width = unix.NL80211_CHAN_WIDTH_40
	Width80      Width = unix.NL80211_CHAN_WIDTH_80
	Width80And80 Width = unix.NL80211_CHAN_WIDTH_80P80
	Width160     Width = unix.NL80211_CHAN_WIDTH_160
	Width320     Width = unix.NL80211_CHAN_WIDTH_320
)

// ErrNone says that an interface is in no network, or is none of Wi-Fi.
var ErrNone = errors.New("in no Wi-Fi network")

// Ask returns the network that an interface such as wlan0 is in. The kernel may take
// its time, but no longer than within.
func Ask(device string, within time.Duration) (Network, error) {
	c, err := dial(within)
	if err != nil {
		return Network{}, err
	}
	defer c.close()
	family, err := c.family(unix.NL80211_GENL_NAME)
	if err != nil {
		return Network{}, err
	}
	var index []byte
	var width Width
	err = c.dump(family, unix.NL80211_CMD_GET_INTERFACE, nil, func(attrs []byte) {
		if name, i, w := readInterface(attrs); name == device {
			index, width = order.AppendUint32(nil, i), w
		}
	})
	if err != nil {
		return Network{}, err
	}
	if index == nil {
		return Network{}, ErrNone
	}
	this := appendAttr(nil, unix.NL80211_ATTR_IFINDEX, index)
	n, err := c.network(family, this)
	n.Width = width
	return n, err
}

// network asks for the network of one interface, and for its signal.
func (c *conn) network(family uint16, device []byte) (Network, error) {
	n, err := Network{}, ErrNone
	failed := c.dump(family, unix.NL80211_CMD_GET_SCAN, device, func(attrs []byte) {
		if heard, joined := readBSS(attrs); joined {
			n, err = heard, nil
		}
	})
	if failed != nil {
		return n, failed
	}
	if err == nil { // without a station there is the signal of the last scan
		_ = c.dump(family, unix.NL80211_CMD_GET_STATION, device, func(attrs []byte) {
			if signal := readStation(attrs); signal < 0 {
				n.Signal = signal
			}
		})
	}
	return n, err
}

func readInterface(attrs []byte) (name string, index uint32, width Width) {
	for kind, v := range attributes(attrs) {
		switch {
		case kind == unix.NL80211_ATTR_IFNAME:
			name, _, _ = strings.Cut(string(v), "\x00")
		case kind == unix.NL80211_ATTR_IFINDEX && len(v) == 4:
			index = order.Uint32(v)
		case kind == unix.NL80211_ATTR_CHANNEL_WIDTH && len(v) == 4:
			width = Width(order.Uint32(v))
		}
	}
	return name, index, width
}

// readBSS reads a network that was heard. Only that which the interface has joined
// has a status.
func readBSS(attrs []byte) (n Network, joined bool) {
	for kind, bss := range attributes(attrs) {
		if kind != unix.NL80211_ATTR_BSS {
			continue
		}
		for kind, v := range attributes(bss) {
			switch {
			case kind == unix.NL80211_BSS_STATUS:
				joined = true
			case kind == unix.NL80211_BSS_BSSID:
				n.BSSID = net.HardwareAddr(string(v)) // a copy
			case kind == unix.NL80211_BSS_FREQUENCY && len(v) == 4:
				n.MHz = int(order.Uint32(v))
			case kind == unix.NL80211_BSS_SIGNAL_MBM && len(v) == 4: // hundredths of a dBm
				n.Signal = int(int32(order.Uint32(v))) / 100
			case kind == unix.NL80211_BSS_INFORMATION_ELEMENTS:
				n.SSID = readSSID(v)
			}
		}
	}
	return n, joined
}

// readSSID finds the name among the elements of a beacon, each of which has a number,
// a length and a value (IEEE 802.11, 9.4.2): the name is number 0.
func readSSID(elements []byte) string {
	for len(elements) >= 2 {
		number, size := elements[0], int(elements[1])
		if elements = elements[2:]; size > len(elements) {
			return ""
		}
		if number == 0 {
			return strings.ToValidUTF8(string(elements[:size]), "\uFFFD")
		}
		elements = elements[size:]
	}
	return ""
}

// readStation reads the signal of what a station sent last, in dBm, or 0.
func readStation(attrs []byte) (signal int) {
	for kind, info := range attributes(attrs) {
		if kind != unix.NL80211_ATTR_STA_INFO {
			continue
		}
		for kind, v := range attributes(info) {
			if kind == unix.NL80211_STA_INFO_SIGNAL && len(v) == 1 {
				signal = int(int8(v[0]))
			}
		}
	}
	return signal
}
