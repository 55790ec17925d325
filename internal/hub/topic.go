package hub

import "fmt"

const (
	apiVersion = "2021-04-12"

	// maxTelemetry is where the contract, section 3.5, tells to refuse. The
	// hub's own limit of 256 KB counts the property names as well.
	maxTelemetry = 255 * 1024
	// maxNames bounds what goes into the topic. Each byte may become three,
	// and MQTT counts a topic in 16 bits.
	maxNames = 20_000
)

// username is what CONNECT says about the device (contract, section 1.3). Host
// and id are never encoded there, unlike the values that follow them.
func username(host, deviceID, clientType, modelID string) string {
	b := fmt.Appendf(nil, "%s/%s/?api-version=%s", host, deviceID, apiVersion)
	if modelID != "" {
		b = appendEscaped(append(b, "&model-id="...), modelID)
	}
	if clientType != "" {
		b = appendEscaped(append(b, "&DeviceClientType="...), clientType)
	}
	return string(b)
}

// inboundPrefix begins the topic of each cloud-to-device message; the property
// bag follows. With "#" it is the filter to subscribe to (contract, section 4.1).
func inboundPrefix(deviceID string) string { return "devices/" + deviceID + "/messages/devicebound/" }

// outboundPrefix begins the topic of each device-to-cloud message. Without
// content type and encoding the service treats a body as bytes and cannot route
// by it (contract, sections 3.1 and 3.4).
func outboundPrefix(deviceID string) string {
	return "devices/" + deviceID + "/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8"
}

// encode returns the whole MQTT topic of t.
func encode(prefix string, t Telemetry) string { return string(appendTopic(nil, prefix, t)) }

// appendTopic appends what encode returns.
func appendTopic(b []byte, prefix string, t Telemetry) []byte {
	b = append(b, prefix...)
	if t.Topic != "" {
		b = appendEscaped(append(b, "&topic="...), t.Topic)
	}
	if t.CorrelationID != "" {
		b = appendEscaped(append(b, "&%24.cid="...), t.CorrelationID)
	}
	if t.Component != "" {
		b = appendEscaped(append(b, "&%24.sub="...), t.Component)
	}
	if t.ID != "" {
		b = appendEscaped(append(b, "&%24.mid="...), t.ID)
	}
	if t.Late && !t.Created.IsZero() {
		created := t.Created.UTC().Format("2006-01-02T15:04:05.000Z")
		b = appendEscaped(append(b, "&iothub-creation-time-utc="...), created)
	}
	return b
}

// appendEscaped percent-encodes all but the unreserved characters: unencoded
// ones have led to disconnects (contract, section 3.2).
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; unreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

func unreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '_' || c == '.' || c == '~'
}

// Size is what the hub counts of t, or a little more, in bytes.
func (t Telemetry) Size() int { return t.size() }

// Size is what the hub counts of m, or a little more, in bytes.
func (m Message) Size() int {
	n := len(m.Body) + len(m.ID) + len(m.CorrelationID) + len(m.UserID) + len(m.To) + len(m.Expiry) + len(m.ContentType) + len(m.ContentEncoding)
	for _, p := range m.Properties {
		n += len(p.Name) + len(p.Value)
	}
	return n
}

// size is what the hub counts of t, or a little more (contract, section 3.5).
func (t Telemetry) size() int {
	return len(t.Body) + len(t.Topic) + len(t.Component) + len(t.CorrelationID) + len(t.ID) +
		len("topicapplication/jsonutf-8iothub-creation-time-utc2006-01-02T15:04:05.000Z")
}
