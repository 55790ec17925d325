// Package hub keeps one device connected to Azure IoT Hub.
//
// It owns the connection and everything about it: the login with a token that
// is signed anew each time, the topics and their property bags, what has been
// sent and not been acknowledged, what has arrived and not been answered for,
// the renewal of the token, and the waiting between attempts. It knows nothing
// of what the messages mean.
//
// A Client reconnects for ever. A session lives until its token is nearly used
// up, until the link is lost, or until the context of Run ends; in the first
// case the next one follows at once, in the second after a wait. What is sent
// while no session stands is kept and sent later, in order.
//
// MQTT comes from paho, used for one connection at a time: its own reconnecting
// and its store are off. Facts about the service are from the azure-iot
// contract, sections 1 to 4 and 12.
package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"tasmota-azd/internal/certificate"
	"tasmota-azd/internal/spread"
	"tasmota-azd/internal/token"
)

// Options say which device connects and how. Identify is needed, all else may
// be left out.
type Options struct {
	// Identify names the hub and the device. It is asked before each attempt
	// to connect, may take its time, and its error counts as a failed attempt.
	Identify func(context.Context, Trouble) (Identity, error)

	// Accepted is told of each login that the hub accepts, with the Way that was
	// taken, which is never a Trial. It must not block.
	Accepted func(Identity)

	Port       int           // of MQTT over TLS, default 8883
	WebPort    int           // of the WebSocket, default 443
	TokenTTL   time.Duration // life of a token, default 1 h; a new one is used after 75 to 85 % of it
	KeepAlive  time.Duration // default 60 s; whole seconds from 1 to 1177 (contract, section 1.5)
	ClientType string        // DeviceClientType, free text for the hub's diagnostics
	ModelID    func() string // of IoT Plug and Play, such as "dtmi:example:Pump;1"; empty announces none

	Roots *x509.CertPool   // whom to trust, default the system's roots
	Now   func() time.Time // dates tokens and checks certificates, default time.Now

	// Will makes the message that the hub publishes if the link dies. Renew sees when
	// it makes another one.
	Will func(deviceID string) Telemetry

	// Proxy names the HTTP proxy for a WebSocket, or nil. The default asks the
	// environment (HTTPS_PROXY, NO_PROXY).
	Proxy func(*http.Request) (*url.URL, error)

	// Dial opens the connection to the hub, TLS and WebSocket included. A test
	// puts a hub in memory here. The default resolves the name and connects with
	// TLS 1.2 or later.
	Dial func(ctx context.Context, host string, port int) (net.Conn, error)

	Log *slog.Logger // default: nothing is logged
}

// A Client is the device's side of the connection. Use New.
type Client struct {
	opts     Options
	out      *outbox
	counts   *counting
	turns    spread.Turns   // of this device, to wait and to renew
	chance   func() float64 // their next, in [0, 1)
	dialer   *net.Dialer
	sessions tls.ClientSessionCache
	current  atomic.Pointer[link] // of the session that stands
	look     chan struct{}        // holds one token when Renew was called
}

// New returns a Client that is not connected. It starts nothing.
func New(o Options) *Client {
	if o.Port == 0 {
		o.Port = 8883
	}
	if o.WebPort == 0 {
		o.WebPort = webPort
	}
	if o.TokenTTL == 0 {
		o.TokenTTL = time.Hour
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = time.Minute
	}
	o.KeepAlive = min(max(o.KeepAlive.Truncate(time.Second), time.Second), maxKeepAlive)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	if o.Accepted == nil {
		o.Accepted = func(Identity) {}
	}
	if o.ModelID == nil {
		o.ModelID = func() string { return "" }
	}
	c := &Client{
		opts: o, out: newOutbox(), counts: newCounting(),
		dialer: tcpDialer(o.KeepAlive), sessions: tls.NewLRUClientSessionCache(2),
		look: make(chan struct{}, 1),
	}
	c.chance = c.turns.Next
	return c
}

// After returns a Client with other options that goes on where c is left, once its Run
// has returned: with what was not sent yet, and with its counts.
func (c *Client) After(o Options) *Client {
	next := New(o)
	next.out, next.counts = c.out, c.counts
	return next
}

// Renew looks whether the session would be begun with the same key, certificate and will
// today. If not, the next one follows on it in good order, as when a token is renewed.
// While no session stands, the next attempt is made at once. It never blocks.
func (c *Client) Renew() { nudge(c.look) }

// Connected reports whether a session stands.
func (c *Client) Connected() bool { return c.current.Load() != nil }

// maxKeepAlive is the largest keep-alive the hub honours (contract, section 1.5).
const maxKeepAlive = 1177 * time.Second

// Send queues a message for the hub. It never blocks. Messages arrive in the
// order of Send, each at least once; what the hub has not acknowledged when a
// session ends is sent again in the next one.
//
// The queue is bounded: when it is full, or a message has waited for two days, the
// oldest is dropped. A body over 255 KB is refused. Both are logged. t.Body must not
// be changed afterwards.
func (c *Client) Send(t Telemetry) {
	if size := t.size(); size > maxTelemetry || len(t.Topic)+len(t.CorrelationID) > maxNames {
		c.opts.Log.Error("message is too large for the hub and is not sent", "topic", clip(t.Topic, 120), "bytes", size, "limit", maxTelemetry)
		return
	}
	if n := c.out.add(c.opts.Now(), t); n > 0 && powerOfTwo(n) {
		c.opts.Log.Warn("too many messages wait for the hub, the oldest are dropped", "dropped", n)
	}
}

// Progress tells the number of the oldest numbered message that the hub has not
// got, zero if it has all, and how many messages were dropped since New. Numbers
// below that one were sent, or dropped.
func (c *Client) Progress() (oldest uint64, dropped int) { return c.out.progress() }

// Progressed holds one token when Progress may tell something new.
func (c *Client) Progressed() <-chan struct{} { return c.out.gone }

// Ack tells the hub that m has taken effect, so that it is not delivered again.
// It never blocks. Acknowledgements leave in the order in which the messages
// arrived: that of m waits until the earlier ones of its session are given. If
// that session is over, nothing happens: the hub delivers m again.
func (c *Client) Ack(m Message) {
	if m.arrival != nil {
		m.arrival.done()
	}
}

// powerOfTwo thins out what is said again and again: at the first time, the
// second, the fourth, the eighth …
func powerOfTwo(n int) bool { return n&(n-1) == 0 }

// clip cuts a text from outside to what a log line can bear, most bytes.
func clip(s string, most int) string {
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// Identity is who the device is, and at which hub.
type Identity struct {
	Host     string // full name of the hub, such as "contoso.azure-devices.net"
	DeviceID string
	Gateway  string // IoT Edge gateway to connect to in the hub's place, empty without one
	Way      Way

	Key token.Key // signs a token for each login; not used with a Certificate
	// Certificate signs in by TLS. Its session has no token to renew, and ends in
	// good order soon after Identify comes with another one.
	Certificate certificate.Certificate
}

// Trouble says how connecting has gone since the last session that stood.
type Trouble struct {
	Failures int       // attempts that failed and sessions that ended within 30 s, in a row
	Since    time.Time // when the first of them failed; zero if none did
	Err      error     // the last failure, usually an *Error
}

// Renewal returns when the session that stands is to be renewed, as time.Now tells
// time; ok is false while there is none, or it needs no renewal.
func (c *Client) Renewal() (at time.Time, ok bool) {
	l := c.current.Load()
	if l == nil || !l.id.Certificate.IsZero() {
		return time.Time{}, false
	}
	return l.due, true
}
