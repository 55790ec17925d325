package hub

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxBody is the largest cloud-to-device message (contract, section 1.9).
const maxBody = 64 * 1024

var errForeignTopic = errors.New("the topic is not one of this device")

// decode reads a cloud-to-device message. prefix is that of the device, as
// inboundPrefix returns it; everything after it is the property bag, slashes
// included (contract, section 4.1).
func decode(prefix, topic string, body []byte) (Message, error) {
	bag, ok := strings.CutPrefix(topic, prefix)
	if !ok {
		return Message{}, errForeignTopic
	}
	if len(body) > maxBody {
		return Message{}, fmt.Errorf("the body has %d bytes: the hub allows %d", len(body), maxBody)
	}
	m := Message{Body: body}
	// The documentation prints a leading "?", the wire has none; a literal one
	// would be encoded.
	bag = strings.TrimPrefix(bag, "?")
	for part := range strings.SplitSeq(bag, "&") {
		if part == "" {
			continue
		}
		// Split before decoding: an encoded "&" or "=" belongs to the text.
		name, value, valued := strings.Cut(part, "=")
		m.set(Property{Name: unescape(name), Value: unescape(value), Null: !valued})
	}
	return m, nil
}

// set puts p where it belongs. Unknown system properties are treated like those
// of the application.
func (m *Message) set(p Property) {
	switch p.Name {
	case "$.mid":
		m.ID = p.Value
	case "$.cid":
		m.CorrelationID = p.Value
	case "$.uid":
		m.UserID = p.Value
	case "$.to":
		m.To = p.Value
	case "$.exp":
		m.Expiry = p.Value
	case "$.ct":
		m.ContentType = p.Value
	case "$.ce":
		m.ContentEncoding = p.Value
	case "iothub-ack":
		m.Feedback = p.Value
	default:
		m.Properties = append(m.Properties, p)
	}
}

// unescape decodes percent signs and nothing else: "+" stays "+". What cannot be
// decoded to text stays as it was written.
func unescape(s string) string {
	d, err := url.PathUnescape(s)
	if err != nil || !utf8.ValidString(d) {
		return s
	}
	return d
}
