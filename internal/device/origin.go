package device

import (
	"time"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/journal"
)

// An origin is what a message tells of itself, beside its command.
type origin struct {
	came       time.Time         // when it reached this device; zero for the moment when it is run
	made       time.Time         // as the sender says
	properties map[string]string // some of them
}

// What is kept of a message's properties: enough to find its sender.
const (
	maxProperties    = 8
	maxPropertyBytes = 128
)

// originOf returns what m tells of itself.
func originOf(m hub.Message) origin {
	o := origin{came: m.Received}
	if text, ok := m.Property(creationTime); ok {
		o.made, _ = time.Parse(time.RFC3339, text)       // zero if it is none
		if y := o.made.UTC().Year(); y < 1 || y > 9999 { // JSON cannot hold it
			o.made = time.Time{}
		}
	}
	add := func(name, value string) {
		if value == "" || len(name)+len(value) > maxPropertyBytes || len(o.properties) == maxProperties {
			return
		}
		if o.properties == nil {
			o.properties = make(map[string]string)
		}
		o.properties[name] = value
	}
	add("user-id", m.UserID)
	add("correlation-id", m.CorrelationID)
	for _, p := range m.Properties {
		add(p.Name, p.Value)
	}
	return o
}

// command is what the journal keeps of a command that came at now.
func (d *Device) command(now time.Time, c commands.Command, from origin) journal.Command {
	line := c.Word()
	if c.Arg != "" {
		line += " " + shorten(c.Shown())
	}
	return journal.Command{
		Cause: c.Cause, Line: line, Made: from.made.UTC(), Arrived: d.o.Wall(now).UTC(), Properties: from.properties,
	}
}
