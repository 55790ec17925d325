package device

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/hub"
)

var errNotJSON = errors.New("the payload is not JSON")

// argument turns the payload of a direct method into the argument of a command: a
// string is taken as it reads, null and an empty payload are no argument, all else
// is handed over as it is written, such as 1, true or [1,2].
//
// An object with "payload" as its only member stands for what is in it: the
// firmware takes no other payload (language reference, section 9.3).
func argument(payload []byte) (string, error) {
	text := bytes.TrimSpace(payload)
	switch {
	case len(text) == 0:
		return "", nil
	case !json.Valid(text):
		return "", errNotJSON
	case text[0] == '{':
		return scalar(wrapped(text)), nil
	}
	return scalar(text), nil
}

// scalar returns how a JSON value reads as an argument.
func scalar(value []byte) string {
	switch value[0] {
	case 'n':
		return ""
	case '"':
		var s string
		if err := json.Unmarshal(value, &s); err == nil {
			return s
		}
	}
	return string(value)
}

// wrapped returns the value of the member payload, if an object has no other.
func wrapped(object []byte) []byte {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil || len(members) != 1 {
		return object
	}
	for name, value := range members {
		if strings.EqualFold(name, "payload") {
			return value
		}
	}
	return object
}

// named returns the command that a message names: by its property Topic, with the
// body as the argument, or as IoT Central sends an offline command, by method-name
// and with the body of a method (contract, section 11.5).
func named(m hub.Message) (topic, arg string, ok bool) {
	if topic, _ := m.Property("Topic"); topic != "" {
		return topic, string(m.Body), true
	}
	name, _ := m.Property("method-name")
	arg, err := argument(m.Body)
	if err != nil {
		arg = string(m.Body) // from a sender that takes it for a body like others
	}
	topic, arg = component(name, arg)
	return topic, arg, name != ""
}

// component turns a command of a Plug and Play component into one of Tasmota:
// relay2*toggle into POWER2 with the argument toggle (contract, section 11.3). Any
// other name stays as it is.
func component(name, arg string) (topic, argument string) {
	part, command, ok := strings.Cut(name, "*")
	index, ok2 := strings.CutPrefix(strings.ToLower(part), "relay")
	if !ok || !ok2 || strings.Trim(index, "0123456789") != "" || index == "" {
		return name, arg
	}
	switch strings.ToLower(command) {
	case "on", "off", "toggle":
		return "POWER" + index, command
	case "power":
		return "POWER" + index, arg
	}
	return name, arg
}

// merge makes one JSON value of the answers to a command: the only one, or one
// object with the members of all, or if two have a member of the same name a list.
// Telemetry that the command set off is not an answer. When all of it is more than
// most bytes, the oldest answers are left out.
func merge(replies []commands.Reply, most int) []byte {
	var bodies []string
	size := len("[]")
	for _, r := range replies {
		if !r.Tele {
			bodies = append(bodies, r.Body)
			size += len(r.Body) + len(",")
		}
	}
	for ; size > most && len(bodies) > 0; bodies = bodies[1:] {
		size -= len(bodies[0]) + len(",")
	}
	switch {
	case len(bodies) == 1:
		return []byte(bodies[0])
	case collide(bodies):
		return []byte("[" + strings.Join(bodies, ",") + "]")
	}
	var members []string
	for _, b := range bodies {
		if inner := strings.TrimSuffix(strings.TrimPrefix(b, "{"), "}"); inner != "" {
			members = append(members, inner)
		}
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

// collide reports whether two of the objects have a member of the same name.
func collide(objects []string) bool {
	seen := make(map[string]bool)
	for _, o := range objects {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(o), &members); err != nil {
			return true // not an object, so nothing that could be joined
		}
		for name := range members {
			if seen[name] {
				return true
			}
			seen[name] = true
		}
	}
	return false
}
