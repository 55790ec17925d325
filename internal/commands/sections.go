package commands

import (
	"strconv"
	"strings"
	"time"
)

// What Linux, a hub or this daemon has nothing for is a constant in the form
// Tasmota gives it (language reference, 4).

const (
	groupTopic   = "tasmotas"
	switchInputs = 28 // SwitchMode has so many members, whatever is connected
	namesShown   = 8  // FriendlyName has at most so many
)

func (in *Interpreter) version() string {
	return in.device.Version + "(tasmota-azd)"
}

// address returns an IP address, or Tasmota's form of having none.
func address(s string) string {
	if s == "" {
		return "0.0.0.0"
	}
	return s
}

// friendlyNames returns a name for each of n relays, and one for the device if
// it has none.
func friendlyNames(names []string, n int) []string {
	all := make([]string, max(n, 1))
	copy(all, names)
	for i, name := range all {
		switch {
		case name != "":
		case i == 0:
			all[i] = "Tasmota"
		default:
			all[i] = "Tasmota" + strconv.Itoa(i+1)
		}
	}
	return all
}

func (in *Interpreter) writeStatus(o *object, _ moment) {
	o.number("Module", 0)
	o.text("DeviceName", in.names[0])
	o.texts("FriendlyName", in.names[:min(namesShown, len(in.names))]...)
	o.text("Topic", in.link.DeviceID)
	o.text("ButtonTopic", "0")
	o.text("Power", in.powerBits())
	o.text("PowerLock", strings.Repeat("0", in.relays.Len()))
	o.number("PowerOnState", in.settings.PowerOnState())
	o.number("LedState", 1)
	o.text("LedMask", "FFFF")
	o.number("SaveData", 1)
	o.number("SaveState", in.settings.option(optionSaveState))
	o.text("SwitchTopic", "0")
	o.raw("SwitchMode", "["+strings.Repeat("0,", switchInputs-1)+"0]")
	for _, key := range []string{
		"ButtonRetain", "SwitchRetain", "SensorRetain", "PowerRetain", "InfoRetain", "StateRetain", "StatusRetain",
	} {
		o.number(key, 0)
	}
	if faults := in.faults(); len(faults) > 0 { // not Tasmota's: it cannot tell that a pin fails
		o.texts("PowerError", faults...)
	}
}

// faults returns what is wrong with relays just now.
func (in *Interpreter) faults() []string {
	var all []string
	for i := range in.relays.Len() {
		if err := in.relays.Fault(i); err != nil {
			all = append(all, err.Error())
		}
	}
	return all
}

func (in *Interpreter) writePRM(o *object, m moment) {
	o.number("Baudrate", 115200)
	o.text("SerialConfig", "8N1")
	o.text("GroupTopic", groupTopic)
	o.text("OtaUrl", "")
	o.text("RestartReason", in.device.RestartReason)
	o.text("Uptime", duration(m.uptime))
	o.text("StartupUTC", m.wall.Add(-m.uptime).UTC().Format(timeFormat))
	o.number("Sleep", sleepTime)
	o.number("CfgHolder", 4617)
	o.number("BootCount", in.settings.BootCount)
	o.text("BCResetTime", time.Unix(in.settings.BootCountSince, 0).In(m.wall.Location()).Format(timeFormat))
	o.number("SaveCount", in.settings.SaveCount)
}

func (in *Interpreter) writeFWR(o *object, _ moment) {
	o.text("Version", in.version())
	o.text("BuildDateTime", in.device.BuildTime)
	o.text("Core", in.device.Core)
	o.text("SDK", in.device.SDK)
	o.number("CpuFrequency", in.device.CPUMHz)
	o.text("Hardware", in.device.Hardware)
}

func (in *Interpreter) writeLOG(o *object, _ moment) {
	o.number("SerialLog", 0)
	o.number("WebLog", 0)
	o.number("MqttLog", 0)
	o.number("SysLog", 0)
	o.text("LogHost", "")
	o.number("LogPort", 514)
	o.texts("SSId", "", "")
	o.number("TelePeriod", in.settings.TelePeriod)
	o.text("Resolution", "558180C0")
	o.texts("SetOption", in.settings.optionWords()...)
}

func (in *Interpreter) writeMEM(o *object, m moment) {
	o.number("ProgramSize", m.facts.ProgramKiB)
	o.number("Free", m.facts.FreeKiB)
	o.number("Heap", m.facts.HeapKiB)
	o.number("ProgramFlashSize", 0)
	o.number("FlashSize", 0)
	o.text("FlashChipId", "000000")
	o.number("FlashFrequency", 0)
	o.text("FlashMode", "")
	o.texts("Features")
	o.text("Drivers", "")
	o.text("Sensors", "")
	o.text("I2CDriver", "")
}

func (in *Interpreter) writeNET(o *object, m moment) {
	o.text("Hostname", m.facts.Hostname)
	o.text("IPAddress", address(m.facts.IPAddress))
	o.text("Gateway", address(m.facts.Gateway))
	o.text("Subnetmask", address(m.facts.Netmask))
	o.text("DNSServer1", address(m.facts.DNS[0]))
	o.text("DNSServer2", address(m.facts.DNS[1]))
	o.text("Mac", m.facts.MAC)
	o.number("Webserver", 0)
	o.number("HTTP_API", 0)
	o.number("WifiConfig", 4) // wait and retry; the system does
	o.raw("WifiPower", "0.0")
}

// What Status 6 says of the connection, beside the link itself: the largest
// message a hub sends, and how long connecting may take, in seconds.
const (
	maxPacketSize = 64 << 10
	socketTimeout = 20
)

func (in *Interpreter) writeMQT(o *object, _ moment) {
	o.text("MqttHost", in.link.Host)
	o.number("MqttPort", in.link.Port)
	o.text("MqttClientMask", in.link.DeviceID)
	o.text("MqttClient", in.link.DeviceID)
	o.text("MqttUser", in.link.User)
	o.number("MqttCount", in.connects)
	o.number("MAX_PACKET_SIZE", maxPacketSize)
	o.number("KEEPALIVE", int(in.link.KeepAlive/time.Second))
	o.number("SOCKET_TIMEOUT", socketTimeout)
}

// writeTIM writes the clock. Sunrise and sunset need a place, and there is
// none.
func (in *Interpreter) writeTIM(o *object, m moment) {
	start, end := daylightSaving(m.wall)
	o.text("UTC", m.wall.UTC().Format(timeFormat)+"Z")
	o.text("Local", m.wall.Format(timeFormat))
	o.text("StartDST", start)
	o.text("EndDST", end)
	o.text("Timezone", m.wall.Format("-07:00"))
	o.text("Sunrise", "00:00")
	o.text("Sunset", "00:00")
}

// writeSNS writes the inputs; Time is always there.
func (in *Interpreter) writeSNS(o *object, m moment) {
	o.text("Time", m.wall.Format(timeFormat))
}

// daylightSaving returns when daylight saving begins and ends in the year and
// the zone of t, each by the clock that is in force until then, and empty texts
// where it does not. It begins when clocks go forward, also in zones that call
// their winter the exception. It looks at each day, because ZoneBounds may also
// end a zone with the year.
func daylightSaving(t time.Time) (start, end string) {
	day := time.Date(t.Year(), time.January, 1, 0, 0, 0, 0, t.Location())
	for day.Year() == t.Year() {
		next := day.Add(24 * time.Hour)
		if day.IsDST() != next.IsDST() {
			change, _ := next.ZoneBounds()
			_, before := day.Zone()
			_, after := next.Zone()
			clock := change.In(time.FixedZone("", before)).Format(timeFormat)
			if after > before {
				start = clock
			} else {
				end = clock
			}
		}
		day = next
	}
	return start, end
}
