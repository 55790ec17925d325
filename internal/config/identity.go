package config

import (
	"strings"
)

// identity reads who the device is and with which key it proves it: by DPS, by
// a connection string, or by host, device id and key.
func (c *checker) identity(w *written, cfg *Config) {
	c.text(w.Hub.DeviceID, &cfg.Hub.DeviceID, deviceIDFault)
	if c.text(w.Hub.Host, &cfg.Hub.Host, hubHostFault) {
		cfg.Hub.Host = strings.ToLower(cfg.Hub.Host) // as tokens need it (contract, section 2.2)
		if !strings.Contains(cfg.Hub.Host, ".") && cfg.Hub.Host != "localhost" {
			c.warn(w.Hub.Host, "%s has no dot; a hub's whole name is needed, such as %s.azure-devices.net",
				quote(cfg.Hub.Host), cfg.Hub.Host)
		}
	}
	switch {
	case w.DPS.ScopeID.given:
		c.byDPS(w, cfg)
	case w.Hub.ConnectionString.given || w.Hub.ConnectionStringFile.given:
		c.withoutDPS(&w.DPS)
		c.byConnectionString(&w.Hub, &cfg.Hub)
	default:
		c.withoutDPS(&w.DPS)
		c.byKey(&w.Hub, &cfg.Hub)
	}
}

func (c *checker) byDPS(w *written, cfg *Config) {
	c.text(w.DPS.ScopeID, &cfg.DPS.ScopeID, scopeIDFault)
	c.registrationID(w, cfg)
	for _, s := range []scalar{w.Hub.Host, w.Hub.Key, w.Hub.KeyFile, w.Hub.ConnectionString, w.Hub.ConnectionStringFile} {
		if s.given {
			c.hidden(s, "is given together with dps.scope_id (line %d); with DPS the service names the hub and the key stands under dps:, so remove one of the two",
				w.DPS.ScopeID.line)
		}
	}
	c.onlyOne(w.DPS.Key, w.DPS.KeyFile)
	if !w.DPS.Key.given && !w.DPS.KeyFile.given {
		c.missing(w.DPS.KeyFile, "name a file that holds the primary key of the enrollment")
		return
	}
	cfg.DPS.Key = c.key(w.DPS.Key, w.DPS.KeyFile)
}

// registrationID reads the registration id, which is the device id if it is
// not given.
func (c *checker) registrationID(w *written, cfg *Config) {
	id := cfg.Hub.DeviceID
	switch {
	case w.DPS.RegistrationID.given:
		c.text(w.DPS.RegistrationID, &cfg.DPS.RegistrationID, registrationIDFault)
		if id != "" && id != w.DPS.RegistrationID.text {
			c.warn(w.Hub.DeviceID, "%s is not used; with DPS the service says which device id belongs to dps.registration_id (line %d)",
				quote(id), w.DPS.RegistrationID.line)
		}
	case id != "":
		if why := registrationIDFault(id); why != "" {
			c.wrong(w.Hub.DeviceID, "is the registration id too, but %s; write another id as dps.registration_id", why)
		}
		cfg.DPS.RegistrationID = id
	}
}

// withoutDPS notes what was meant for DPS and would be ignored.
func (c *checker) withoutDPS(w *writtenDPS) {
	for _, s := range []scalar{w.RegistrationID, w.Key, w.KeyFile} {
		if s.given {
			c.hidden(s, "has no use without dps.scope_id; write the scope too, or remove this line")
			c.excuse("hub.host")
		}
	}
}

func (c *checker) byKey(w *writtenHub, hub *Hub) {
	c.onlyOne(w.Key, w.KeyFile)
	hasKey := w.Key.given || w.KeyFile.given
	if !w.Host.given {
		c.missing(w.Host, "write the host name of the hub, such as myiothub.azure-devices.net, or its place is taken by dps.scope_id or by hub.connection_string_file")
	}
	if w.Host.given && !hasKey {
		c.missing(w.KeyFile, "name a file that holds the primary key of the device")
	}
	if hasKey {
		hub.Key = c.key(w.Key, w.KeyFile)
	}
}

func (c *checker) byConnectionString(w *writtenHub, hub *Hub) {
	c.onlyOne(w.ConnectionString, w.ConnectionStringFile)
	for _, s := range []scalar{w.Host, w.DeviceID, w.Key, w.KeyFile} {
		if s.given {
			c.hidden(s, "is given, but the connection string holds host, device id and key already; remove this line")
		}
	}
	secret, ok := c.secret(w.ConnectionString, w.ConnectionStringFile)
	if !ok {
		return
	}
	conn, faults := parseConnectionString(secret.text)
	for _, why := range faults {
		c.hidden(secret.at, "%s%s", secret.in, why)
	}
	hub.Host, hub.DeviceID, hub.Key = conn.host, conn.deviceID, conn.key
}

// onlyOne notes the second of two values that exclude each other.
func (c *checker) onlyOne(a, b scalar) {
	if !a.given || !b.given {
		return
	}
	if b.line < a.line {
		a, b = b, a
	}
	c.hidden(b, "is given as well as %s (line %d); remove one of the two", a.path, a.line)
}
