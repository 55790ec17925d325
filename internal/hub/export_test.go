package hub

import "net"

// SetChance replaces what is random in waits and renewals: a number in [0, 1).
func (c *Client) SetChance(f func() float64) { c.chance = f }

// Seams that the tests of the vectors need.
var (
	Decode   = decode
	Encode   = encode
	Inbound  = inboundPrefix
	Outbound = outboundPrefix
	Upgrade  = upgrade
	Tunnel   = tunnel

	DecodeMethod = decodeMethod
	AnswerTopic  = answerTopic

	TCPDialer = tcpDialer

	DecodeTwin       = decodeTwin
	DecodeTwinAnswer = decodeTwinAnswer
	DecodeDesired    = decodeDesired
)

// CheckFrames reads packets in chunks as they come from the network.
func CheckFrames(chunks ...[]byte) error {
	var f frames
	for _, c := range chunks {
		if err := f.check(c); err != nil {
			return err
		}
	}
	return nil
}

func (a twinAnswer) RID() string { return a.rid }
func (a twinAnswer) Status() int { return a.status }

// A Batching is a connection and what the pump and paho do to it.
type Batching struct{ c *conn }

// NewBatching writes to raw, if it is single each packet by itself.
func NewBatching(raw net.Conn, single bool) Batching {
	return Batching{&conn{Conn: raw, single: single, writer: make(chan struct{}, 1), within: writeWithin, lost: func(error) {}}}
}

// Batched is the connection that a link makes of raw.
func Batched(raw net.Conn) Batching {
	c := newConn(raw, maxKeepAlive)
	c.lost = func(error) {}
	return Batching{c}
}

func (b Batching) Hold()                { b.c.hold() }
func (b Batching) Release(n int)        { b.c.release(n) }
func (b Batching) Write(p []byte) error { _, err := b.c.Write(p); return err }
