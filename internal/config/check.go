package config

import (
	"io/fs"
	"net/netip"
	"slices"
	"time"
)

// A checker turns what is written into a Config and notes every mistake.
type checker struct {
	book
	dir  string      // where relative paths begin
	info fs.FileInfo // of the configuration file, nil if not known

	credentials string            // directory of those that systemd gave, or empty
	sealed      []string          // keys whose value is one of these
	given       map[string]string // secrets that are not in their files yet, by name
	secrets     []string          // files of them that are named
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
	c.metrics(&w.Metrics, &cfg.Metrics)
	c.log(&w.Log, &cfg.Log)
	cfg.Credentials, cfg.Secrets, cfg.Warnings = c.sealed, c.secrets, c.warned()
	return cfg
}

func (c *checker) hub(w *writtenHub, hub *Hub) {
	c.integer(w.Port, &hub.Port, ports)
	c.choice(w.Transport, (*string)(&hub.Transport), transports)
	if hub.Transport == TransportWebSocket && !w.Port.given {
		hub.Port = 443
	}
	c.duration(w.TokenTTL, &hub.TokenTTL, tokenTTLs)
	if c.duration(w.KeepAlive, &hub.KeepAlive, keepAlives) {
		c.wholeSeconds(w.KeepAlive, hub.KeepAlive)
	}
	hub.CA = c.ca(w.CAFile)
}

func (c *checker) dps(w *writtenDPS, dps *DPS) {
	c.text(w.Endpoint, &dps.Endpoint, endpointFault)
	kind := string(dps.KeyKind)
	c.choice(w.KeyKind, &kind, keyKinds)
	dps.KeyKind = KeyKind(kind)
	dps.CA = c.ca(w.CAFile)
}

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

func (c *checker) gpio(w *writtenGPIO, gpio *GPIO) {
	c.choice(w.Driver, &gpio.Driver, drivers)
	c.path(w.SimDir, &gpio.SimDir)
	c.choice(w.OnStop, (*string)(&gpio.OnStop), onStops)
	c.duration(w.Stagger, &gpio.Stagger, staggers)
	c.integer(w.MaxPerMinute, &gpio.MaxPerMinute, perMinute)
	c.maxAge(w.MaxAge, &gpio.MaxAge)
}

// maxAge reads how long a command may have waited.
func (c *checker) maxAge(s scalar, into *time.Duration) {
	if d := time.Duration(0); c.duration(s, &d, maxAges) {
		if 0 < d && d < 10*time.Second {
			c.wrong(s, "is out of range; %s is possible", maxAges.words)
			return
		}
		*into = d
	}
}

func (c *checker) quota(w *writtenTelemetry, t *Telemetry) {
	c.integer(w.DailyLimit, &t.DailyLimit, daily)
	meter := freeMeter
	c.choice(w.Meter, &meter, meters)
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
	if s.given && isOff(s.text) {
		c.wrong(s, "to turn the reports off write 0s")
		return
	}
	if !c.duration(s, period, periods) {
		return
	}
	if *period > 0 && *period < 10*time.Second {
		c.wrong(s, "is out of range; %s is possible", periods.words)
		return
	}
	c.wholeSeconds(s, *period)
}

func isOff(text string) bool {
	return slices.Contains([]string{"off", "no", "none", "never", "false", "disabled"}, plainKey(text))
}

func (c *checker) metrics(w *writtenMetrics, m *Metrics) {
	if !c.text(w.Listen, &m.Listen, listenFault) {
		return
	}
	if at, err := netip.ParseAddrPort(m.Listen); err == nil && !at.Addr().IsLoopback() {
		c.warn(w.Listen, "%s is not for this machine alone: whoever reaches it can read the numbers, without a password", m.Listen)
	}
}

func (c *checker) log(w *writtenLog, l *Log) {
	var level string
	if c.choice(w.Level, &level, levels) {
		if err := l.Level.UnmarshalText([]byte(level)); err != nil {
			c.wrong(w.Level, "%v", err) // slog knows these four words
		}
	}
	c.choice(w.Format, &l.Format, formats)
}
