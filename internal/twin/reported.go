package twin

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// A State is what the device reports.
type State struct {
	Relays   []Relay
	Settings []Setting
	Daemon   Daemon
	Board    Board
	Network  Network
	Counters Counters
	Failure  *Failure // the last one; nil if there was none
	Memory   Memory
}

// A Relay is one relay as it stands.
type Relay struct {
	On    bool
	Name  string    // what the owner calls it
	Pin   string    // proper name
	Since time.Time // when it got there, zero if that is not known
	Cause string    // who wanted it
	Fault string    // why it cannot be driven just now
}

// A Daemon is the program.
type Daemon struct {
	Version string `json:"version,omitempty"`
	Built   string `json:"built,omitempty"`
	Go      string `json:"go,omitempty"`
}

// A Board is the machine and its system.
type Board struct {
	Model string `json:"model,omitempty"`
	OS    string `json:"os,omitempty"`
}

// A Network is where the device is reached.
type Network struct {
	Hostname string `json:"hostname,omitempty"`
	IP       string `json:"ip,omitempty"`
	MAC      string `json:"mac,omitempty"`
	SSID     string `json:"ssid,omitempty"`
}

// Counters count what happened to the device.
type Counters struct {
	Boots    int `json:"boots"`
	Sessions int `json:"sessions"` // with the hub since the daemon started; a renewed token begins none
}

// A Failure is something that went wrong and was not the sender's mistake.
type Failure struct {
	Text  string
	Time  time.Time
	Cause string
}

// A Document is one half of a twin, or a patch to it. Numbers are json.Number.
type Document map[string]any

// Document returns all that s reports.
func (s State) Document() Document {
	relays, settings := map[string]any{}, map[string]any{}
	doc := Document{
		"relays": relays, "settings": settings,
		"daemon": s.Daemon, "board": s.Board, "network": s.Network, "counters": s.Counters,
	}
	for i, r := range s.Relays {
		n := strconv.Itoa(i + 1)
		relays[n] = r.document()
		part := Component(i + 1)
		doc[part] = map[string]any{"__t": "c", "on": s.inPlace(part+"/on", r.On), "name": r.Name}
	}
	for _, set := range s.Settings {
		settings[set.Name] = set.Value
		doc[set.Name] = s.inPlace(set.Name, set.Value)
	}
	s.acknowledge(relays, settings)
	if f := s.Failure; f != nil {
		doc["lastError"] = map[string]any{"text": f.Text, "time": stamp(f.Time), "cause": f.Cause}
	}
	return plain(doc)
}

func (r Relay) document() map[string]any {
	power := "OFF"
	if r.On {
		power = "ON"
	}
	doc := map[string]any{"power": power, "name": r.Name, "pin": r.Pin}
	if r.Cause != "" {
		doc["cause"] = r.Cause
	}
	if !r.Since.IsZero() {
		doc["since"] = stamp(r.Since)
	}
	if r.Fault != "" {
		doc["error"] = r.Fault
	}
	return doc
}

// acknowledge puts what came of desired properties beside their values.
func (s State) acknowledge(relays, settings map[string]any) {
	acks := map[string]any{}
	for path, e := range s.Memory {
		part, name, _ := strings.Cut(path, "/")
		switch part {
		case "relays":
			n, _, _ := strings.Cut(name, "/")
			relay, ok := relays[n].(map[string]any)
			if !ok { // a relay that there is not
				relay = map[string]any{}
				relays[n] = relay
			}
			relay["ack"] = e.Ack
		case "settings":
			acks[name] = e.Ack
		}
	}
	if len(acks) > 0 {
		settings["ack"] = acks
	}
}

// inPlace is a property of the model: its value, or once it was desired the value
// with what came of that.
func (s State) inPlace(path string, value any) any {
	e, ok := s.Memory[path]
	if !ok {
		return value
	}
	return map[string]any{"value": value, "ac": e.Ack.Status, "av": e.Ack.Version, "ad": e.Ack.Text}
}

// stamp writes a time as the service does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// plain returns doc as it looks when it has been a text, without what is null: a
// patch would remove that, and the hub's copy could never be the same.
func plain(doc Document) Document {
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err) // texts, numbers and values that were JSON before
	}
	p, _ := Parse(text)
	return Merge(nil, p)
}
