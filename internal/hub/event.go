package hub

import (
	"strings"
	"time"
)

// Telemetry is a device-to-cloud message. It always travels as JSON in UTF-8
// (system properties $.ct and $.ce), with QoS 1.
type Telemetry struct {
	Topic         string // value of the application property "topic", such as "pump/RESULT"
	Body          []byte
	CorrelationID string // the id of the message this one answers ($.cid), or empty
	Component     string // of the Plug and Play model ($.sub), or empty for the device itself
	Perishable    bool   // worth nothing later: dropped while no session stands

	ID      string    // $.mid, by which a receiver knows it if it comes twice, or empty
	Number  uint64    // rises with each message that Progress is to tell of, 0 for others
	Created time.Time // when it was made, in proven time; zero for not known
	Late    bool      // it says when it was made, as it is sent later than that
}

// An Event is what Run tells: Connected, Disconnected, a Message, a Method, or what
// became of the twin: Twin, Desired, Reported.
type Event interface{ event() }

// Connected says that a session stands: the hub has accepted the device and its
// subscription. No Message of the session comes before it.
type Connected struct {
	Host      string
	Port      int
	DeviceID  string
	User      string // the MQTT username, which holds no secret
	KeepAlive time.Duration
	Renewal   bool // follows at once on a session whose token was used up
}

// Disconnected says that there is no session: one has ended, or an attempt to
// begin one has failed. If nobody takes the event, a later one replaces it, so
// it may come several times in a row or not at all.
type Disconnected struct {
	Err     error         // why, in words; nil for a renewal
	Renewal bool          // ended in good order to use a new token, and the next follows at once
	Retry   time.Duration // until the next attempt
	Rival   bool          // so many sessions were cut short that another client is likely to use this device id
}

// A Message is a cloud-to-device message (contract, section 4). Give it to
// Client.Ack when it has taken effect.
type Message struct {
	ID              string // $.mid; may be empty, or used twice by its sender
	CorrelationID   string // $.cid
	UserID          string // $.uid
	To              string // $.to
	Expiry          string // $.exp, as sent
	ContentType     string // $.ct
	ContentEncoding string // $.ce
	Feedback        string // iothub-ack: what the sender wants to hear: "none", "positive", "negative", "full"

	Properties []Property // all others, in the order in which they were written
	Body       []byte
	Received   time.Time // when it reached this device

	arrival *arrival // what Ack acknowledges
}

// A Property is an application property.
type Property struct {
	Name, Value string
	Null        bool // has no value, which differs from an empty one
}

// Property returns the value of the first property of that name, in any letter
// case, and whether there is one. The value of a null property is "".
func (m Message) Property(name string) (string, bool) {
	for _, p := range m.Properties {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}

func (Connected) event()    {}
func (Disconnected) event() {}
func (Message) event()      {}
