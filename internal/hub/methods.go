package hub

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The topics of direct methods (contract, section 5).
const (
	methodPrefix = "$iothub/methods/POST/"
	answerPrefix = "$iothub/methods/res/"
)

const (
	// MaxMethod is the largest request and the largest answer (contract, section 1.9).
	MaxMethod = 128 * 1024
	// maxCalls bounds the calls of one link that are not answered. A device answers
	// at once or within seconds.
	maxCalls = 64
	// maxRequestID is far beyond any that was seen: a hexadecimal number, or a GUID.
	maxRequestID = 256
)

var (
	errNoRequestID  = errors.New("the topic has no request id that an answer could name")
	errTooManyCalls = fmt.Errorf("%d calls are not answered yet", maxCalls)
)

// A Method is a call of a direct method. Its caller waits for Client.Answer.
type Method struct {
	Name     string // percent-decoded, such as "Power1" or "relay1*toggle"
	Body     []byte // any JSON value, or empty; it may be malformed
	ID       string // what the hub calls this request, $rid; unique within one session
	Received time.Time

	call *call // what Answer answers
}

func (Method) event() {}

// Answer tells the caller of m the outcome: a status, like those of HTTP, and a
// JSON value or nothing. It never blocks, and only the first answer counts. If
// the session in which m came is over, nothing happens: its caller has been told
// that there is no answer.
func (c *Client) Answer(m Method, status int, body []byte) {
	if len(body) > MaxMethod {
		c.opts.Log.Error("answer of a method is too large for the hub", "method", clip(m.Name, 120), "bytes", len(body), "limit", MaxMethod)
		status, body = 500, nil
	}
	if m.call != nil {
		m.call.answer(status, body)
	}
}

// method takes a call from the hub. What cannot be read, or is too much, is
// answered here; the device answers all else.
func (c *Client) method(l *link, topic string, body []byte) {
	m, err := decodeMethod(topic, body)
	if m.ID == "" {
		c.opts.Log.Warn("direct method ignored", "topic", clip(topic, 120), "err", err)
		return
	}
	one, refused := l.calls.begin(m.ID)
	m.call, m.Received = one, time.Now()
	if err = cmp.Or(err, refused); err == nil {
		l.express.put(m)
		return
	}
	c.opts.Log.Warn("direct method refused", "method", clip(m.Name, 120), "err", err)
	switch err {
	case errStopped:
		one.answer(503, nil)
	case errTooManyCalls:
		one.answer(429, nil)
	default:
		one.answer(400, nil)
	}
}

// decodeMethod reads the topic $iothub/methods/POST/{name}/?$rid={rid}. With an
// error, m.ID is empty if the call cannot be answered.
func decodeMethod(topic string, body []byte) (m Method, err error) {
	rest, ok := strings.CutPrefix(topic, methodPrefix)
	name, query, ok2 := strings.Cut(rest, "/?")
	if !ok || !ok2 {
		return Method{}, errForeignTopic
	}
	rid, _ := parameter(query, "$rid")
	if !sendable(rid) {
		return Method{}, errNoRequestID
	}
	m = Method{Name: unescape(name), Body: body, ID: rid}
	if len(body) > MaxMethod {
		m.Body = nil
		return m, fmt.Errorf("the body has %d bytes: the hub allows %d", len(body), MaxMethod)
	}
	return m, nil
}

// parameter returns the value of a parameter as it is written.
func parameter(query, name string) (string, bool) {
	for part := range strings.SplitSeq(query, "&") {
		if n, v, ok := strings.Cut(part, "="); ok && n == name {
			return v, true
		}
	}
	return "", false
}

// sendable reports whether a request id can be put into a topic unchanged. One
// with a wildcard would cost the connection.
func sendable(rid string) bool {
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '+' || r == '#' }
	return rid != "" && len(rid) <= maxRequestID && !strings.ContainsFunc(rid, bad)
}
