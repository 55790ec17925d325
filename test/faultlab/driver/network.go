package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// The device is in a namespace of its own, and so is a router between it and the
// cloud, which is where the driver is:
//
//	cloud 10.0.2.1 c0 ── n0 10.0.2.2 router 10.0.1.1 n1 ── d0 10.0.1.2 device
const (
	cloudAddress = "10.0.2.1"
	nowhere      = "10.0.2.99" // nobody has this address
	hubName      = "hub.lab"
)

const wires = `
ip netns add router
ip netns add device
ip link add c0 type veth peer name n0 netns router
ip -n router link add n1 type veth peer name d0 netns device
ip addr add 10.0.2.1/24 dev c0
ip -n router addr add 10.0.2.2/24 dev n0
ip -n router addr add 10.0.1.1/24 dev n1
ip -n device addr add 10.0.1.2/24 dev d0
ip link set c0 up
ip -n router link set n0 up
ip -n router link set n1 up
ip -n device link set lo up
ip -n device link set d0 up
ip route add 10.0.1.0/24 via 10.0.2.2
ip -n device route add default via 10.0.1.1
ip netns exec router sysctl -q -w net.ipv4.ip_forward=1
`

// script runs one program for each line.
func script(lines string) error {
	for line := range strings.Lines(lines) {
		if words := strings.Fields(line); len(words) > 0 {
			if err := command(words[0], words[1:]...); err != nil {
				return err
			}
		}
	}
	return nil
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// netem has the router treat what it passes on so, in both directions.
func netem(how string) error {
	return script("tc -n router qdisc replace dev n0 root netem " + how + "\ntc -n router qdisc replace dev n1 root netem " + how)
}

func noNetem() error {
	return script("tc -n router qdisc del dev n0 root\ntc -n router qdisc del dev n1 root")
}

// firewall has the router treat what it would pass on by this rule of nftables.
func firewall(rule string) error {
	return command("ip", "netns", "exec", "router", "nft",
		"add table ip lab; add chain ip lab pass { type filter hook forward priority 0; }; add rule ip lab pass "+rule)
}

// silence has the router not tell what it could not pass on.
func silence() error {
	return command("ip", "netns", "exec", "router", "nft",
		"add table ip lab; add chain ip lab own { type filter hook output priority 0; }; add rule ip lab own icmp type destination-unreachable drop")
}

func noFirewall() error {
	return command("ip", "netns", "exec", "router", "nft", "flush ruleset")
}

// mtu sets the size of the largest packet that the router passes on.
func mtu(bytes int) error {
	return script(fmt.Sprintf("ip -n router link set n0 mtu %d\nip -n router link set n1 mtu %[1]d", bytes))
}
