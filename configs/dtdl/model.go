package main

import (
	"strconv"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/twin"
)

// mostRelays is how many relays a configuration can have.
const mostRelays = 32

const (
	deviceID = "dtmi:tasmotaAzd:Device;1"
	relayID  = "dtmi:tasmotaAzd:Relay;1"
)

// An Interface is one of DTDL.
type Interface struct {
	Context     string `json:"@context"`
	ID          string `json:"@id"`
	Type        string `json:"@type"`
	DisplayName string `json:"displayName"`
	Description string `json:"description,omitempty"`
	Extends     string `json:"extends,omitempty"`
	Contents    []any  `json:"contents"`
}

// A content is a property, telemetry, a command or a component.
type content struct {
	Type        string   `json:"@type,omitempty"`
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName,omitempty"`
	Description string   `json:"description,omitempty"`
	Schema      any      `json:"schema,omitempty"`
	Writable    bool     `json:"writable,omitempty"`
	Request     *content `json:"request,omitempty"`
	Response    *content `json:"response,omitempty"`
}

// all are the interfaces of all models.
func all() []Interface {
	list := []Interface{device(), relay()}
	for n := range mostRelays {
		list = append(list, relays(n+1), numbered(n+1))
	}
	return append(list, only())
}

// expanded are the interfaces of one model, itself first.
func expanded(n int) []Interface {
	list := []Interface{relays(n), device(), relay()}
	if n == 1 {
		return append(list, only())
	}
	for i := range n {
		list = append(list, numbered(i+1))
	}
	return list
}

func newInterface(id, name, description, extends string, contents ...any) Interface {
	return Interface{"dtmi:dtdl:context;2", id, "Interface", name, description, extends, contents}
}

// relays is the model of a device with n relays.
func relays(n int) Interface {
	i := newInterface(twin.ModelID(n), "Tasmota on Linux, relays: "+strconv.Itoa(n), "", deviceID)
	for r := range n {
		i.Contents = append(i.Contents, content{
			Type: "Component", Name: twin.Component(r + 1), DisplayName: "Relay " + strconv.Itoa(r+1), Schema: componentID(n, r+1),
		}, telemetry(key(n, r+1), "string", "ON or OFF, in STATE"))
	}
	return i
}

// key is what telemetry calls a relay: the only one has no number.
func key(n, r int) string {
	if n == 1 {
		return "POWER"
	}
	return "POWER" + strconv.Itoa(r)
}

func componentID(n, r int) string {
	if n == 1 {
		return only().ID
	}
	return numbered(r).ID
}

// numbered is the relay of that number: what it tells has its number in it.
func numbered(r int) Interface {
	id := strconv.Itoa(r)
	return newInterface("dtmi:tasmotaAzd:Relay"+id+";1", "Relay "+id, "", relayID,
		telemetry("POWER"+id, "string", "ON or OFF, the answer to a command"))
}

// only is the relay of a device that has one.
func only() Interface {
	return newInterface("dtmi:tasmotaAzd:OnlyRelay;1", "Relay", "", relayID,
		telemetry("POWER", "string", "ON or OFF, the answer to a command"))
}

// relay is what all relays have.
func relay() Interface {
	return newInterface(relayID, "Relay", "", "",
		content{Type: "Property", Name: "on", DisplayName: "On", Schema: "boolean", Writable: true},
		property("name", "Name", "string"),
		command("toggle", "Toggle", nil), command("power", "Switch", argument("ON, OFF or TOGGLE")),
	)
}

// device is what all devices have.
func device() Interface {
	i := newInterface(deviceID, "Tasmota on Linux", "What tasmota-azd reports and takes whatever its relays are.", "",
		property("daemon", "Program", object("version", "string", "built", "string", "go", "string")),
		property("board", "Board", object("model", "string", "os", "string")),
		property("network", "Network", object("hostname", "string", "ip", "string", "mac", "string", "ssid", "string")),
		property("counters", "Counters", object("boots", "integer", "sessions", "integer")),
		property("lastError", "Last failure", object("text", "string", "time", "dateTime", "cause", "string")),
		telemetry("Time", "string", "local time of STATE"),
		telemetry("UptimeSec", "integer", "seconds since the daemon started"),
		telemetry("Heap", "integer", "KiB of the daemon's heap"),
		telemetry("LoadAvg", "integer", "load of the last minute in percent of all processors"),
		telemetry("MqttCount", "integer", "sessions with the hub"),
		command("Power0", "Switch all relays", argument("ON, OFF or TOGGLE")),
		command("Backlog", "Run commands one after the other", argument("commands, separated by semicolons")),
		command("State", "State", nil),
		command("Status", "Status", argument("the number of a section, 0 for all")),
	)
	for _, s := range (commands.Settings{}).List() {
		i.Contents = append(i.Contents, content{Type: "Property", Name: s.Name, DisplayName: s.Name, Schema: "integer", Writable: true})
	}
	return i
}

func property(name, display string, schema any) content {
	return content{Type: "Property", Name: name, DisplayName: display, Schema: schema}
}

func telemetry(name, schema, description string) content {
	return content{Type: "Telemetry", Name: name, Schema: schema, Description: description}
}

// command answers with the JSON of the command itself, so it has no schema.
func command(name, display string, request *content) content {
	return content{Type: "Command", Name: name, DisplayName: display, Request: request}
}

// argument is the text that a command takes.
func argument(description string) *content {
	return &content{Name: "argument", Schema: "string", Description: description}
}

// A field of an object schema.
type field struct {
	Name   string `json:"name"`
	Schema string `json:"schema"`
}

func object(names ...string) any {
	var fields []field
	for i := 0; i < len(names); i += 2 {
		fields = append(fields, field{names[i], names[i+1]})
	}
	return map[string]any{"@type": "Object", "fields": fields}
}
