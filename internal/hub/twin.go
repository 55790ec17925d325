package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The topics of the device twin (contract, section 6.1).
const (
	twinPrefix     = "$iothub/twin/res/"
	desiredPrefix  = "$iothub/twin/PATCH/properties/desired/"
	twinGet        = "$iothub/twin/GET/"
	reportedPrefix = "$iothub/twin/PATCH/properties/reported/"
)

const (
	// MaxReported is the largest patch that Report takes: the hub keeps no more
	// than that of all reported properties together (contract, section 6.4).
	MaxReported = 32 * 1024
	// maxTwinDoc is more than a whole twin can have: twice 32 KB as the hub counts,
	// which leaves out quotation marks, commas and the like.
	maxTwinDoc = 160 * 1024
)

// Twin is the device's twin as the hub has it. It is told after each Connected,
// and again when something may have been missed.
type Twin struct {
	Desired         json.RawMessage // an object, with its "$version"
	DesiredVersion  int64
	Reported        json.RawMessage // an object, with its "$version"
	ReportedVersion int64
}

// Desired is a change of the desired properties. Each has the version after the
// last one that was told, by a Desired or by a Twin.
type Desired struct {
	Patch   json.RawMessage // what has changed, with "$version"; null stands for removed
	Version int64
}

// Reported is the outcome of Report. After a failure a Twin follows, since it is not
// known what the hub has, unless the patch was Refused.
type Reported struct {
	Status  int   // 204, or what the hub said instead; 0 if it said nothing
	Version int64 // of the reported properties, after a 204
	Err     error // nil after a 204
}

func (Twin) event()     {}
func (Desired) event()  {}
func (Reported) event() {}

// Refused reports whether the patch itself was at fault, so that it would not help
// to repeat it.
func (r Reported) Refused() bool { return r.Err != nil && refused(r.Status) }

// refused reports whether a status says that the request itself is at fault.
func refused(status int) bool { return 400 <= status && status < 500 && status != 429 && status != 408 }

// Report changes the reported properties: a JSON merge patch, in which null
// removes (contract, section 6.3). It never blocks. It is to be called when the
// Twin of the session has been told; if that session is over nothing happens, else
// Reported tells the outcome. patch must not be changed afterwards.
func (c *Client) Report(patch []byte) {
	if l := c.current.Load(); l != nil {
		l.twin.report(patch)
	}
}

// twinAnswer is what came on the topic of answers.
type twinAnswer struct {
	status  int
	rid     string
	version int64
	body    []byte
}

// decodeTwinAnswer reads the topic $iothub/twin/res/{status}/?$rid={rid}, with
// &$version={n} after a patch.
func decodeTwinAnswer(topic string, body []byte) (twinAnswer, error) {
	rest, ok := strings.CutPrefix(topic, twinPrefix)
	text, query, ok2 := strings.Cut(rest, "/?")
	status, err := strconv.Atoi(text)
	if !ok || !ok2 || err != nil {
		return twinAnswer{}, errForeignTopic
	}
	rid, _ := parameter(query, "$rid")
	if rid == "" {
		return twinAnswer{}, errNoRequestID
	}
	if len(body) > maxTwinDoc {
		return twinAnswer{}, fmt.Errorf("the body has %d bytes, more than a twin can have", len(body))
	}
	a := twinAnswer{status: status, rid: rid, body: body}
	if v, ok := parameter(query, "$version"); ok {
		a.version, err = strconv.ParseInt(v, 10, 64)
	}
	return a, err
}

// decodeTwin reads a whole twin.
func decodeTwin(body []byte) (Twin, error) {
	var t struct{ Desired, Reported json.RawMessage }
	if err := json.Unmarshal(body, &t); err != nil {
		return Twin{}, fmt.Errorf("the twin: %w", err)
	}
	desired, err := versionOf(t.Desired)
	reported, err2 := versionOf(t.Reported)
	if err := errors.Join(err, err2); err != nil {
		return Twin{}, err
	}
	return Twin{Desired: t.Desired, DesiredVersion: desired, Reported: t.Reported, ReportedVersion: reported}, nil
}

// decodeDesired reads a notification on $iothub/twin/PATCH/properties/desired/?$version={n}.
// The version stands in the body as well; the body's is the one of what is in it.
func decodeDesired(topic string, body []byte) (Desired, error) {
	query, ok := strings.CutPrefix(topic, desiredPrefix)
	if !ok {
		return Desired{}, errForeignTopic
	}
	if len(body) > maxTwinDoc {
		return Desired{}, fmt.Errorf("the body has %d bytes, more than a twin can have", len(body))
	}
	v, err := versionOf(body)
	if err != nil {
		return Desired{}, err
	}
	if text, ok := parameter(strings.TrimPrefix(query, "?"), "$version"); ok && text != strconv.FormatInt(v, 10) {
		return Desired{}, fmt.Errorf("version %.20s in the topic, %d in the body", text, v)
	}
	return Desired{Patch: body, Version: v}, nil
}

var errNoVersion = errors.New("properties without a $version")

// versionOf returns the version of an object of properties.
func versionOf(object []byte) (int64, error) {
	if len(object) == 0 {
		return 0, errNoVersion
	}
	var p struct {
		Version *int64 `json:"$version"`
	}
	if err := json.Unmarshal(object, &p); err != nil {
		return 0, fmt.Errorf("properties: %w", err)
	}
	if p.Version == nil {
		return 0, errNoVersion
	}
	return *p.Version, nil
}

// backOff is how long to wait before a twin is asked for again, after so many
// failures in a row: 10 s, which a throttled hub asks for at least, then twice as
// long each time, up to half an hour; up to half of it at random is added.
func backOff(failures int, chance float64) time.Duration {
	d := min(10*time.Second<<min(failures-1, 8), 30*time.Minute)
	return d + time.Duration(chance*float64(d)/2)
}
