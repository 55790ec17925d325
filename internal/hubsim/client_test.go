package hubsim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

type connectPacket = packets.ConnectPacket

const (
	dev     = "rpi-0001"
	keyText = "jNz5mAED7S6cwBfdwDO7vWozxrhf3BqeqABjaumHObY="
)

func key(t testing.TB, text string) token.Key {
	k, err := token.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// cloud is a Sim with the device rpi-0001 in a bubble where time takes no
// time.
type cloud struct {
	*hubsim.Sim
	t *testing.T
}

func inBubble(t *testing.T, o hubsim.Options, f func(t *testing.T, c *cloud)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
		c := &cloud{hubsim.New(o), t}
		defer c.Close()
		must(t, c.AddDevice(hubsim.Device{ID: dev, Key: key(t, keyText)}))
		f(t, c)
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client is a device that speaks packets and keeps no promise.
type client struct {
	t    *testing.T
	conn net.Conn
	in   chan packets.ControlPacket // closed when the hub closes
}

// dialSilently opens a connection that nobody reads.
func (c *cloud) dialSilently() *client {
	here, there := net.Pipe()
	go c.ServeConn(there)
	c.t.Cleanup(func() { here.Close() })
	return &client{c.t, here, make(chan packets.ControlPacket, 2000)}
}

// dial opens a connection without a word.
func (c *cloud) dial() *client {
	cl := c.dialSilently()
	go cl.read()
	return cl
}

func (cl *client) read() {
	defer close(cl.in)
	for {
		p, err := packets.ReadPacket(cl.conn)
		if err != nil {
			return
		}
		cl.in <- p
	}
}

// hello is an honest CONNECT of rpi-0001 with a token for an hour.
func hello() *packets.ConnectPacket {
	k, _ := token.ParseKey(keyText)
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion = "MQTT", 4
	p.ClientIdentifier = dev
	p.Keepalive = 60
	p.UsernameFlag, p.Username = true, "localhost/"+dev+"/?api-version=2021-04-12&DeviceClientType=test%2F1"
	p.PasswordFlag, p.Password = true, []byte(token.Hub(k, "localhost", dev, time.Now().Add(time.Hour)))
	return p
}

// connect opens a connection and expects a CONNACK.
func (c *cloud) connect(change ...func(*packets.ConnectPacket)) *client {
	c.t.Helper()
	cl := c.dial()
	p := hello()
	for _, f := range change {
		f(p)
	}
	cl.send(p)
	if code := cl.connack(); code != 0 {
		c.t.Fatalf("CONNACK %d", code)
	}
	return cl
}

// connack returns the code of the next packet, a CONNACK, or -1 if the hub
// closed instead.
func (cl *client) connack() int {
	cl.t.Helper()
	p := cl.next()
	if p == nil {
		return -1
	}
	a, ok := p.(*packets.ConnackPacket)
	if !ok {
		cl.t.Fatalf("%v instead of a CONNACK", p)
	}
	return int(a.ReturnCode)
}

func (cl *client) send(p packets.ControlPacket) {
	cl.t.Helper()
	var b bytes.Buffer
	must(cl.t, p.Write(&b))
	cl.raw(b.Bytes())
}

// raw sends bytes; that the hub closes meanwhile is not a mistake.
func (cl *client) raw(b []byte) {
	cl.t.Helper()
	if _, err := cl.conn.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		cl.t.Fatal(err)
	}
}

// next returns the packet that has arrived when all is quiet, or nil if the
// hub has closed. It waits up to a second for a packet to be sent.
func (cl *client) next() packets.ControlPacket {
	cl.t.Helper()
	select {
	case p := <-cl.in:
		return p
	case <-time.After(time.Second):
		cl.t.Fatal("the hub says nothing")
		return nil
	}
}

// quiet expects that the hub says nothing for d and does not close.
func (cl *client) quiet(d time.Duration) {
	cl.t.Helper()
	select {
	case p := <-cl.in:
		cl.t.Fatalf("%v instead of silence", p)
	case <-time.After(d):
	}
}

// closed expects the end of the connection and no packet before it.
func (cl *client) closed() {
	cl.t.Helper()
	if p := cl.next(); p != nil {
		cl.t.Fatalf("%v instead of the end", p)
	}
}

func (cl *client) publish(id uint16, topic, body string) {
	cl.t.Helper()
	p := publishPacket(topic, body)
	p.Qos, p.MessageID = 1, id
	cl.send(p)
}

func publishPacket(topic, body string) *packets.PublishPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = topic, []byte(body)
	return p
}

func (cl *client) puback(id uint16) {
	cl.t.Helper()
	p := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	p.MessageID = id
	cl.send(p)
}

func subscribePacket(qos byte, filters ...string) *packets.SubscribePacket {
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID, p.Topics = 77, filters
	for range filters {
		p.Qoss = append(p.Qoss, qos)
	}
	return p
}

// subscribe returns the codes of the SUBACK.
func (cl *client) subscribe(qos byte, filters ...string) []byte {
	cl.t.Helper()
	cl.send(subscribePacket(qos, filters...))
	in := cl.next()
	if in == nil {
		return nil
	}
	a, ok := in.(*packets.SubackPacket)
	if !ok || a.MessageID != 77 {
		cl.t.Fatalf("%v instead of a SUBACK", in)
	}
	return a.ReturnCodes
}

const c2d = "devices/" + dev + "/messages/devicebound/#"

// message expects a C2D message and returns it.
func (cl *client) message() *packets.PublishPacket {
	cl.t.Helper()
	in := cl.next()
	p, ok := in.(*packets.PublishPacket)
	if !ok {
		cl.t.Fatalf("%v instead of a PUBLISH", in)
	}
	return p
}

func (cl *client) disconnect() {
	cl.t.Helper()
	cl.send(packets.NewControlPacket(packets.Disconnect))
	cl.closed()
}

func (c *cloud) c2d(body string) {
	c.t.Helper()
	_, err := c.Send(dev, hubsim.C2D{Body: []byte(body)})
	must(c.t, err)
}

// record waits up to a minute for the first D2C message with a body.
func (c *cloud) record(body string) hubsim.Record {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	r, err := c.WaitRecord(ctx, func(r hubsim.Record) bool { return string(r.Body) == body })
	must(c.t, err)
	return r
}
