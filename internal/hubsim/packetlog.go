package hubsim

import (
	"fmt"
	"strings"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// A Packet is an entry of the log of all packets (T02). It holds no password
// and no body.
type Packet struct {
	Seq    uint64    `json:"seq"`
	Time   time.Time `json:"time"` // by the local clock
	Conn   uint64    `json:"conn"` // number of the connection
	Device string    `json:"device,omitempty"`
	In     bool      `json:"in"`   // from the device
	Type   string    `json:"type"` // "CONNECT", "PUBLISH" …, or "malformed"
	ID     uint16    `json:"id,omitempty"`
	Size   int       `json:"size"` // in bytes, with the fixed header
	Detail string    `json:"detail,omitempty"`
}

// Packets returns the packets seen so far, oldest first.
func (s *Sim) Packets() []Packet {
	all, _ := s.trace.since(0)
	return all
}

// note puts a packet into the log.
func (l *link) note(p Packet) {
	p.Time, p.Conn = time.Now(), l.id
	if d := l.device.Load(); d != nil {
		p.Device = *d
	}
	l.trace.add(func(n uint64) Packet { p.Seq = n; return p })
}

func describe(p packets.ControlPacket, size int, in bool) Packet {
	out := Packet{In: in, Size: size, ID: p.Details().MessageID}
	switch p := p.(type) {
	case *packets.ConnectPacket:
		out.Type, out.Device = "CONNECT", p.ClientIdentifier
		out.Detail = fmt.Sprintf("client %q user %q clean %t keep-alive %d will %t",
			p.ClientIdentifier, p.Username, p.CleanSession, p.Keepalive, p.WillFlag)
	case *packets.ConnackPacket:
		out.Type, out.Detail = "CONNACK", fmt.Sprintf("code %d session %t", p.ReturnCode, p.SessionPresent)
	case *packets.PublishPacket:
		out.Type, out.Detail = "PUBLISH", fmt.Sprintf("qos %d dup %t retain %t %s", p.Qos, p.Dup, p.Retain, p.TopicName)
	case *packets.SubscribePacket:
		out.Type, out.Detail = "SUBSCRIBE", fmt.Sprintf("%s qos %v", strings.Join(p.Topics, " "), p.Qoss)
	case *packets.SubackPacket:
		out.Type, out.Detail = "SUBACK", fmt.Sprintf("%v", p.ReturnCodes)
	case *packets.UnsubscribePacket:
		out.Type, out.Detail = "UNSUBSCRIBE", strings.Join(p.Topics, " ")
	case *packets.PubackPacket:
		out.Type = "PUBACK"
	case *packets.UnsubackPacket:
		out.Type = "UNSUBACK"
	case *packets.PingreqPacket:
		out.Type = "PINGREQ"
	case *packets.PingrespPacket:
		out.Type = "PINGRESP"
	case *packets.DisconnectPacket:
		out.Type = "DISCONNECT"
	}
	return out
}
