package enroll

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"tasmota-azd/internal/boards"
	"tasmota-azd/internal/config/edit"
	"tasmota-azd/internal/token"
)

// Where says where a key belongs. What the owner says counts, then what is in the
// configuration.
type Where struct {
	Scope string        // the ID Scope of DPS
	Host  string        // of the hub
	ID    string        // registration id or device id
	Named func() string // the id if none is given; it may return ""
}

// with returns it as it is with what a configuration says.
func (w Where) with(text string) Where {
	if w.Scope == "" && w.Host == "" {
		w.Scope, w.Host = edit.Value(text, "dps", "scope_id"), edit.Value(text, "hub", "host")
	}
	if w.ID == "" {
		w.ID = w.IDIn(text)
	}
	return w
}

// IDIn is the id that a configuration gives the device.
func (w Where) IDIn(text string) string {
	ids := []string{edit.Value(text, "hub", "device_id"), edit.Value(text, "dps", "registration_id")}
	if w.Scope != "" {
		ids[0], ids[1] = ids[1], ids[0]
	}
	return cmp.Or(ids...)
}

// A Meaning is what a key may be.
type Meaning int

// The meanings of a key.
const (
	Group      Meaning = iota // of an enrollment group
	Individual                // of an individual enrollment
	Device                    // of a device in a hub
)

// A Try is one meaning of a secret: who the device would be, and with which key.
type Try struct {
	Meaning Meaning
	Scope   string // of DPS; or
	Host    string // of the hub
	ID      string
	Gateway string
	Key     token.Key // the device's own, of a group the derived one
}

// String says it in words.
func (t Try) String() string {
	switch t.Meaning {
	case Group:
		return fmt.Sprintf("DPS, as the key of an enrollment group, for %q in scope %s", t.ID, t.Scope)
	case Individual:
		return fmt.Sprintf("DPS, as the key of %q alone, in scope %s", t.ID, t.Scope)
	}
	return fmt.Sprintf("the hub %s, as the key of device %q", t.Host, t.ID)
}

// tries lists what the secret may be, in the order in which it is tried.
// text is the configuration as it is.
func (s Secret) tries(w Where, text string) ([]Try, error) {
	if !s.Alone() {
		return s.connected(w)
	}
	w = w.with(text)
	if w.Scope == "" && w.Host == "" {
		return nil, errors.New("a key by itself does not show where it belongs: say --scope-id for one of DPS, or --hub for one of a device in a hub")
	}
	id := w.ID
	if id == "" && w.Named != nil {
		id = w.Named()
	}
	if id == "" {
		return nil, errors.New("this machine has no network adapter to be named after: say --device-id")
	}
	var list []Try
	if w.Scope != "" {
		list = append(list, Try{Meaning: Group, Scope: w.Scope, ID: id, Key: s.key.Derive(id)}, Try{Meaning: Individual, Scope: w.Scope, ID: id, Key: s.key})
	}
	if w.Host != "" {
		list = append(list, Try{Meaning: Device, Host: strings.ToLower(w.Host), ID: id, Key: s.key})
	}
	return list, nil
}

// connected is the one meaning of a connection string.
func (s Secret) connected(w Where) ([]Try, error) {
	c := s.connection
	switch {
	case w.Scope != "":
		return nil, errors.New("a connection string is for the hub that it names, without DPS: leave --scope-id away, or give the key of an enrollment")
	case w.Host != "" && !strings.EqualFold(w.Host, c.Host):
		return nil, fmt.Errorf("the connection string is for the hub %s, and --hub says %s", c.Host, w.Host)
	case w.ID != "" && w.ID != c.DeviceID:
		return nil, fmt.Errorf("the connection string is of device %q, and --device-id says %q", c.DeviceID, w.ID)
	}
	return []Try{{Meaning: Device, Host: c.Host, ID: c.DeviceID, Gateway: c.Gateway, Key: c.Key}}, nil
}

// The names of the secret: of a credential, and of a file.
const (
	keyName        = "device.key"
	connectionName = "device.connection"
)

// file is the name of the credential, and of the file if there are no credentials.
func (t Try) file() string {
	if t.Gateway != "" { // there is no other place for its name
		return connectionName
	}
	return keyName
}

// text is what is sealed.
func (t Try) text() []byte {
	if t.Gateway == "" {
		return t.Key.Reveal()
	}
	return fmt.Appendf(nil, "HostName=%s;DeviceId=%s;SharedAccessKey=%s;GatewayHostName=%s", t.Host, t.ID, t.Key.Reveal(), t.Gateway)
}

// changes is what the configuration has to say for it.
func (t Try) changes() []edit.Change {
	set := map[string]string{}
	switch {
	case t.Meaning != Device:
		set["dps.scope_id"], set["dps.registration_id"], set["dps.key_file"], set["dps.key_kind"] = t.Scope, t.ID, t.file(), "individual"
	case t.Gateway != "":
		set["hub.connection_string_file"] = t.file()
	default:
		set["hub.host"], set["hub.device_id"], set["hub.key_file"] = t.Host, t.ID, t.file()
	}
	var list []edit.Change
	for _, path := range logins {
		section, key, _ := strings.Cut(path, ".")
		value, given := set[path]
		list = append(list, edit.Change{Section: section, Key: key, Value: value, Remove: !given,
			Secret: !given && (key == "key" || key == "connection_string")})
	}
	return list
}

// logins are the keys that say as whom the device signs in, and with what. Of them stays
// only what is needed.
var logins = []string{
	"hub.key_file", "hub.device_id", "hub.host", "hub.key", "hub.secondary_key_file", "hub.cert_file", "hub.cert_key_file", "hub.connection_string", "hub.connection_string_file",
	"dps.key_kind", "dps.key_file", "dps.registration_id", "dps.scope_id", "dps.key", "dps.cert_file", "dps.cert_key_file",
}

// lines are the changes to be made by hand.
func (t Try) lines() string {
	var text strings.Builder
	for _, c := range t.changes() {
		if !c.Remove {
			fmt.Fprintf(&text, "  %s: %s\n", c.Path(), boards.Scalar(c.Value))
		}
	}
	return text.String() + "and none of the other keys that name a host, an id, a key or a certificate"
}
