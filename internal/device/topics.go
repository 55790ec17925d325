package device

import (
	"strings"

	"tasmota-azd/internal/hub"
)

// topics makes the D2C property "topic" from the configured template and the
// last level that the interpreter names (language reference, sections 1.1, 1.2).
type topics struct {
	template string // FullTopic, such as "%topic%/" or "%prefix%/%topic%/"
	deviceID string
}

// full is the whole topic of a message, such as "gw1/RESULT" or "tele/gw1/STATE":
// telemetry goes under the prefix "tele", an answer under "stat".
func (t topics) full(tele bool, last string) string {
	prefix := "stat"
	if tele {
		prefix = "tele"
	}
	text := strings.NewReplacer("%prefix%", prefix, "%topic%", t.deviceID, "#", "").Replace(t.template) + "/"
	for strings.Contains(text, "//") {
		text = strings.ReplaceAll(text, "//", "/")
	}
	return text + last
}

// Will is the message that the hub publishes when the link dies (language
// reference, section 3.3).
func Will(template, deviceID string) hub.Telemetry {
	return hub.Telemetry{
		Topic: topics{template, deviceID}.full(true, "LWT"),
		Body:  []byte(`{"LWT":"Offline"}`),
	}
}
