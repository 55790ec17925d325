package system

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"tasmota-azd/internal/commands"
)

// network fills in what there is to say of the interface that leads out.
func (s *System) network(f *commands.Facts) {
	r, ok := s.uplink()
	if !ok {
		return
	}
	if r.gateway.IsValid() {
		f.Gateway = r.gateway.String()
	}
	f.MAC = strings.ToUpper(s.line(s.sys, "class/net/"+r.device+"/address"))
	if addrs, err := s.addrs(r.device); err == nil {
		f.IPAddress, f.Netmask = pick(addrs, r.ipv6)
	}
	if s.isWireless(r.device) {
		f.Wifi = s.wifi(r.device)
	}
}

// uplink returns the route to everywhere, that of IPv4 if there is one.
func (s *System) uplink() (route, bool) {
	if r, ok := defaultRoute(s.read(s.proc, "net/route"), parseRoute4); ok {
		return r, true
	}
	return defaultRoute(s.read(s.proc, "net/ipv6_route"), parseRoute6)
}

// pick returns the address that goes with a route, and its mask, which only
// IPv4 shows in this form. One that is good for its own link only is the last
// choice.
func pick(addrs []net.Addr, ipv6 bool) (address, mask string) {
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || (n.IP.To4() == nil) != ipv6 {
			continue
		}
		if address == "" || n.IP.IsGlobalUnicast() {
			address = n.IP.String()
			if !ipv6 {
				mask = net.IP(n.Mask).String()
			}
		}
		if n.IP.IsGlobalUnicast() {
			break
		}
	}
	return address, mask
}

// interfaceAddrs asks the kernel, which needs a netlink socket.
func interfaceAddrs(name string) ([]net.Addr, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	return i.Addrs()
}

// nameservers returns the first two servers of a resolv.conf.
func nameservers(resolvConf string) (servers [2]string) {
	found := 0
	for line := range strings.Lines(resolvConf) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil && found < len(servers) {
			servers[found] = a.String()
			found++
		}
	}
	return servers
}

// linkCount returns how often an interface came up; kernels before 4.16 do not
// count, but it is up.
func (s *System) linkCount(device string) int {
	n, err := strconv.ParseUint(s.line(s.sys, "class/net/"+device+"/carrier_up_count"), 10, 31)
	if err != nil {
		return 1
	}
	return int(n)
}
