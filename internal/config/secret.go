package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"tasmota-azd/internal/token"
)

// A secret is a key or a connection string as found.
type secret struct {
	text string
	at   scalar // the value in the configuration that holds or names it
	in   string // "in FILE: " if it comes from a file of its own
}

// secret returns what stands in the configuration itself or else in the file
// that it names, without white space around it.
func (c *checker) secret(inline, file scalar) (secret, bool) {
	if inline.given {
		c.warnInline(inline)
		return secret{text: strings.TrimSpace(inline.text), at: inline}, true
	}
	if text, ok := c.given[file.text]; ok && file.given {
		return secret{text: text, at: file}, true
	}
	var path string
	if !c.secretPath(file, &path) {
		return secret{}, false
	}
	text, info, err := readFile(path, maxSecretFile)
	if err != nil {
		c.noSecretFile(file, path, err)
		return secret{}, false
	}
	c.guarded(file, path, info)
	return secret{text: strings.TrimSpace(string(text)), at: file, in: "in " + path + ": "}, true
}

// noSecretFile notes that a file could not be read, or that what was taken for
// its name is the secret itself.
func (c *checker) noSecretFile(file scalar, path string, err error) {
	_, notKey := token.ParseKey(file.text)
	if errors.Is(err, fs.ErrNotExist) && (notKey == nil || secretive(file.text)) {
		c.hidden(file, "is the name of a file, but what stands here looks like the secret itself; write it as %s, or put it into a file",
			strings.TrimSuffix(file.path, "_file"))
		return
	}
	c.wrong(file, "%s %s", path, c.secretFault(file, path, err))
}

// warnInline warns of a secret in a configuration that others may read.
func (c *checker) warnInline(s scalar) {
	if c.info != nil && open(c.info) {
		c.warn(s, "others may read this file (mode %04o) and so the secret in it; run: %s", c.info.Mode().Perm(), shut(c.file, c.info))
	}
}

// key reads a symmetric key.
func (c *checker) key(inline, file scalar) token.Key {
	secret, ok := c.secret(inline, file)
	if !ok {
		return token.Key{}
	}
	key, why := parseKey(secret.text)
	if why != "" {
		c.hidden(secret.at, "%s%s", secret.in, why)
	}
	return key
}

// parseKey reads a key, or says what the text is instead.
func parseKey(text string) (key token.Key, why string) {
	if why := wrapped(text); why != "" {
		return key, why
	}
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "sharedaccesssignature"):
		return key, "this is a SharedAccessSignature token, which ends soon; the key is needed"
	case strings.Contains(lower, "sharedaccesskey=") || strings.Contains(lower, "hostname="):
		return key, "this is a connection string; of a device it is written as hub.connection_string or hub.connection_string_file, else take the key alone"
	case strings.Contains(text, "-----BEGIN"):
		return key, "this is a certificate or a private key in PEM; the symmetric key is needed"
	case strings.Contains(text, "\n"):
		return key, "there is more than one line; the key alone is expected"
	case looksLikePath(text):
		return key, "this looks like the name of a file; write it as key_file"
	}
	key, err := token.ParseKey(text)
	if err != nil {
		return token.Key{}, err.Error()
	}
	return key, ""
}

// wrapped says what was copied around a secret, or "".
func wrapped(text string) string {
	switch {
	case text == "":
		return "nothing stands there; copy it from the portal"
	case strings.HasPrefix(text, "{") || strings.HasPrefix(text, "["):
		return "this is JSON; the text within the quotes is needed (az prints it alone with -o tsv)"
	case strings.ContainsAny(text[:1], `"'`):
		return "remove the quotes around it"
	}
	return ""
}

func looksLikePath(text string) bool {
	for _, end := range []string{".key", ".txt", ".pem", ".secret"} {
		if strings.HasSuffix(strings.ToLower(text), end) {
			return true
		}
	}
	return strings.HasPrefix(text, "./") || strings.HasPrefix(text, "../") || strings.HasPrefix(text, "~")
}

// ReadKey reads a symmetric key as an owner copies it. The error says what the text is
// instead, and never quotes it.
func ReadKey(text string) (token.Key, error) {
	key, why := parseKey(strings.TrimSpace(text))
	if why != "" {
		return token.Key{}, errors.New(why)
	}
	return key, nil
}

// A Connection is what a connection string of a device with a key says.
type Connection struct {
	Host, DeviceID string
	Gateway        string // of IoT Edge, empty without one
	Key            token.Key
}

// ReadConnection reads such a connection string. The error says all that is wrong with
// it, and never quotes it.
func ReadConnection(text string) (Connection, error) {
	c, faults := parseConnectionString(strings.TrimSpace(text))
	if len(faults) == 0 && c.x509 {
		faults = []string{"this device signs in with a certificate (x509=true): its files are named in the configuration, as cert_file and cert_key_file"}
	}
	if len(faults) > 0 {
		return Connection{}, errors.New(strings.Join(faults, "; "))
	}
	return Connection{c.host, c.deviceID, c.gateway, c.key}, nil
}

// A connection is what a device's connection string holds.
type connection struct {
	host, deviceID, gateway string
	key                     token.Key
	x509                    bool // the device has a certificate and no key
}

// parseConnectionString reads the connection string of a device, and returns
// everything that is wrong with it without quoting any of it.
func parseConnectionString(text string) (conn connection, faults []string) {
	if why := notConnectionString(text); why != "" {
		return conn, []string{why}
	}
	parts, faults := connectionParts(text)
	if why := otherConnection(parts); why != "" {
		return conn, []string{why}
	}
	bad := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	conn.x509 = strings.EqualFold(parts["x509"], "true")
	for _, p := range []struct{ name, key string }{{"HostName", "hostname"}, {"DeviceId", "deviceid"}, {"SharedAccessKey", "sharedaccesskey"}} {
		if parts[p.key] == "" && !(conn.x509 && p.key == "sharedaccesskey") {
			bad("the connection string lacks %s=", p.name)
		}
	}
	if gateway, ok := parts["gatewayhostname"]; ok {
		conn.gateway = strings.ToLower(gateway)
		if why := hostFault(gateway); why != "" {
			bad("GatewayHostName: %s", why)
		}
	}
	if host := parts["hostname"]; host != "" {
		conn.host = strings.ToLower(host)
		if why := hubHostFault(host); why != "" {
			bad("HostName: %s", why)
		}
	}
	if id := parts["deviceid"]; id != "" {
		conn.deviceID = id
		if why := deviceIDFault(id); why != "" {
			bad("DeviceId: %s", why)
		}
	}
	if key := parts["sharedaccesskey"]; key != "" {
		var err error
		if conn.key, err = token.ParseKey(key); err != nil {
			bad("SharedAccessKey: %s", err)
		}
	}
	return conn, faults
}

// connectionParts splits a connection string. Names are in lower case; one
// that is not known is a fault.
func connectionParts(text string) (parts map[string]string, faults []string) {
	parts = map[string]string{}
	for i, part := range strings.Split(strings.TrimSuffix(text, ";"), ";") {
		name, value, ok := strings.Cut(part, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		_, twice := parts[name]
		switch {
		case !ok:
			faults = append(faults, fmt.Sprintf("part %d of the connection string is not of the form Name=value", i+1))
		case !connectionNames[name]:
			faults = append(faults, fmt.Sprintf("part %d of the connection string has an unknown name; HostName=, DeviceId= and SharedAccessKey= are expected", i+1))
		case twice:
			faults = append(faults, fmt.Sprintf("part %d of the connection string repeats one before it", i+1))
		default:
			parts[name] = strings.TrimSpace(value)
		}
	}
	return parts, faults
}

// connectionNames are the names that connection strings of Azure IoT have.
var connectionNames = map[string]bool{
	"hostname": true, "deviceid": true, "sharedaccesskey": true,
	"sharedaccesskeyname": true, "gatewayhostname": true, "moduleid": true,
	"x509": true, "sharedaccesssignature": true, "endpoint": true, "entitypath": true,
}

func notConnectionString(text string) string {
	if why := wrapped(text); why != "" {
		return why
	}
	if _, err := token.ParseKey(text); err == nil {
		return "this is a key alone; write it as hub.key or hub.key_file, with hub.host and hub.device_id"
	}
	switch {
	case strings.HasPrefix(strings.ToLower(text), "sharedaccesssignature "):
		return "this is a SharedAccessSignature token, which ends soon; the connection string of the device is needed"
	case strings.Contains(text, "\n"):
		return "there is more than one line; the connection string alone is expected"
	case !strings.Contains(text, "="):
		return "this is not a connection string, which begins with HostName="
	}
	return ""
}

// otherConnection says what kind of connection string it is, if it is not one
// that a device can use.
func otherConnection(parts map[string]string) string {
	has := func(name string) bool { _, ok := parts[name]; return ok }
	const device = "; take the device's own: it stands in the portal under Devices, where the device is opened"
	switch {
	case has("endpoint") || has("entitypath"):
		return "this is the connection string of the hub's endpoint for events" + device
	case has("sharedaccesskeyname"):
		return "this is the hub's own connection string (it has a SharedAccessKeyName)" + device
	case has("moduleid"):
		return "this is the connection string of a module" + device
	case has("x509") && has("sharedaccesskey"):
		return "it has both x509= and SharedAccessKey=, but a device has either a certificate or keys; copy it anew from the portal"
	case has("sharedaccesssignature"):
		return "it holds a SharedAccessSignature token, which ends soon; the one with SharedAccessKey= is needed"
	}
	return ""
}
