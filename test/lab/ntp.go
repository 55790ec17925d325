package lab

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// A TimeServer answers NTP with a time and an offset.
type TimeServer struct {
	Addr   string        // host:port
	Offset time.Duration // how far its time is ahead; set before the first question
	Silent atomic.Bool   // takes questions and does not answer

	udpServer
	now func() time.Time
}

// NewTimeServer starts a time server on loopback, which has the machine's time.
func NewTimeServer(offset time.Duration) (*TimeServer, error) {
	return serveTime("127.0.0.1:0", offset, time.Now)
}

// ServeTime starts a time server at an address, which has the time that now tells.
func ServeTime(addr string, now func() time.Time) (*TimeServer, error) {
	return serveTime(addr, 0, now)
}

func serveTime(addr string, offset time.Duration, now func() time.Time) (*TimeServer, error) {
	udp, err := listenUDP(addr)
	if err != nil {
		return nil, err
	}
	s := &TimeServer{Addr: udp.conn.LocalAddr().String(), Offset: offset, udpServer: udp, now: now}
	go s.serve(s.answer)
	return s, nil
}

// answer is a stratum 2 server's reply to a client's packet (RFC 5905, section 7.3).
func (s *TimeServer) answer(question []byte) []byte {
	if len(question) < 48 || s.Silent.Load() {
		return nil
	}
	now := s.now().Add(s.Offset)
	a := make([]byte, 48)
	a[0] = 0<<6 | 4<<3 | 4 // no leap second, version 4, server
	a[1] = 2               // stratum
	a[2] = 6               // poll
	a[3] = 0xec            // precision 2^-20 s
	binary.BigEndian.PutUint32(a[4:], 1<<10)
	binary.BigEndian.PutUint32(a[8:], 1<<10)
	copy(a[12:], []byte{127, 0, 0, 1})
	binary.BigEndian.PutUint64(a[16:], stamp(now.Add(-time.Minute)))
	copy(a[24:32], question[40:48])
	binary.BigEndian.PutUint64(a[32:], stamp(now))
	binary.BigEndian.PutUint64(a[40:], stamp(now))
	return a
}

// stamp is an NTP timestamp: seconds since 1900, and 2^-32 of a second.
func stamp(t time.Time) uint64 {
	const from1900 = 2208988800
	return uint64(t.Unix()+from1900)<<32 | uint64(t.Nanosecond())<<32/1e9
}
