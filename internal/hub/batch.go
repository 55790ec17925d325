package hub

import (
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// batchMost is when a batch leaves although more is to come, in bytes.
const batchMost = 4 << 10

// A batch collects packets that belong together, such as an answer and the
// acknowledgement of its command, so that they leave in one write: one record of TLS
// and one segment of TCP. paho writes each by itself, on a goroutine of its own, so a
// batch is complete when as many were written as were handed to paho.
type batch struct {
	waits   bool // more may be handed to paho
	open    int  // so many were handed to paho and not written
	packets []byte
}

// hold begins a batch, if this connection has any.
func (c *conn) hold() {
	c.writer <- struct{}{}
	defer func() { <-c.writer }()
	c.batch.waits = !c.single
}

// release says that n packets were handed to paho since hold. They leave when paho has
// written the last of them.
func (c *conn) release(n int) {
	c.writer <- struct{}{}
	defer func() { <-c.writer }()
	if c.batch.waits { // else they have left already, one by one
		c.batch.open += n
	}
	c.batch.waits = false
	_ = c.leave(false) // it has been reported
}

// send takes up a packet. One that is none of a batch's, such as DISCONNECT, does not
// wait, and takes along what does.
func (c *conn) send(p []byte) (int, error) {
	c.writer <- struct{}{}
	defer func() { <-c.writer }()
	c.batch.packets = append(c.batch.packets, p...)
	c.batch.open--
	kind := p[0] >> 4
	if err := c.leave(kind != packets.Publish && kind != packets.Puback); err != nil {
		return 0, err
	}
	return len(p), nil
}

// leave writes what was collected, if the batch is complete or large, or at once.
func (c *conn) leave(now bool) error {
	complete := !c.batch.waits && (now || c.batch.open <= 0)
	if complete {
		c.batch.open = 0 // others publish as well, and hand over nothing
	}
	p := c.batch.packets
	if len(p) == 0 || !complete && !now && len(p) < batchMost {
		return nil
	}
	c.batch.packets = p[:0]
	if cap(p) > 2*batchMost {
		c.batch.packets = nil
	}
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.within)); err != nil {
		return c.report(err)
	}
	_, err := c.Conn.Write(p)
	return c.report(err)
}
