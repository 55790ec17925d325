package hubsim

import (
	"net"

	"github.com/gorilla/websocket"
)

var (
	EncodeBag = encodeBag
	DecodeBag = decodeBag
	D2CBag    = d2cBag
)

// SetLastPacketID makes the next packet id of a connected device id + 1.
func (s *Sim) SetLastPacketID(device string, id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[device].session.lastID = id
}

// WebSocketConn is the device's end of a WebSocket as a stream of bytes.
func WebSocketConn(ws *websocket.Conn) net.Conn { return &webSocketConn{Conn: ws.NetConn(), ws: ws} }
