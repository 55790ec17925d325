package lab

import "net"

// A udpServer answers questions that come in one packet each.
type udpServer struct {
	conn net.PacketConn
	done chan struct{}
}

func listenUDP(addr string) (udpServer, error) {
	conn, err := net.ListenPacket("udp", addr)
	return udpServer{conn, make(chan struct{})}, err
}

// serve answers until Close; nil is no answer.
func (s udpServer) serve(answer func(question []byte) []byte) {
	defer close(s.done)
	buf := make([]byte, 512)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if a := answer(buf[:n]); a != nil {
			s.conn.WriteTo(a, from) // a lost answer is what UDP is about
		}
	}
}

// Close ends it.
func (s udpServer) Close() error {
	err := s.conn.Close()
	<-s.done
	return err
}
