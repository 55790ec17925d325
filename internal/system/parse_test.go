package system

import (
	"net/netip"
	"os"
	"strings"
	"testing"
)

func TestParseRoute4(t *testing.T) {
	for line, want := range map[string]route{
		"eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0":     {device: "eth0", metric: 100, gateway: netip.MustParseAddr("192.168.1.1")},
		"ppp0 00000000 00000000 0001 0 0 0 00000000 0 0 0":       {device: "ppp0"},
		"eth0 00000000 0101A8C0 0003 0 0 100 000000FF 0 0 0":     {}, // a smaller net
		"eth0 0001A8C0 00000000 0001 0 0 100 00FFFFFF 0 0 0":     {},
		"eth0 00000000 0101A8C0 0002 0 0 100 00000000 0 0 0":     {}, // down
		"eth0 00000000 0101A8C0 0203 0 0 100 00000000 0 0 0":     {}, // rejects
		"lo 00000000 00000000 0001 0 0 0 00000000 0 0 0":         {},
		"../x 00000000 00000000 0001 0 0 0 00000000 0 0 0":       {},
		"eth0 00000000 0101A8C0 0003 0 0 -1 00000000 0 0 0":      {},
		"eth0 00000000 0101A8C0FF 0003 0 0 1 00000000 0 0 0":     {},
		"eth0 00000000 0101A8C0 xyz 0 0 1 00000000 0 0 0":        {},
		"eth0 00000000 0101A8C0 0003 0 0 1":                      {},
		"Iface Destination Gateway Flags RefCnt Use Metric Mask": {},
	} {
		if got, ok := parseRoute4(strings.Fields(line)); got != want || ok != (want.device != "") {
			t.Errorf("%s: %+v, %v, want %+v", line, got, ok, want)
		}
	}
}

func TestParseRoute6(t *testing.T) {
	zero := strings.Repeat("0", 32)
	hop := "fe800000000000000000000000000001"
	for line, want := range map[string]route{
		zero + " 00 " + zero + " 00 " + hop + " 00000400 1 0 00000003 eth0":  {device: "eth0", metric: 1024, ipv6: true, gateway: netip.MustParseAddr("fe80::1")},
		zero + " 00 " + zero + " 00 " + zero + " 00000400 1 0 00000001 wg0":  {device: "wg0", metric: 1024, ipv6: true},
		zero + " 40 " + zero + " 00 " + hop + " 00000400 1 0 00000003 eth0":  {},
		hop + " 00 " + zero + " 00 " + hop + " 00000400 1 0 00000003 eth0":   {},
		zero + " 00 " + zero + " 00 " + zero + " ffffffff 1 0 00200200 lo":   {},
		zero + " 00 " + zero + " 00 " + zero + " ffffffff 1 0 00200201 eth0": {},
		zero + " 00 " + zero + " 00 fe80 00000400 1 0 00000003 eth0":         {},
		zero + " 00 " + zero + " 00 c0a80101 00000400 1 0 00000003 eth0":     {}, // no address of IPv6
		zero + " 00 " + zero + " 00 " + hop + " 0000040g 1 0 00000003 eth0":  {},
		zero + " 00 " + zero + " 00 " + hop + " 00000400 1 0 00000003":       {},
	} {
		if got, ok := parseRoute6(strings.Fields(line)); got != want || ok != (want.device != "") {
			t.Errorf("%s: %+v, %v, want %+v", line, got, ok, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]int{
		"0.38 0.25": 19, "2.00 1": 100, "5.5": 275, "": 0, "x": 0, "-1 0": 0, "NaN 0": 0, "Inf": 0, "1e300": 0,
	} {
		if got := loadPercent(text, 2); got != want {
			t.Errorf("load %q is %d, want %d", text, got, want)
		}
	}
	for text, want := range map[string]int{
		"MemFree: 1 kB\nMemAvailable:    512000 kB\n": 512000, "MemAvailable: x kB": 0, "MemAvailable: -1 kB": 0, "": 0,
	} {
		if got := memAvailable(text); got != want {
			t.Errorf("memory in %q is %d, want %d", text, got, want)
		}
	}
}

func FuzzDefaultRoute(f *testing.F) {
	for _, name := range []string{"pi/proc/net/route", "pc/proc/net/ipv6_route"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("\x00 00000000 00000000 1 0 0 0 00000000")
	f.Fuzz(func(t *testing.T, table string) {
		for _, parse := range []func([]string) (route, bool){parseRoute4, parseRoute6} {
			r, ok := defaultRoute(table, parse)
			if !ok && r != (route{}) || ok && (r.device == "" || !strings.Contains(table, r.device)) {
				t.Errorf("%v, %+v", ok, r)
			}
			if strings.Contains(r.device, "/") || r.device == ".." {
				t.Errorf("the device %q leads to another folder", r.device)
			}
			if r.gateway.IsValid() && (r.gateway.IsUnspecified() || r.gateway.Is6() != r.ipv6) {
				t.Errorf("gateway %s", r.gateway)
			}
		}
	})
}

func FuzzNameservers(f *testing.F) {
	b, err := os.ReadFile("testdata/pi/etc/resolv.conf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add("nameserver\nnameserver \nnameserver 1.2.3.4\x00\nnameserver ::1")
	f.Fuzz(func(t *testing.T, text string) {
		servers := nameservers(text)
		if servers[0] == "" && servers[1] != "" {
			t.Errorf("a second server without a first: %q", servers)
		}
		for _, s := range servers {
			if s == "" {
				continue
			}
			if _, err := netip.ParseAddr(s); err != nil {
				t.Error(err)
			}
		}
	})
}
