package hubsim

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// maxPacket is the size of the largest packet a hub could accept: a PUBLISH
// with the longest topic and the largest body (contract, sections 1.9, 3.2).
const maxPacket = 2 + 65535 + 2 + maxD2C

var (
	errOversized = errors.New("packet is larger than any that a hub takes")
	errMalformed = errors.New("malformed packet")
	errCut       = errors.New("reset by a fault in the middle of a packet")
)

// A link is one connection as packets. One goroutine reads it; any may
// write a packet or tell it to stop.
type link struct {
	conn  net.Conn
	id    uint64
	trace *ring[Packet]

	transport  Transport
	serverName string              // that the device has asked for in TLS
	resumed    bool                // TLS went on from an earlier connection
	peer       []*x509.Certificate // what it has shown there, its own first

	buf *bufio.Reader // made at the first read

	device atomic.Pointer[string] // named in the trace, once known
	deaf   atomic.Bool            // nothing comes in any more
	mute   atomic.Bool            // nothing goes out any more, not even the end
	cutIn  func() bool            // whether to reset in the middle of this incoming PUBLISH

	mu   sync.Mutex
	dead bool // reads fail from now on
}

// arm gives the next packet until d from now to arrive.
func (l *link) arm(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.conn.SetReadDeadline(time.Now().Add(d))
	}
}

// kill makes the reader fail, now and for ever.
func (l *link) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	l.conn.SetReadDeadline(time.Unix(1, 0))
}

// freeze lets nothing through any more, and tells nobody.
func (l *link) freeze() {
	l.deaf.Store(true)
	l.mute.Store(true)
}

// Read reads raw bytes. On a deaf link they are thrown away.
func (l *link) Read(p []byte) (int, error) {
	for {
		n, err := l.conn.Read(p)
		if err != nil || !l.deaf.Load() {
			return n, err
		}
	}
}

// drain holds a frozen connection open until its other side gives up or the
// Sim is closed.
func (l *link) drain() {
	l.freeze()
	l.conn.SetReadDeadline(time.Time{})
	io.Copy(io.Discard, bare(l.conn)) // a WebSocket would not read on after a deadline
}

// read returns the next packet. Its size is judged before any memory is given
// to it, and its parts must fill it exactly.
func (l *link) read() (packets.ControlPacket, error) {
	if l.buf == nil {
		l.buf = bufio.NewReader(l)
	}
	head, size, err := readHeader(l.buf)
	if err != nil {
		return nil, err
	}
	if head[0]>>4 == packets.Publish && l.cutIn != nil && l.cutIn() {
		io.CopyN(io.Discard, l.buf, int64(size/2))
		l.reset()
		return nil, errCut
	}
	raw := make([]byte, len(head)+size)
	copy(raw, head)
	if _, err := io.ReadFull(l.buf, raw[len(head):]); err != nil {
		return nil, err
	}
	p, err := decode(raw)
	if err != nil {
		l.note(Packet{In: true, Type: "malformed", Size: len(raw), Detail: err.Error()})
		return nil, err
	}
	l.note(describe(p, len(raw), true))
	return p, nil
}

// readHeader reads the fixed header of a packet: its bytes, and how many
// follow them.
func readHeader(r *bufio.Reader) (head []byte, size int, err error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, 0, err
	}
	if !knownFlags(first) {
		return nil, 0, errMalformed
	}
	head = []byte{first}
	for shift := 0; shift < 28; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return nil, 0, err
		}
		head = append(head, b)
		size |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			if size > maxPacket {
				return nil, 0, errOversized
			}
			return head, size, nil
		}
	}
	return nil, 0, errMalformed
}

// knownFlags reports whether first begins a packet that a client may send,
// with the flags that MQTT 3.1.1 prescribes for it.
func knownFlags(first byte) bool {
	switch first >> 4 {
	case packets.Publish:
		return true
	case packets.Subscribe, packets.Unsubscribe:
		return first&0x0f == 2
	case packets.Connect, packets.Puback, packets.Pingreq, packets.Disconnect:
		return first&0x0f == 0
	}
	return false
}

// decode turns the bytes of one packet into its values. The codec fills
// strings that are cut short with zeros; what does not turn into the same
// bytes again was malformed.
func decode(raw []byte) (packets.ControlPacket, error) {
	p, err := packets.ReadPacket(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errMalformed, err)
	}
	again, err := encode(p)
	if err != nil || !bytes.Equal(again, raw) {
		return nil, errMalformed
	}
	return p, nil
}

func encode(p packets.ControlPacket) ([]byte, error) {
	var b bytes.Buffer
	err := p.Write(&b)
	return b.Bytes(), err
}

// write sends p, or on a mute link nothing.
func (l *link) write(p packets.ControlPacket) error {
	raw, err := encode(p)
	if err != nil {
		return err
	}
	l.note(describe(p, len(raw), false))
	if l.mute.Load() {
		return nil
	}
	_, err = l.conn.Write(raw)
	return err
}

// cut sends the first half of p and resets the connection.
func (l *link) cut(p packets.ControlPacket) {
	if raw, err := encode(p); err == nil {
		l.conn.Write(raw[:len(raw)/2])
	}
	l.reset()
}

// reset ends the connection without a farewell.
func (l *link) reset() { reset(l.conn) }
