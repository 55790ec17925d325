package nl80211

import (
	"errors"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/wifi"
	"golang.org/x/sys/unix"
)

// attr is an attribute whose value is a number, a text or further attributes.
func attr(kind uint16, value any) []byte {
	switch v := value.(type) {
	case uint32:
		return appendAttr(nil, kind, order.AppendUint32(nil, v))
	case string:
		return appendAttr(nil, kind, append([]byte(v), 0))
	case []byte:
		return appendAttr(nil, kind, v)
	}
	panic("no such value")
}

// What the kernel says of an interface, of two networks and of a station. The order is
// that of the functions that write it (net/wireless/nl80211.c).
var (
	anInterface = slices.Concat(
		attr(unix.NL80211_ATTR_IFINDEX, uint32(3)), attr(unix.NL80211_ATTR_IFNAME, "wlan0"), attr(unix.NL80211_ATTR_WIPHY, uint32(0)),
		attr(unix.NL80211_ATTR_IFTYPE, uint32(unix.NL80211_IFTYPE_STATION)), attr(unix.NL80211_ATTR_MAC, []byte{2, 0, 0, 0, 0, 1}),
		attr(unix.NL80211_ATTR_WIPHY_FREQ, uint32(2437)), attr(unix.NL80211_ATTR_CHANNEL_WIDTH, uint32(unix.NL80211_CHAN_WIDTH_20)))
	another = slices.Concat(attr(unix.NL80211_ATTR_IFINDEX, uint32(3)), attr(unix.NL80211_ATTR_BSS|unix.NLA_F_NESTED, slices.Concat(
		attr(unix.NL80211_BSS_BSSID, []byte{1, 2, 3, 4, 5, 6}), attr(unix.NL80211_BSS_FREQUENCY, uint32(5180)),
		attr(unix.NL80211_BSS_INFORMATION_ELEMENTS, []byte("\x00\x05other")))))
	joined = slices.Concat(attr(unix.NL80211_ATTR_IFINDEX, uint32(3)), attr(unix.NL80211_ATTR_BSS|unix.NLA_F_NESTED, slices.Concat(
		attr(unix.NL80211_BSS_BSSID, []byte{0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}),
		attr(unix.NL80211_BSS_INFORMATION_ELEMENTS, []byte("\x01\x04\x82\x84\x8b\x96\x00\x04home\x03\x01\x06")),
		attr(unix.NL80211_BSS_FREQUENCY, uint32(2437)), attr(unix.NL80211_BSS_SIGNAL_MBM, uint32(0xffffffff-6600+1)),
		attr(unix.NL80211_BSS_STATUS, uint32(unix.NL80211_BSS_STATUS_ASSOCIATED)))))
	aStation = slices.Concat(
		attr(unix.NL80211_ATTR_IFINDEX, uint32(3)), attr(unix.NL80211_ATTR_MAC, []byte{0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}),
		attr(unix.NL80211_ATTR_STA_INFO|unix.NLA_F_NESTED, slices.Concat(
			attr(unix.NL80211_STA_INFO_INACTIVE_TIME, uint32(4)), attr(unix.NL80211_STA_INFO_SIGNAL, []byte{0xc3}),
			attr(unix.NL80211_STA_INFO_SIGNAL_AVG, []byte{0xc2}))))
)

func TestReading(t *testing.T) {
	if name, index, width := readInterface(anInterface); name != "wlan0" || index != 3 || width != Width20 {
		t.Errorf("interface %q %d, width %d", name, index, width)
	}
	want := Network{SSID: "home", BSSID: net.HardwareAddr{0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}, MHz: 2437, Signal: -66}
	if n, in := readBSS(joined); !in || !reflect.DeepEqual(n, want) {
		t.Errorf("network %+v, %v", n, in)
	}
	if n, in := readBSS(another); in || n.SSID != "other" {
		t.Errorf("network %+v, %v, want one that is not joined", n, in)
	}
	if signal := readStation(aStation); signal != -61 {
		t.Errorf("signal %d", signal)
	}
}

// TestReadingAsOthersDo: a library that many radios have been asked with reads the same.
func TestReadingAsOthersDo(t *testing.T) {
	s, err := wifi.ParseStationInfo(aStation)
	if err != nil || s.Signal != -61 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestSSID(t *testing.T) {
	for elements, want := range map[string]string{
		"\x00\x00":             "",
		"\x00\x03a\xffb":       "a\uFFFDb",
		"\x00\x04abc":          "", // cut
		"\x05\x02ab\x00\x01x":  "x",
		"\x05\xffab\x00\x01x":  "",
		"\x00\x06h\xc3\xb6me!": "höme!",
		"":                     "",
		"\x00":                 "",
	} {
		if got := readSSID([]byte(elements)); got != want {
			t.Errorf("%q has the name %q, want %q", elements, got, want)
		}
	}
}

// message is one of the kernel's, with the header of netlink.
func message(kind uint16, seq uint32, body []byte) []byte {
	m := order.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	m = order.AppendUint16(m, kind)
	m = order.AppendUint16(m, unix.NLM_F_MULTI)
	m = order.AppendUint32(m, seq)
	m = order.AppendUint32(m, 0)
	m = append(m, body...)
	return append(m, make([]byte, aligned(len(body))-len(body))...)
}

func TestAnswers(t *testing.T) {
	const family, seq = 31, 7
	data := append([]byte{1, 1, 0, 0}, attr(unix.NL80211_ATTR_IFNAME, "wlan0")...)
	ok, fail := order.AppendUint32(nil, 0), order.AppendUint32(nil, 0xffffffff) // -1: EPERM
	for name, tt := range map[string]struct {
		packet []byte
		n      int
		over   bool
		err    error
		seen   int
	}{
		"one, more to come":   {message(family, seq, data), 1, false, nil, 1},
		"two and the end":     {slices.Concat(message(family, seq, data), message(family, seq, data), message(unix.NLMSG_DONE, seq, ok)), 3, true, nil, 2},
		"an end without more": {message(unix.NLMSG_DONE, seq, nil), 1, true, nil, 0},
		"acknowledged":        {message(unix.NLMSG_ERROR, seq, ok), 1, true, nil, 0},
		"refused":             {message(unix.NLMSG_ERROR, seq, fail), 1, true, unix.EPERM, 0},
		"refused at the end":  {message(unix.NLMSG_DONE, seq, fail), 1, true, unix.EPERM, 0},
		"of another request":  {message(unix.NLMSG_ERROR, seq-1, fail), 0, false, nil, 0},
		"cut":                 {message(family, seq, data)[:20], 0, false, errMalformed, 0},
		"an error cut":        {message(unix.NLMSG_ERROR, seq, []byte{0}), 1, false, errMalformed, 0},
		"without a header":    {message(family, seq, []byte{1}), 1, false, errMalformed, 0},
		"nothing":             {nil, 0, false, nil, 0},
	} {
		seen := 0
		n, over, err := answers(tt.packet, seq, func(attrs []byte) {
			if name, _, _ := readInterface(attrs); name == "wlan0" {
				seen++
			}
		})
		if n != tt.n || over != tt.over || !errors.Is(err, tt.err) || seen != tt.seen {
			t.Errorf("%s: %d, %v, %v, %d seen; want %d, %v, %v, %d", name, n, over, err, seen, tt.n, tt.over, tt.err, tt.seen)
		}
	}
}

// TestKernel asks this machine's kernel about generic netlink itself, which is a family
// everywhere.
func TestKernel(t *testing.T) {
	c, err := dial(10 * time.Second)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: the kernel's answers, as there is no netlink here: %v", err)
	}
	defer c.close()
	if id, err := c.family("nlctrl"); id != unix.GENL_ID_CTRL || err != nil {
		t.Errorf("family nlctrl: %d, %v", id, err)
	}
	if id, err := c.family("no-such-family"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a family that is none: %d, %v", id, err)
	}
	var names []string
	err = c.dump(unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, nil, func(attrs []byte) {
		for kind, v := range attributes(attrs) {
			if kind == unix.CTRL_ATTR_FAMILY_NAME {
				names = append(names, unix.ByteSliceToString(v))
			}
		}
	})
	if err != nil || !slices.Contains(names, "nlctrl") {
		t.Errorf("families %q, %v", names, err)
	}
}

// TestPatience: a kernel that says nothing is not waited for.
func TestPatience(t *testing.T) {
	c, err := dial(20 * time.Millisecond)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: patience, as there is no netlink here: %v", err)
	}
	defer c.close()
	if _, err := c.receive(); !errors.Is(err, unix.ETIMEDOUT) {
		t.Errorf("%v, want %v", err, unix.ETIMEDOUT)
	}
}

// TestAsk: a device that is none is in no network, and where there is no Wi-Fi at all
// that is an error too.
func TestAsk(t *testing.T) {
	if n, err := Ask("no-such-device", 10*time.Second); err == nil {
		t.Errorf("%+v", n)
	}
}

func FuzzAnswers(f *testing.F) {
	for _, attrs := range [][]byte{anInterface, another, joined, aStation} {
		f.Add(slices.Concat(message(31, 7, append([]byte{1, 1, 0, 0}, attrs...)), message(unix.NLMSG_DONE, 7, nil)))
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		answers(packet, 7, func(attrs []byte) {
			readInterface(attrs)
			readBSS(attrs)
			readStation(attrs)
		})
	})
}
