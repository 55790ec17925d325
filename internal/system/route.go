package system

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// A route is one line of a routing table that leads everywhere.
type route struct {
	device  string
	gateway netip.Addr // invalid if the link has none
	metric  uint64
	ipv6    bool
}

// Flags of a route, from linux/route.h.
const (
	routeUp     = 0x1
	routeReject = 0x200
)

// defaultRoute returns the route of the lowest metric among those lines of a
// table that parse takes for a default route.
func defaultRoute(table string, parse func(fields []string) (route, bool)) (best route, found bool) {
	for line := range strings.Lines(table) {
		r, ok := parse(strings.Fields(line))
		if ok && (!found || r.metric < best.metric) {
			best, found = r, true
		}
	}
	return best, found
}

// parseRoute4 reads a line of /proc/net/route:
//
//	Iface  Destination  Gateway   Flags  RefCnt  Use  Metric  Mask      MTU  Window  IRTT
//	eth0   00000000     0101A8C0  0003   0       0    100     00000000  0    0       0
//
// Addresses are numbers in hexadecimal, which have the order of the network in
// memory; the metric is decimal.
func parseRoute4(f []string) (route, bool) {
	if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" || !passable(f[3]) || !isDevice(f[0]) {
		return route{}, false
	}
	gateway, err := strconv.ParseUint(f[2], 16, 32)
	metric, err2 := strconv.ParseUint(f[6], 10, 32)
	if err != nil || err2 != nil {
		return route{}, false
	}
	r := route{device: f[0], metric: metric}
	if gateway != 0 {
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(gateway))
		r.gateway = netip.AddrFrom4(b)
	}
	return r, true
}

// parseRoute6 reads a line of /proc/net/ipv6_route: destination and the length
// of its prefix, source and the same, next hop, metric, two counters, flags,
// interface. All numbers are hexadecimal, addresses in the order of the network.
func parseRoute6(f []string) (route, bool) {
	if len(f) < 10 || strings.Trim(f[0], "0") != "" || f[1] != "00" || !passable(f[8]) || !isDevice(f[9]) {
		return route{}, false
	}
	hop, err := hex.DecodeString(f[4])
	metric, err2 := strconv.ParseUint(f[5], 16, 32)
	if err != nil || err2 != nil {
		return route{}, false
	}
	gateway, ok := netip.AddrFromSlice(hop)
	if !ok || !gateway.Is6() {
		return route{}, false
	}
	r := route{device: f[9], metric: metric, ipv6: true}
	if !gateway.IsUnspecified() {
		r.gateway = gateway
	}
	return r, true
}

// passable reads the flags of a route in hexadecimal.
func passable(flags string) bool {
	n, err := strconv.ParseUint(flags, 16, 32)
	return err == nil && n&routeUp != 0 && n&routeReject == 0
}

// isDevice tells whether name can be a network interface that leads out: it
// becomes part of a path.
func isDevice(name string) bool {
	return name != "lo" && name != "." && name != ".." && !strings.Contains(name, "/")
}
