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
	for _, s := range []scalar{w.Hub.Host, w.Hub.Key, w.Hub.KeyFile, w.Hub.SecondaryKeyFile, w.Hub.CertFile, w.Hub.CertKeyFile,
		w.Hub.ConnectionString, w.Hub.ConnectionStringFile} {
		if s.given {
			c.hidden(s, "is given together with dps.scope_id (line %d); with DPS the service names the hub, and key or certificate stand under dps:, so remove one of the two",
				w.DPS.ScopeID.line)
		}
	}
	login := login{key: w.DPS.Key, keyFile: w.DPS.KeyFile, cert: w.DPS.CertFile, certKey: w.DPS.CertKeyFile}
	if !login.given() {
		c.missing(w.DPS.KeyFile, "name a file that holds the primary key of the enrollment, or the device's certificate with cert_file and cert_key_file")
	}
	cfg.DPS.Key, cfg.DPS.Cert = c.login(login)
	if login.byCert() && w.DPS.KeyKind.given {
		c.hidden(w.DPS.KeyKind, "has no use with a certificate; remove this line")
	}
	c.registrationID(w, cfg)
}

// registrationID reads the registration id, which is the device id if it is
// not given, and always the name in a certificate (contract, section 8.2).
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
	if cfg.DPS.Cert.IsZero() {
		return
	}
	name := cfg.DPS.Cert.Name()
	from := w.DPS.RegistrationID
	if !from.given {
		from = w.Hub.DeviceID
	}
	switch id := cfg.DPS.RegistrationID; {
	case name == "":
		c.wrong(w.DPS.CertFile, "the certificate bears no name (CN); DPS knows the device by it, so it must be the registration id")
	case registrationIDFault(name) != "":
		c.wrong(w.DPS.CertFile, "the name in the certificate (CN=%s) is the registration id, but %s", quote(name), registrationIDFault(name))
	case id == "":
		cfg.DPS.RegistrationID = name
	case !strings.EqualFold(id, name):
		c.wrong(from, "is not the name in the certificate (CN=%s, dps.cert_file in line %d), by which DPS knows the device; remove this line", quote(name), w.DPS.CertFile.line)
	}
}

// withoutDPS notes what was meant for DPS and would be ignored.
func (c *checker) withoutDPS(w *writtenDPS) {
	for _, s := range []scalar{w.RegistrationID, w.Key, w.KeyFile, w.CertFile, w.CertKeyFile} {
		if s.given {
			c.hidden(s, "has no use without dps.scope_id; write the scope too, or remove this line")
			c.excuse("hub.host")
		}
	}
}

// byKey reads host, device id and key or certificate.
func (c *checker) byKey(w *writtenHub, hub *Hub) {
	login := hubLogin(w)
	if !w.Host.given {
		c.missing(w.Host, "write the host name of the hub, such as myiothub.azure-devices.net, or its place is taken by dps.scope_id or by hub.connection_string_file")
	}
	if w.Host.given && !login.given() {
		c.missing(w.KeyFile, "name a file that holds the primary key of the device")
	}
	hub.Key, hub.Cert = c.login(login)
	c.secondary(w, hub)
	c.named(w, hub)
}

func hubLogin(w *writtenHub) login {
	return login{key: w.Key, keyFile: w.KeyFile, cert: w.CertFile, certKey: w.CertKeyFile}
}

// named takes the device id from the certificate if it is not given, and warns
// if a certificate that somebody has signed bears another name: by that the hub
// knows the device then (contract, section 8.1).
func (c *checker) named(w *writtenHub, hub *Hub) {
	if hub.Cert.IsZero() {
		return
	}
	name := hub.Cert.Name()
	switch {
	case hub.DeviceID == "" && name == "":
		c.missing(w.DeviceID, "the certificate bears no name (CN) that could take its place; write the id of the device")
	case hub.DeviceID == "" && deviceIDFault(name) != "":
		c.missing(w.DeviceID, "the name in the certificate (CN=%s) cannot take its place; write the id of the device", quote(name))
	case hub.DeviceID == "":
		hub.DeviceID = name
	case hub.DeviceID != name && !hub.Cert.SelfSigned():
		c.warn(w.CertFile, "the name in the certificate (CN=%s) is not the device id %s; a hub that trusts its issuer does not let it in, only one that knows its thumbprint",
			quote(name), quote(hub.DeviceID))
	}
}

// secondary reads the key for when the first is refused.
func (c *checker) secondary(w *writtenHub, hub *Hub) {
	s := w.SecondaryKeyFile
	switch {
	case !s.given:
	case hubLogin(w).byCert() || !hub.Cert.IsZero():
		c.hidden(s, "has no use with a certificate; remove this line")
	default:
		hub.Secondary = c.key(scalar{}, s)
		if !hub.Secondary.IsZero() && hub.Secondary.Equal(hub.Key) {
			c.hidden(s, "holds the same key as the primary one; put the secondary key of the device there, or remove this line")
		}
	}
}

// byConnectionString reads a connection string, and the certificate that one
// with x509=true goes with.
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
	hub.Host, hub.DeviceID, hub.Key, hub.Gateway = conn.host, conn.deviceID, conn.key, conn.gateway
	login := login{cert: w.CertFile, certKey: w.CertKeyFile}
	switch {
	case conn.x509 && !login.given():
		c.missing(w.CertFile, "the connection string says that the device signs in with a certificate (x509=true); name its file, and that of its private key as cert_key_file")
	case login.given() && !conn.x509 && len(faults) == 0:
		c.hidden(login.first(), "is given, but the connection string holds a SharedAccessKey; remove this line, or take the string of a device with a certificate (x509=true)")
	case conn.x509:
		_, hub.Cert = c.login(login)
		c.named(w, hub)
	}
	c.secondary(w, hub)
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
