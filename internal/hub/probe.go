package hub

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tasmota-azd/internal/token"
)

// A Probe looks at the way to a hub step by step, as a Client of the same Options
// would take it, and disturbs nobody: it ends no session of the device and touches no
// message.
type Probe struct {
	c  *Client
	id Identity
}

// NewProbe returns a probe of the way of id, whose Way does not count. Of the options it
// needs those of the network.
func NewProbe(o Options, id Identity) *Probe { return &Probe{New(o), id} }

// Reach opens a connection and closes it, through the proxy if that is the way. The
// error is an *Error.
func (p *Probe) Reach(ctx context.Context, w Way) error {
	conn, err := p.c.tcp(ctx, p.id, w)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Greet shakes hands with TLS and returns what came of it. The error is an *Error.
func (p *Probe) Greet(ctx context.Context, w Way) (tls.ConnectionState, error) {
	conn, err := p.c.greet(ctx, p.id, w)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

const (
	// restVersion is that of the hub's device API over HTTPS.
	restVersion = "2020-03-13"
	// noMessage has the shape of a message's lock token and is that of none.
	noMessage = "00000000-0000-0000-0000-000000000000"
	knockTTL  = 5 * time.Minute // of its token
	maxReply  = 64 << 10        // bytes of an answer that are read
)

// Knock finds out whether the hub would let the device in. It asks over HTTPS, on the
// WebSocket's port, to give a message back to the queue that was never taken out of it.
// Whom the hub knows it tells that there is no such message (412); to all others it says
// what is wrong, and that more exactly than MQTT can. No session begins, so none is taken
// over, and no message is delivered, locked, counted or acknowledged.
//
// It returns nil for a device that may come in. The error is an *Error; if Kind is
// Refused, Reply has the hub's own code.
func (p *Probe) Knock(ctx context.Context) error {
	conn, err := p.c.greet(ctx, p.id, WebSocket)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req := p.request(ctx)
	if err := req.Write(conn); err != nil {
		return silentError(p.id, "a request over HTTPS", because(ctx, err))
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxReply)), req)
	if err != nil {
		return silentError(p.id, "a request over HTTPS", because(ctx, err))
	}
	defer resp.Body.Close()
	var r reply
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		r = reply{} // the status is enough
	}
	return p.judge(resp.StatusCode, r)
}

func (p *Probe) request(ctx context.Context) *http.Request {
	path := "/devices/" + p.id.DeviceID + "/messages/deviceBound/" + noMessage + "/abandon"
	req := &http.Request{
		Method: http.MethodPost, Host: webHost(p.id.Host, p.c.opts.WebPort), Header: http.Header{}, Close: true,
		URL: &url.URL{Scheme: "https", Host: p.id.Host, Path: path, RawQuery: "api-version=" + restVersion},
	}
	req.Header.Set("User-Agent", cmp.Or(p.c.opts.ClientType, "tasmota-azd"))
	if p.id.Certificate.IsZero() {
		req.Header.Set("Authorization", token.Hub(p.id.Key, p.id.Host, p.id.DeviceID, p.c.opts.Now().Add(knockTTL)))
	}
	return req.WithContext(ctx)
}

// A reply is the body of an error. Older versions of the service write a name and not a
// number.
type reply struct {
	Code    int    `json:"errorCode"`
	Message string `json:"message"`
}

// What Error.Reply may be (contract, section 12.4, and the service's list of codes).
const (
	Unauthorized   = 401003
	QuotaExceeded  = 403002
	WrongTier      = 403010
	DeviceDisabled = 403012
	UnknownDevice  = 404001
)

// judge says what an answer to a knock means.
func (p *Probe) judge(status int, r reply) error {
	e := &Error{Kind: Refused, Reply: r.Code}
	who := fmt.Sprintf("device %q", p.id.DeviceID)
	switch {
	case status == http.StatusPreconditionFailed, status == http.StatusNoContent, r.Code/1000 == 412, status == http.StatusBadRequest && r.Code/1000 == 400:
		return nil
	case r.Code == DeviceDisabled:
		e.words = who + " is disabled in the hub"
	case r.Code == QuotaExceeded:
		e.words = "the hub knows " + who + ", and its messages of the day are used up, until 00:00 UTC"
	case r.Code == WrongTier:
		e.words = "the hub is of the basic tier, which has no messages to devices, no methods and no twins"
	case r.Code == UnknownDevice:
		e.words = "the hub does not know " + who
	case status == http.StatusUnauthorized:
		e.Reply = cmp.Or(r.Code, Unauthorized)
		e.words = fmt.Sprintf("the hub does not let %s in: the %s is wrong, or there is no such device", who, p.proof())
	case status == http.StatusForbidden:
		e.words = "the hub does not let this machine in: its IP filter or private access may forbid it"
	case status == http.StatusTooManyRequests, status >= 500:
		e.Kind, e.words = Unreachable, p.id.Host+" is busy or has trouble of its own"
	default:
		e.Kind, e.words = Unreachable, p.id.Host+" does not answer over HTTPS as a hub does"
	}
	e.words += " (HTTP " + strconv.Itoa(status)
	if r.Code != 0 {
		e.words += ", code " + strconv.Itoa(r.Code)
	}
	e.words += ")"
	if r.Message != "" {
		e.cause = errors.New(redact(r.Message))
	}
	return e
}

func (p *Probe) proof() string {
	if p.id.Certificate.IsZero() {
		return "key"
	}
	return "certificate"
}
