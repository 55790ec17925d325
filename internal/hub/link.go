package hub

import (
	"context"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/token"
)

const (
	connectWithin = 20 * time.Second // TCP, TLS, CONNACK and SUBACK together
	// handWithin is how long paho may take to accept a packet, which it does
	// not while another one is being written. It also bounds how long Publish
	// hangs if the link is lost at that moment.
	handWithin  = time.Second
	quietWithin = 5 * time.Second // for paho's goroutines to end once the connection is closed

	renewFrom, renewTo = 0.75, 0.85 // of the life of a token, at random: a fleet must not renew in step
	// lookEvery is how often a session with a certificate looks for a new one.
	lookEvery = time.Hour
)

// A link is one connection to the hub, from CONNECT to its end. paho's client is
// not made to be used twice, so each link has its own.
type link struct {
	id      Identity
	user    string
	prefix  string // of inbound topics
	client  mqtt.Client
	conn    *conn
	in      *inbox
	express *express
	calls   *calls
	twin    *twinLink
	will    string    // the topic of it
	due     time.Time // when its token is to be renewed, or a new certificate looked for

	ctx  context.Context // ends when the link is lost or closed; its cause says why
	lose context.CancelCauseFunc

	parting   chan struct{} // closed to ask the pump for an orderly end
	part      func()        // closes it
	drained   chan struct{} // closed by the pump when nothing is owed any more
	pumps     sync.WaitGroup
	connected bool
}

// login logs in on a link until a time, and returns when the hub has accepted the
// subscriptions: SDKs that report a session before lose calls of methods (contract,
// section 5). Messages may arrive earlier: the hub sends right after CONNACK what came
// for the device meanwhile (contract, section 1.6). They wait in the inbox.
func (c *Client) login(ctx context.Context, l *link, until time.Time) error {
	within, cancel := context.WithDeadlineCause(ctx, until, errTimeout)
	defer cancel()
	if err := l.login(within); err != nil {
		l.close(l.connected && ctx.Err() != nil)
		return err
	}
	l.pumps.Go(func() { (&pump{link: l, out: c.out, pulse: newPulse(c.opts.KeepAlive)}).run() })
	l.pumps.Go(l.twin.run)
	return nil
}

func (c *Client) dialError(id Identity, way Way, err error) error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return networkError(id.target(), c.port(way), err)
}

// newLink makes a link of a connection, with a token that is signed at this moment.
func (c *Client) newLink(ctx context.Context, on *reached) *link {
	l := &link{
		id:      on.id,
		user:    username(on.id.Host, on.id.DeviceID, c.opts.ClientType, c.opts.ModelID()),
		prefix:  inboundPrefix(on.id.DeviceID),
		conn:    on.conn,
		in:      newInbox(),
		express: newExpress(),
		calls:   newCalls(),
		parting: make(chan struct{}),
		drained: make(chan struct{}),
	}
	l.part = sync.OnceFunc(func() { close(l.parting) })
	l.ctx, l.lose = context.WithCancelCause(context.WithoutCancel(ctx))
	l.conn.lost = func(err error) { l.lose(lostError(err)) }
	l.twin = newTwinLink(c, l)
	l.client = mqtt.NewClient(c.mqttOptions(l))
	return l
}

// sign makes the token for a login at this moment, and settles when it is to be
// renewed. An expiry is a whole second, which matters for the short tokens of
// tests. With a certificate there is no token (contract, section 8.1).
func (c *Client) sign(l *link) string {
	if !l.id.Certificate.IsZero() {
		l.due = time.Now().Add(lookEvery)
		return ""
	}
	now := c.opts.Now()
	expiry := now.Add(c.opts.TokenTTL).Truncate(time.Second)
	life := float64(expiry.Sub(now))
	l.due = time.Now().Add(time.Duration(life * (renewFrom + (renewTo-renewFrom)*c.chance())))
	return token.Hub(l.id.Key, l.id.Host, l.id.DeviceID, expiry)
}

// mqttOptions sets up paho for one connection without a second try. All handlers
// are in place before CONNECT.
func (c *Client) mqttOptions(l *link) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions()
	o.AddBroker("tcp://hub") // never dialed, but there must be one
	o.SetCustomOpenConnectionFn(func(_ *url.URL, _ mqtt.ClientOptions) (net.Conn, error) { return l.conn, nil })
	o.SetProtocolVersion(4) // else a refusal is tried again as MQTT 3.1
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetStore(noStore{})
	o.SetCleanSession(false)
	o.SetClientID(l.id.DeviceID)
	o.SetUsername(l.user)
	o.SetPassword(c.sign(l))
	o.SetKeepAlive(0) // see conn.Write
	o.SetWriteTimeout(handWithin)
	o.SetOrderMatters(true)
	o.SetAutoAckDisabled(true)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { c.arrived(l, m) })
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { l.lose(lostError(err)) })
	if c.opts.Will != nil {
		will := c.opts.Will(l.id.DeviceID)
		l.will = will.Topic
		o.SetBinaryWill(encode(outboundPrefix(l.id.DeviceID), will), will.Body, 1, false)
	}
	return o
}

// arrived puts a packet from the hub where it is worked off. It runs on paho's
// goroutine and must not block.
func (c *Client) arrived(l *link, m mqtt.Message) {
	switch topic := m.Topic(); {
	case strings.HasPrefix(topic, methodPrefix):
		c.method(l, topic, m.Payload())
		return
	case strings.HasPrefix(topic, twinPrefix), strings.HasPrefix(topic, desiredPrefix):
		l.twin.put(topic, m.Payload())
		return
	}
	if n := l.in.put(m); n > 0 && powerOfTwo(n) {
		c.opts.Log.Warn("messages arrive faster than they are dealt with and are dropped; the hub delivers them again", "dropped", n)
	}
}

// login sends CONNECT and SUBSCRIBE and waits for the answers.
func (l *link) login(ctx context.Context) error {
	giveUp := context.AfterFunc(ctx, func() {
		l.conn.quit() // the hub may have accepted: without a goodbye it would publish the will
		l.conn.Close()
	})
	t := l.client.Connect().(*mqtt.ConnectToken)
	t.Wait() // closing the connection ends it
	giveUp()
	switch code := t.ReturnCode(); {
	case t.Error() == nil:
		l.connected = true
	case code <= 5:
		return connackError(l.id, code, t.Error())
	default:
		return silentError(l.id, "CONNECT", l.why(ctx, t.Error()))
	}
	return l.subscribe(ctx)
}

// subscribe asks for the device's messages, for calls of methods and for what its
// twin has to say, in one packet. The hub remembers an earlier subscription to messages, but a device that
// never had one needs it, and so does one that was deleted and created again. All
// others end with the connection (contract, section 1.6).
func (l *link) subscribe(ctx context.Context) error {
	filters := map[string]byte{l.prefix + "#": 1, methodPrefix + "#": 0, twinPrefix + "#": 0, desiredPrefix + "#": 0}
	t := l.client.SubscribeMultiple(filters, nil).(*mqtt.SubscribeToken)
	select {
	case <-t.Done():
	case <-l.ctx.Done():
	case <-ctx.Done():
	}
	if err := l.why(ctx, t.Error()); err != nil {
		return silentError(l.id, "SUBSCRIBE", err)
	}
	for filter := range filters {
		if qos, ok := t.Result()[filter]; !ok || qos > 1 {
			return &Error{Kind: Refused, words: "the hub refused the subscription to " + filter}
		}
	}
	return nil
}

// why returns the first reason why the link is not as it should be: time is up,
// the wire failed, or err.
func (l *link) why(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case l.ctx.Err() != nil:
		return context.Cause(l.ctx).(*Error).cause
	case err == nil && l.conn.closed.Load():
		return net.ErrClosed
	}
	return err
}

// close ends the link, politely with DISCONNECT so that the hub does not publish
// the will. When it returns, nothing of the link runs any more.
func (l *link) close(polite bool) {
	l.lose(lostError(errStopped))
	l.conn.polite.Store(polite)
	if polite {
		l.client.Disconnect(uint(time.Second.Milliseconds()))
	}
	l.conn.Close()
	l.pumps.Wait()
	if l.connected { // else paho has nothing running, and would wait for nothing
		l.client.Disconnect(uint(quietWithin.Milliseconds()))
	}
}

// leave ends the link so that another may follow at once, and reports whether the hub
// has ended it as well. Only then it has read the DISCONNECT for certain. A CONNECT
// that overtakes it, as nothing keeps two connections in order, would be a second
// client to the hub, which closes the older link and publishes its will (contract,
// section 1.8). So there is one round trip between two sessions, and no less.
func (l *link) leave() bool {
	l.lose(lostError(errStopped))
	l.conn.leaves.Store(true)
	l.client.Disconnect(uint(leaveWithin.Milliseconds()))
	left := l.conn.over.Load()
	l.conn.leaves.Store(false)
	l.close(false)
	return left
}

// noStore is paho's memory of what was sent. It remembers nothing: the outbox
// does, in order and over links.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
