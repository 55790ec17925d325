// Package twin has the two halves of the device twin: what the cloud desires,
// turned into commands in a fixed order, and what the device reports, as one
// document that is a function of its state. It compares that document with the
// hub's copy, and makes of the difference the patch to send.
//
// It is pure: no network, no clock, no relay. Facts are from the azure-iot
// contract, sections 6 and 11.4.
//
// Desired and reported have the same places:
//
//	{"relays":{"1":{"power":"ON"}},"settings":{"TelePeriod":60}}   for people, and for fleets
//	{"relay1":{"__t":"c","on":true},"TelePeriod":60}               the same in IoT Plug and Play
//
// What came of a desired property is acknowledged: for people in the key ack
// beside the value, in Plug and Play in place of the value.
package twin

import (
	"bytes"
	"encoding/json"
	"maps"
)

// A Setting is one that commands change, such as TelePeriod, and its value.
type Setting struct {
	Name  string // as the command is spelled
	Value int
}

// An Ack says what came of a desired property (contract, section 11.4).
type Ack struct {
	Value   json.RawMessage `json:"value"` // what was in force afterwards
	Status  int             `json:"ac"`    // like the status of a direct method
	Version int64           `json:"av"`    // of the desired properties
	Text    string          `json:"ad"`
}

// An Entry is a desired property that was dealt with.
type Entry struct {
	Want json.RawMessage `json:"want"` // as it was desired
	Ack  Ack             `json:"ack"`
}

// A Memory is the desired properties that were dealt with, by their path. It must
// outlive the daemon: what was applied once is not applied again after a restart.
type Memory map[string]Entry

// Equal reports whether m and o say the same.
func (m Memory) Equal(o Memory) bool { return maps.EqualFunc(m, o, Entry.equal) }

func (e Entry) equal(o Entry) bool {
	return same(e.Want, o.Want) && same(e.Ack.Value, o.Ack.Value) &&
		e.Ack.Status == o.Ack.Status && e.Ack.Version == o.Ack.Version && e.Ack.Text == o.Ack.Text
}

// same compares JSON values that differ at most in white space.
func same(a, b json.RawMessage) bool { return bytes.Equal(compact(a), compact(b)) }

func compact(v json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return v
	}
	return b.Bytes()
}
