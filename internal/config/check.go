package config

import (
	"io/fs"
	"slices"
	"time"
)

// A checker turns what is written into a Config and notes every mistake.
type checker struct {
	book
	dir  string      // where relative paths begin
	info fs.FileInfo // of the configuration file, nil if not known

	credentials string // directory of those that systemd gave, or empty
}

func (c *checker) config(w *written) Config {
	cfg := Defaults()
	c.identity(w, &cfg)
	c.hub(&w.Hub, &cfg.Hub)
	c.dps(&w.DPS, &cfg.DPS)
	c.ntp(&w.NTP, &cfg.NTP)
	c.gpio(&w.GPIO, &cfg.GPIO)
	c.relays(w, &cfg)
	c.telemetry(&w.Telemetry, &cfg.Telemetry)
	c.path(w.StateDir, &cfg.StateDir)
	c.log(&w.Log, &cfg.Log)
	cfg.Warnings = c.warned()
	return cfg
}

func (c *checker) hub(w *writtenHub, hub *Hub) {
	c.integer(w.Port, &hub.Port, 1, 65535)
	c.choice(w.Transport, (*string)(&hub.Transport), string(TransportAuto), string(TransportMQTT), string(TransportWebSocket))
	if hub.Transport == TransportWebSocket && !w.Port.given {
		hub.Port = 443
	}
	c.duration(w.TokenTTL, &hub.TokenTTL, span{5 * time.Minute, 24 * time.Hour, "5m to 24h"})
	// MQTT counts the keep-alive in seconds, and IoT Hub cuts what is longer
	// (contract, section 1.5).
	if c.duration(w.KeepAlive, &hub.KeepAlive, span{time.Second, 1177 * time.Second, "1s to 1177s"}) {
		c.wholeSeconds(w.KeepAlive, hub.KeepAlive)
	}
	hub.CA = c.ca(w.CAFile)
}

func (c *checker) dps(w *writtenDPS, dps *DPS) {
	c.text(w.Endpoint, &dps.Endpoint, endpointFault)
	kind := string(dps.KeyKind)
	c.choice(w.KeyKind, &kind, string(Group), string(Individual))
	dps.KeyKind = KeyKind(kind)
	dps.CA = c.ca(w.CAFile)
}

// maxServers is how many NTP servers are asked at most.
const maxServers = 16

func (c *checker) ntp(w *writtenNTP, ntp *NTP) {
	if !w.Servers.given {
		return
	}
	ntp.Servers = nil
	if n := len(w.Servers.items); n > maxServers {
		c.note(w.Servers.line, w.Servers.path, "has too many entries; 16 servers are the most, 3 to 5 are enough")
		return
	}
	for _, s := range w.Servers.items {
		var server string
		switch {
		case !s.given:
			c.missing(s, "write the name of a server, or remove the entry")
		case !c.text(s, &server, endpointFault):
		case slices.Contains(ntp.Servers, server):
			c.wrong(s, "is in the list already; a server has one vote only")
		default:
			ntp.Servers = append(ntp.Servers, server)
		}
	}
}

// maxPerMinute is more than any relay can follow.
const maxPerMinute = 60000

func (c *checker) gpio(w *writtenGPIO, gpio *GPIO) {
	c.choice(w.Driver, &gpio.Driver, DriverAuto, DriverChip, DriverPeriph, DriverSim)
	c.path(w.SimDir, &gpio.SimDir)
	c.choice(w.OnStop, (*string)(&gpio.OnStop), string(StopOff), string(StopHold))
	c.duration(w.Stagger, &gpio.Stagger, span{0, 5 * time.Second, "0s to 5s"})
	c.integer(w.MaxPerMinute, &gpio.MaxPerMinute, 0, maxPerMinute)
	c.maxAge(w.MaxAge, &gpio.MaxAge)
}

// maxAge reads how long a command may have waited. Two days are the longest that a
// hub keeps one (contract, section 4.2).
func (c *checker) maxAge(s scalar, into *time.Duration) {
	allowed := span{0, 48 * time.Hour, "0s (no limit) or 10s to 48h"}
	if d := time.Duration(0); c.duration(s, &d, allowed) {
		if 0 < d && d < 10*time.Second {
			c.wrong(s, "is out of range; %s is possible", allowed.words)
			return
		}
		*into = d
	}
}

// The sizes by which hubs meter: those of the free tier, and all others (contract,
// section 3.6).
const (
	freeMeter = "0.5KB"
	paidMeter = "4KB"
)

// maxDaily is more than any hub lets through in a day.
const maxDaily = 300_000_000

func (c *checker) quota(w *writtenTelemetry, t *Telemetry) {
	c.integer(w.DailyLimit, &t.DailyLimit, 0, maxDaily)
	meter := freeMeter
	c.choice(w.Meter, &meter, freeMeter, paidMeter)
	t.Meter = 512
	if meter == paidMeter {
		t.Meter = 4096
	}
}

func (c *checker) telemetry(w *writtenTelemetry, t *Telemetry) {
	c.period(w.Period, &t.Period)
	c.text(w.FullTopic, &t.FullTopic, fullTopicFault)
	c.quota(w, t)
	if n := len(t.FullTopic); n > 0 && t.FullTopic[n-1] != '/' {
		t.FullTopic += "/" // as the firmware does (language reference, section 1.1)
	}
}

// period reads the time between two reports, which may also be off.
func (c *checker) period(s scalar, period *time.Duration) {
	allowed := span{0, time.Hour, "0s (off) or 10s to 1h"}
	if s.given && isOff(s.text) {
		c.wrong(s, "to turn the reports off write 0s")
		return
	}
	if !c.duration(s, period, allowed) {
		return
	}
	if *period > 0 && *period < 10*time.Second {
		c.wrong(s, "is out of range; %s is possible", allowed.words)
		return
	}
	c.wholeSeconds(s, *period)
}

func isOff(text string) bool {
	return slices.Contains([]string{"off", "no", "none", "never", "false", "disabled"}, plainKey(text))
}

func (c *checker) log(w *writtenLog, l *Log) {
	var level string
	if c.choice(w.Level, &level, "debug", "info", "warn", "error") {
		if err := l.Level.UnmarshalText([]byte(level)); err != nil {
			c.wrong(w.Level, "%v", err) // slog knows these four words
		}
	}
	c.choice(w.Format, &l.Format, "auto", "journal", "text", "json")
}
