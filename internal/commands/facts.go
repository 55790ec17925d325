package commands

import "time"

// Machine returns what is known of the machine, and what of it just now.
func (in *Interpreter) Machine() (Device, Facts) {
	return in.device, in.facts()
}

// Names returns the FriendlyName of each relay, in their order.
func (in *Interpreter) Names() []string {
	return in.names[:in.relays.Len()]
}

// A Device is what stays the same while the daemon runs.
type Device struct {
	Version       string // of the daemon: "0.1.0"
	BuildTime     string // "2026-10-08T12:00:00"
	Core          string // the operating system: "Debian GNU/Linux 12 (bookworm)"
	SDK           string // what built the daemon: "go1.26.8"
	Hardware      string // the board: "Raspberry Pi 4 Model B Rev 1.4"
	CPUMHz        int    // 0 if not known
	RestartReason string // "Power On" or "Software/System restart"
}

// Facts are what the machine looks like just now. What is not known keeps its
// zero value.
type Facts struct {
	Hostname  string
	IPAddress string // of the interface that leads out, "192.168.1.20"
	Netmask   string // "255.255.255.0"
	Gateway   string
	DNS       [2]string
	MAC       string // of the same interface, "AA:BB:CC:DD:EE:FF"
	Wifi      *Wifi  // nil unless that interface is a wireless one in a network

	HeapKiB    int // heap of the daemon
	FreeKiB    int // memory the machine could still give
	ProgramKiB int // size of the program's file
	LoadAvg    int // load of the last minute in percent of all processors
}

// Wifi describes a wireless uplink.
type Wifi struct {
	SSID      string
	BSSID     string // "AA:BB:CC:DD:EE:FF"
	Channel   int
	Mode      string // "HT20"
	Signal    int    // dBm
	LinkCount int    // how often the link came up
}

// Quality returns the signal in percent, as Tasmota counts it: −100 dBm is 0,
// −50 dBm and more is 100.
func (w Wifi) Quality() int {
	return min(max(2*(w.Signal+100), 0), 100)
}

// A Link is the session with the hub that now stands.
type Link struct {
	Host      string // of the hub
	Port      int
	DeviceID  string // which is Tasmota's Topic and MqttClient here
	User      string // MQTT user name; holds no secret
	KeepAlive time.Duration
}
