package hub

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

const (
	// writeWithin is how long one packet may take to leave, or as long as a ping
	// has to come back if that is less. paho has such a limit only for PUBLISH:
	// with a full send buffer, a PUBACK or a PINGREQ would hang for as long as the
	// kernel goes on trying.
	writeWithin = 10 * time.Second
	// maxPacket is more than any packet the hub may send: the largest message
	// with the longest topic has 128 KB.
	maxPacket = 256 * 1024
)

var errPacketSize = errors.New("the other side sent a packet that is larger than MQTT at a hub allows")

// A conn is the connection as paho gets to see it. It reports the first error
// at once; paho reports it only when all its goroutines have come to rest.
type conn struct {
	net.Conn
	heard     chan struct{} // closed when first is there
	first     []byte        // what the hub sent first
	end       error         // or how the connection ended before
	lost      func(error)
	pong      chan struct{} // holds one token when a ping has been answered
	within    time.Duration // how long one packet may take to leave
	keepAlive time.Duration // as CONNECT says it
	frames    frames
	writer    chan struct{} // full while something is being written: a WebSocket bears no two
	batch     batch         // belongs to whoever fills writer
	single    bool          // each packet leaves by itself: the contract knows no frames of a WebSocket with several
	closed    atomic.Bool   // by this side
	polite    atomic.Bool   // say goodbye when closing
	leaves    atomic.Bool   // closing waits until the hub closes
	over      atomic.Bool   // nothing more will come
}

// newConn watches raw from now on: also before it is used, it is known when it ends.
func newConn(raw net.Conn, keepAlive time.Duration) *conn {
	_, web := raw.(*webConn)
	c := &conn{
		Conn: raw, single: web, heard: make(chan struct{}),
		pong: make(chan struct{}, 1), writer: make(chan struct{}, 1), within: min(writeWithin, pongWithin(keepAlive)),
		keepAlive: keepAlive,
	}
	go func() {
		p := make([]byte, 512)
		n, err := raw.Read(p)
		c.first, c.end = p[:n], err
		close(c.heard)
	}()
	return c
}

// read returns what was heard first, and from then on what comes.
func (c *conn) read(p []byte) (n int, err error) {
	<-c.heard
	switch {
	case len(c.first) > 0:
		n = copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	case c.end != nil:
		return 0, c.end
	}
	c.first = nil
	return c.Conn.Read(p)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.over.Store(true)
	}
	if tooLarge := c.frames.check(p[:n]); tooLarge != nil {
		return 0, c.report(tooLarge) // with n > 0 a reader would overlook it
	}
	if c.frames.pong {
		c.frames.pong = false
		nudge(c.pong)
	}
	return n, c.report(err)
}

// Write sends a packet of paho's. It puts the keep-alive time into CONNECT: paho is
// told that there is none, since it would wake up every five seconds to see whether a
// ping is due. The pump pings when it is needed.
func (c *conn) Write(p []byte) (int, error) {
	if p[0] != packets.Connect<<4 {
		return c.send(p)
	}
	if _, err := c.send(withKeepAlive(p, c.keepAlive)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// withKeepAlive returns a CONNECT with that time in its header. It stands behind the
// length, the name of the protocol, its level and the flags (MQTT 3.1.1, section 3.1.2).
func withKeepAlive(connect []byte, t time.Duration) []byte {
	connect = slices.Clone(connect)
	_, size := binary.Uvarint(connect[1:])
	binary.BigEndian.PutUint16(connect[1+size+len("\x00\x04MQTT")+2:], uint16(t/time.Second))
	return connect
}

// ping sends a PINGREQ. A failure is reported like that of any packet.
func (c *conn) ping() { c.send([]byte{packets.Pingreq << 4, 0}) }

// quit sends a DISCONNECT.
func (c *conn) quit() { c.send([]byte{packets.Disconnect << 4, 0}) }

// SetWriteDeadline does nothing: Write has its own.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline does nothing: what has to end in time is closed in time.
func (c *conn) SetDeadline(time.Time) error { return nil }

func (c *conn) report(err error) error {
	switch {
	case err == nil:
		return nil
	case c.closed.Load():
		return net.ErrClosed // paho knows this one from its text
	}
	c.lost(err)
	return err
}

// Close closes the connection. TLS and WebSocket say goodbye only if it is to be
// polite: on a dead link that takes five seconds. One that leaves only says that
// nothing follows, and lets paho read on until the hub closes, as MQTT tells it to after
// a DISCONNECT (section 3.14.4), or until time is up.
func (c *conn) Close() error {
	c.closed.Store(true)
	if c.leaves.Load() {
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		return c.Conn.SetReadDeadline(time.Now().Add(leaveWithin))
	}
	if t, ok := c.Conn.(netConner); ok && !c.polite.Load() {
		return t.NetConn().Close()
	}
	return c.Conn.Close()
}

// frames follows the packets in a stream of bytes, to judge the size of each
// before paho makes room for it.
type frames struct {
	left    int  // bytes of this packet to come
	inSize  bool // in its length field
	pong    bool // a PINGRESP has begun since this was last cleared
	size    int
	shift   int
	invalid bool
}

func (f *frames) check(p []byte) error {
	for len(p) > 0 && !f.invalid {
		if f.left > 0 {
			n := min(f.left, len(p))
			f.left -= n
			p = p[n:]
			continue
		}
		f.header(p[0])
		p = p[1:]
	}
	if f.invalid {
		return errPacketSize
	}
	return nil
}

// header takes a byte of the fixed header: the type, then the length in one to
// four bytes of seven bits.
func (f *frames) header(b byte) {
	if !f.inSize {
		f.inSize, f.size, f.shift = true, 0, 0
		f.pong = f.pong || b>>4 == packets.Pingresp
		return
	}
	f.size |= int(b&0x7f) << f.shift
	f.shift += 7
	f.invalid = f.size > maxPacket || b&0x80 != 0 && f.shift == 28
	if b&0x80 == 0 {
		f.inSize, f.left = false, f.size
	}
}
