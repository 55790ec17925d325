package commands

import (
	"fmt"
	"time"

	"tasmota-azd/internal/cause"
)

var telemetryFamily = map[string]handler{
	"STATE":      (*Interpreter).state,
	"TELEPERIOD": (*Interpreter).telePeriod,
}

// telemetry is what goes out without being asked for, while there is a session.
type telemetry struct {
	connected bool
	announced bool        // INFO1 to INFO3 went out
	due       time.Time   // when the next STATE is, zero for never
	cause     cause.Cause // of the TelePeriod that wants it
}

// soon is when the STATE set off by TelePeriod goes out: within a second, but
// so that several of them share one.
const soon = 500 * time.Millisecond

// defaultPeriod is the firmware's own, in seconds.
const defaultPeriod = 300

// telePeriod shows or changes the period of STATE, and sets one off (language
// reference, 3.6).
func (in *Interpreter) telePeriod(c *call) error {
	if n, ok := c.number(); ok {
		if period := telePeriod(n); period >= 0 {
			in.settings.TelePeriod = period
		}
	}
	var o object
	o.number("TelePeriod", in.settings.TelePeriod)
	in.answer(c, o.String())
	if at := c.now.Add(soon); in.tele.connected && (in.tele.due.IsZero() || at.Before(in.tele.due)) {
		in.tele.due, in.tele.cause = at, c.Cause
	}
	return nil
}

// telePeriod returns the period in seconds that the argument n of TelePeriod
// means, negative for none.
func telePeriod(n int) int {
	switch {
	case n == 1:
		return defaultPeriod
	case 2 <= n && n < 10:
		return 10
	case n == 0 || 10 <= n && n <= 3600:
		return n
	}
	return -1
}

// Connected takes note of a session, and returns what Tasmota says at its
// beginning: who it is, once after a start, and its state. Tasmota sends no
// state when it reconnects, which leaves its owner blind (language reference,
// 3.5).
func (in *Interpreter) Connected(now time.Time, l Link) []Reply {
	in.link = l
	in.connects++
	in.tele.connected = true
	if in.settings.BootCountSince == 0 { // the clock is proven by now
		in.settings.BootCountSince = in.wall(now).Unix()
	}
	var replies []Reply
	if !in.tele.announced {
		in.tele.announced = true
		replies = in.infos()
	}
	in.tele.due = now
	return append(replies, in.telemetryDue(now)...)
}

// Disconnected ends periodic telemetry until the next Connected.
func (in *Interpreter) Disconnected() {
	in.tele.connected = false
	in.tele.due, in.tele.cause = time.Time{}, cause.Cause{}
}

// telemetryDue returns the STATE that is due at now, if one is.
func (in *Interpreter) telemetryDue(now time.Time) []Reply {
	if in.tele.due.IsZero() || in.tele.due.After(now) {
		return nil
	}
	why := in.tele.cause
	in.tele.due, in.tele.cause = in.nextReport(now), cause.Cause{}
	return []Reply{{Topic: "STATE", Body: in.stateBody(now), Tele: true, Periodic: true, Cause: why}}
}

// nextReport is when the STATE after one at now is due, zero for never.
func (in *Interpreter) nextReport(now time.Time) time.Time {
	if in.settings.TelePeriod == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(in.settings.TelePeriod) * time.Second)
}

// infos returns INFO1 to INFO3 (language reference, 3.4). There is no web
// server, so its mode is neither of Tasmota's two.
func (in *Interpreter) infos() []Reply {
	f := in.facts()
	var one, two, three object
	one.open("Info1")
	one.text("Module", in.device.Hardware)
	one.text("Version", in.version())
	one.text("FallbackTopic", "cmnd/"+in.link.DeviceID+"_fb/")
	one.text("GroupTopic", "cmnd/"+groupTopic+"/")
	one.close()
	two.open("Info2")
	two.text("WebServerMode", "Off")
	two.text("Hostname", f.Hostname)
	two.text("IPAddress", address(f.IPAddress))
	two.close()
	three.open("Info3")
	three.text("RestartReason", in.device.RestartReason)
	three.number("BootCount", in.settings.BootCount)
	three.close()
	return []Reply{
		{Topic: "INFO1", Body: one.String(), Tele: true},
		{Topic: "INFO2", Body: two.String(), Tele: true},
		{Topic: "INFO3", Body: three.String(), Tele: true},
	}
}

// state answers with the STATE object (language reference, 5.5).
func (in *Interpreter) state(c *call) error {
	if in.settings.on(optionExtraState) {
		in.publishState(c)
	}
	in.answer(c, in.stateBody(c.now))
	return nil
}

// publishState sends the STATE message that a command sets off.
func (in *Interpreter) publishState(c *call) {
	c.replies = append(c.replies, Reply{Topic: "STATE", Body: in.stateBody(c.now), Tele: true, Cause: c.Cause})
}

func (in *Interpreter) stateBody(now time.Time) string {
	var o object
	in.writeState(&o, in.moment(now))
	return o.String()
}

// sleepTime is Tasmota's default, in ms: here nothing sleeps.
const sleepTime = 50

// writeState writes the members of STATE (language reference, 3.1).
func (in *Interpreter) writeState(o *object, m moment) {
	o.text("Time", m.wall.Format(timeFormat))
	o.text("Uptime", duration(m.uptime))
	o.number("UptimeSec", int(m.uptime/time.Second))
	o.number("Heap", m.facts.HeapKiB)
	o.text("SleepMode", "Dynamic")
	o.number("Sleep", sleepTime)
	o.number("LoadAvg", m.facts.LoadAvg)
	o.number("MqttCount", in.connects)
	for i := range in.relays.Len() {
		o.text(in.powerKey(i), onOff(in.relays.On(i)))
	}
	if w := m.facts.Wifi; w != nil {
		writeWifi(o, w)
	}
	o.text("Hostname", m.facts.Hostname)
	o.text("IPAddress", address(m.facts.IPAddress))
}

func writeWifi(o *object, w *Wifi) {
	o.open("Wifi")
	o.number("AP", 1)
	o.text("SSId", w.SSID)
	o.text("BSSId", w.BSSID)
	o.number("Channel", w.Channel)
	o.text("Mode", w.Mode)
	o.number("RSSI", w.Quality())
	o.number("Signal", w.Signal)
	o.number("LinkCount", w.LinkCount)
	o.text("Downtime", duration(0)) // Linux does not count it
	o.close()
}

// duration writes d as Tasmota does: 1T02:03:04 is a day and some hours.
func duration(d time.Duration) string {
	s := int(max(d, 0) / time.Second)
	return fmt.Sprintf("%dT%02d:%02d:%02d", s/86400, s/3600%24, s/60%60, s%60)
}
