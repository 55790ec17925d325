package device

import (
	"strings"

	"tasmota-azd/internal/hub"
)

// topics makes the D2C property "topic" from the configured template and the
// last level that the interpreter names (language reference, sections 1.1, 1.2).
type topics struct {
	stat, tele string // what stands before the last level of an answer, and of telemetry

	last, answer string // the last level that was asked for, and the answer's whole topic
}

// newTopics fills in FullTopic, such as "%topic%/" or "%prefix%/%topic%/".
func newTopics(template, deviceID string) topics {
	return topics{stat: fill(template, "stat", deviceID), tele: fill(template, "tele", deviceID)}
}

func fill(template, prefix, deviceID string) string {
	text := strings.NewReplacer("%prefix%", prefix, "%topic%", deviceID, "#", "").Replace(template) + "/"
	for strings.Contains(text, "//") {
		text = strings.ReplaceAll(text, "//", "/")
	}
	return text
}

// full is the whole topic of a message, such as "gw1/RESULT" or "tele/gw1/STATE".
func (t *topics) full(tele bool, last string) string {
	if tele {
		return t.tele + last
	}
	if last != t.last || t.answer == "" { // nearly all answers have the same
		t.last, t.answer = last, t.stat+last
	}
	return t.answer
}

// Will is the message that the hub publishes when the link dies (language
// reference, section 3.3).
func Will(template, deviceID string) hub.Telemetry {
	topic := newTopics(template, deviceID)
	return hub.Telemetry{
		Topic: topic.full(true, "LWT"),
		Body:  []byte(`{"LWT":"Offline"}`),
	}
}
