package lab

import (
	"encoding/binary"
	"net"
	"strings"
	"sync"
)

// A NameServer answers for the names it knows; others do not exist.
type NameServer struct {
	udpServer

	mu     sync.Mutex
	known  map[string]string // name to IPv4 address
	broken bool
}

// NewNameServer starts a name server at an address, such as 127.0.0.1:53.
func NewNameServer(addr string, known map[string]string) (*NameServer, error) {
	udp, err := listenUDP(addr)
	if err != nil {
		return nil, err
	}
	s := &NameServer{udpServer: udp, known: known}
	go s.serve(s.answer)
	return s, nil
}

// Forget makes a name one that does not exist.
func (s *NameServer) Forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, name)
}

// Break makes the server say that it cannot tell, whatever it is asked.
func (s *NameServer) Break() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
}

// answer makes the answer to one question (RFC 1035, section 4): its header and its
// question again, and an A record.
func (s *NameServer) answer(question []byte) []byte {
	var labels []string
	end := 12
	for end < len(question) && question[end] != 0 {
		next := end + 1 + int(question[end])
		if next >= len(question) {
			return nil
		}
		labels = append(labels, string(question[end+1:next]))
		end = next
	}
	if end += 5; end > len(question) { // the root's length, type, class
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	address, known := s.known[strings.ToLower(strings.Join(labels, "."))]
	code := byte(0)
	switch {
	case s.broken:
		code = 2
	case !known:
		code = 3
	}
	a := append([]byte(nil), question[:end]...)
	a[2], a[3] = 0x84|question[2]&1, 0x80|code // an answer with authority, recursion as it was desired
	binary.BigEndian.PutUint16(a[6:], 0)
	binary.BigEndian.PutUint32(a[8:], 0)
	if code == 0 && binary.BigEndian.Uint16(question[end-4:]) == 1 {
		a[7] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name of the question, A, IN, for no time, 4 bytes
		a = append(a, net.ParseIP(address).To4()...)
	}
	return a
}
