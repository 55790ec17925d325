package main

import (
	"encoding/binary"
	"net"
	"sync/atomic"
)

// A nameServer answers every question for an address with the same one.
type nameServer struct{ mood atomic.Int32 }

// The moods of a name server.
const (
	honest    int32 = iota
	elsewhere       // an address that nobody has
	wrong           // an address where another one answers
	noName          // there is no such name
	broken          // it cannot tell
	silent
)

// wrongAddress is the router's, which refuses connections.
const wrongAddress = "10.0.2.2"

func serveNames(addr string) (*nameServer, error) {
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	s := &nameServer{}
	go func() { // until the guest ends
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if a := s.answer(buf[:n]); a != nil {
				conn.WriteTo(a, from) // a lost answer is what UDP is about
			}
		}
	}()
	return s, nil
}

// answer makes the answer to one question (RFC 1035, section 4): its header and its
// question again, and an A record.
func (s *nameServer) answer(question []byte) []byte {
	end := 12
	for end < len(question) && question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // the root's length, type, class
	if end > len(question) {
		return nil
	}
	var code byte
	address := cloudAddress
	switch s.mood.Load() {
	case elsewhere:
		address = nowhere
	case wrong:
		address = wrongAddress
	case noName:
		code = 3
	case broken:
		code = 2
	case silent:
		return nil
	}
	a := append([]byte(nil), question[:end]...)
	a[2], a[3] = 0x84|question[2]&1, code // an answer with authority, recursion as it was desired
	isA := binary.BigEndian.Uint16(question[end-4:]) == 1
	binary.BigEndian.PutUint16(a[6:], 0)
	binary.BigEndian.PutUint32(a[8:], 0)
	if code == 0 && isA {
		a[7] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name of the question, A, IN, for no time, 4 bytes
		a = append(a, net.ParseIP(address).To4()...)
	}
	return a
}
