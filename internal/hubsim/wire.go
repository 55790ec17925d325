package hubsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// body is bytes in JSON: as text where they are text, else in base64.
type body struct {
	Text   *string `json:"body,omitempty"`
	Base64 []byte  `json:"bodyBase64,omitempty"`
}

func newBody(b []byte) body {
	if !utf8.Valid(b) {
		return body{Base64: b}
	}
	s := string(b)
	return body{Text: &s}
}

func (b body) bytes() []byte {
	if b.Text != nil {
		return []byte(*b.Text)
	}
	return b.Base64
}

type recordJSON struct {
	Seq        uint64            `json:"seq"`
	Device     string            `json:"deviceId"`
	Hub        string            `json:"hub"`
	Enqueued   time.Time         `json:"enqueuedTime"`
	Properties map[string]string `json:"properties"`
	System     map[string]string `json:"systemProperties"`
	body
}

// MarshalJSON writes a record as the control API shows it.
func (r Record) MarshalJSON() ([]byte, error) {
	return json.Marshal(recordJSON{r.Seq, r.Device, r.Hub, r.Enqueued, r.Properties, r.System, newBody(r.Body)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Record) UnmarshalJSON(data []byte) error {
	var in recordJSON
	err := json.Unmarshal(data, &in)
	*r = Record{in.Seq, in.Device, in.Hub, in.Enqueued, in.Properties, in.System, in.bytes()}
	return err
}

// Properties are application properties in the order of the bag. In JSON they
// are an object, in which null stands for a name without "=".
type Properties []Property

// MarshalJSON writes the properties in their order.
func (ps Properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		value := any(p.Value)
		if p.Null {
			value = nil
		}
		pair, err := json.Marshal(map[string]any{p.Name: value})
		if err != nil {
			return nil, err
		}
		b.Write(pair[1 : len(pair)-1])
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON keeps the order, and names that come twice.
func (ps *Properties) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	*ps = nil
	switch t, err := d.Token(); {
	case err != nil:
		return err
	case t == nil:
		return nil
	case t != json.Delim('{'):
		return errors.New("properties are an object of texts")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value *string
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("property %v: %w", name, err)
		}
		p := Property{Name: name.(string), Null: value == nil} // the key of an object is a text
		if value != nil {
			p.Value = *value
		}
		*ps = append(*ps, p)
	}
	return nil
}

type c2dJSON struct {
	MessageID       string     `json:"messageId,omitempty"`
	CorrelationID   string     `json:"correlationId,omitempty"`
	UserID          string     `json:"userId,omitempty"`
	ContentType     string     `json:"contentType,omitempty"`
	ContentEncoding string     `json:"contentEncoding,omitempty"`
	To              string     `json:"to,omitempty"`
	Ack             string     `json:"ack,omitempty"`
	TTL             duration   `json:"ttl,omitzero"`
	Topic           *string    `json:"topic,omitempty"` // the property "Topic", which commands of Tasmota travel by
	Properties      Properties `json:"properties,omitempty"`
	body
}

// MarshalJSON writes a message as the control API takes it.
func (m C2D) MarshalJSON() ([]byte, error) {
	return json.Marshal(c2dJSON{
		m.MessageID, m.CorrelationID, m.UserID, m.ContentType, m.ContentEncoding, m.To, m.Ack, duration(m.TTL), nil, m.Properties, newBody(m.Body),
	})
}

// UnmarshalJSON reads a message; unknown members are mistakes.
func (m *C2D) UnmarshalJSON(data []byte) error {
	var in c2dJSON
	if err := strict(data, &in); err != nil {
		return err
	}
	if in.Topic != nil {
		in.Properties = slices.Insert(in.Properties, 0, Property{Name: "Topic", Value: *in.Topic})
	}
	*m = C2D{
		in.MessageID, in.CorrelationID, in.UserID, in.ContentType, in.ContentEncoding, in.To, in.Ack, time.Duration(in.TTL), in.Properties, in.bytes(),
	}
	return nil
}

// strict decodes one JSON value, in which unknown members are mistakes.
func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value")
	}
	return nil
}

// duration is a time span in JSON, such as "1m30s".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

type faultJSON struct {
	Kind      FaultKind `json:"kind"`
	Device    string    `json:"deviceId,omitempty"`
	Count     int       `json:"count,omitempty"`
	Code      int       `json:"code,omitempty"`
	Delay     duration  `json:"delay,omitzero"`
	Transport Transport `json:"transport,omitempty"`
}

// MarshalJSON writes a fault as the control API takes it.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{f.Kind, f.Device, f.Count, f.Code, duration(f.Delay), f.Transport})
}

// UnmarshalJSON reads a fault; unknown members are mistakes.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var in faultJSON
	err := strict(data, &in)
	*f = Fault{in.Kind, in.Device, in.Count, in.Code, time.Duration(in.Delay), in.Transport}
	return err
}

type queuedJSON struct {
	Seq        uint64     `json:"seq"`
	MessageID  string     `json:"messageId,omitempty"`
	Properties Properties `json:"properties"`
	Enqueued   time.Time  `json:"enqueued"`
	Expires    time.Time  `json:"expires"`
	Deliveries int        `json:"deliveryCount"`
	Locked     bool       `json:"locked"`
	body
}

// MarshalJSON writes a message of the queue as the control API shows it.
func (q Queued) MarshalJSON() ([]byte, error) {
	return json.Marshal(queuedJSON{q.Seq, q.MessageID, q.Properties, q.Enqueued, q.Expires, q.Deliveries, q.Locked, newBody(q.Body)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (q *Queued) UnmarshalJSON(data []byte) error {
	var in queuedJSON
	err := json.Unmarshal(data, &in)
	*q = Queued{in.Seq, in.MessageID, in.Properties, in.bytes(), in.Enqueued, in.Expires, in.Deliveries, in.Locked}
	return err
}
