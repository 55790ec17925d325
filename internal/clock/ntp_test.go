package clock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/clock"
)

// A packet makes the answer to a request, or nil for none.
type packet func(request []byte) []byte

// serveNTP answers on a UDP port of the loopback until the test ends.
func serveNTP(t testing.TB, answer packet) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if a := answer(buf[:n]); a != nil {
				conn.WriteTo(a, from)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

// An honest server of stratum 2 whose clock is ahead of ours.
func honest(ahead time.Duration) packet {
	return func(request []byte) []byte {
		p := make([]byte, 48)
		p[0] = 4<<3 | 4 // no leap warning, version 4, server
		p[1] = 2        // stratum
		p[3] = 0xec     // precision 2^-20 s
		now := time.Now().Add(ahead)
		binary.BigEndian.PutUint32(p[4:], 1<<16/100) // root delay 10 ms
		binary.BigEndian.PutUint32(p[8:], 1<<16/100) // root dispersion
		putTime(p[16:], now.Add(-time.Minute))       // reference
		copy(p[24:], request[40:48])                 // origin: what the client sent
		putTime(p[32:], now)                         // received
		putTime(p[40:], now)                         // transmitted
		return p
	}
}

// putTime writes seconds since 1900 and a binary fraction.
func putTime(b []byte, t time.Time) {
	binary.BigEndian.PutUint32(b, uint32(t.Unix()+2208988800))
	binary.BigEndian.PutUint32(b[4:], uint32(uint64(t.Nanosecond())<<32/1e9))
}

// but returns an honest answer that was tampered with.
func but(change func(p []byte)) packet {
	return func(request []byte) []byte {
		p := honest(0)(request)
		change(p)
		return p
	}
}

func TestNTP(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer packet
		want   string // in the error, or empty
		offset time.Duration
	}{
		{"honest", honest(0), "", 0},
		{"ahead by days", honest(50 * time.Hour), "", 50 * time.Hour},
		{"behind", honest(-3 * time.Minute), "", -3 * time.Minute},
		{"kiss of death", but(func(p []byte) { p[1] = 0; copy(p[12:], "RATE") }), `asks to be left alone: "RATE"`, 0},
		{"not synchronised: stratum", but(func(p []byte) { p[1] = 16 }), "stratum", 0},
		{"not synchronised: leap", but(func(p []byte) { p[0] |= 3 << 6 }), "leap", 0},
		{"far from the source: dispersion", but(func(p []byte) { binary.BigEndian.PutUint32(p[8:], 4<<16) }), "only good to 4.0", 0},
		{"far from the source: delay", but(func(p []byte) { binary.BigEndian.PutUint32(p[4:], 8<<16) }), "only good to 4.0", 0},
		{"stale", but(func(p []byte) { putTime(p[16:], time.Now().Add(-40*time.Hour)) }), "not fresh", 0},
		{"impossible poll interval", but(func(p []byte) { p[2] = 0x80 }), "impossible", 0},
		{"impossible precision", but(func(p []byte) { p[3] = 0x80 }), "impossible", 0},
		{"answer to somebody else", but(func(p []byte) { p[24] ^= 1 }), "match", 0},
		{"a client", but(func(p []byte) { p[0] = 4<<3 | 3 }), "mode", 0},
		{"no time", but(func(p []byte) { clear(p[32:]) }), "transmit time", 0},
		{"backwards", but(func(p []byte) { putTime(p[32:], time.Now().Add(time.Minute)) }), "backwards", 0},
		{"garbage", func([]byte) []byte { return []byte("SSH-2.0-OpenSSH_9.2p1\r\n") }, "invalid", 0},
		{"nothing in it", func([]byte) []byte { return []byte{} }, "invalid", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := clock.NTP(t.Context(), serveNTP(t, tt.answer), time.Now)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%+v, %v, want %q", s, err, tt.want)
				}
				return
			}
			if err != nil || (s.Offset-tt.offset).Abs() > 500*time.Millisecond || s.Error < 15*time.Millisecond || s.Error > time.Second {
				t.Errorf("%+v, %v, want offset %v", s, err, tt.offset)
			}
		})
	}
}

// TestNTPSilent: the end of the context ends the question, not the five seconds
// that a server has.
func TestNTPSilent(t *testing.T) {
	start := time.Now()
	server := serveNTP(t, func([]byte) []byte { return nil })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := clock.NTP(ctx, server, time.Now); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := clock.NTP(ctx, server, time.Now); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("it took %v", d)
	}
}

// TestClockOverUDP goes the whole way: three servers of which one lies and one
// is dead, a board whose clock is a day slow.
func TestClockOverUDP(t *testing.T) {
	silent := func([]byte) []byte { return nil }
	log := new(logged)
	const day = 24 * time.Hour
	c := clock.New(clock.Options{
		Servers: []string{serveNTP(t, honest(day)), serveNTP(t, silent), serveNTP(t, honest(day-3*time.Minute)), serveNTP(t, honest(day)), serveNTP(t, honest(day))},
		Floor:   time.Now(), // what the clock of the board shows is not to be believed
		Log:     newLogger(log),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	if err := c.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	source, slow, ok := c.Proven()
	if !ok || (slow-day).Abs() > time.Second || len(strings.Fields(source)) != 3 {
		t.Errorf("proven %v by %q, slow by %v\n%s", ok, source, slow, log)
	}
	if d := c.Now().Sub(time.Now().Add(day)).Abs(); d > time.Second {
		t.Errorf("Now is off by %v", d)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// FuzzNTP: whatever a server answers is either refused or a bounded error; the
// first byte says whether the answer carries what the client sent, without
// which it is not looked at.
func FuzzNTP(f *testing.F) {
	for _, p := range []packet{honest(0), honest(-time.Hour), but(func(p []byte) { p[1] = 0 })} {
		f.Add(append([]byte{1}, p(make([]byte, 48))...))
	}
	f.Add([]byte{0})
	f.Add([]byte("\x01HTTP/1.1 400 Bad Request\r\n"))
	answers := make(chan []byte, 1)
	server := serveNTP(f, func(request []byte) []byte {
		a := <-answers
		if a[0]&1 == 1 && len(a) >= 1+32 {
			copy(a[1+24:], request[40:48])
		}
		return a[1:]
	})
	f.Fuzz(func(t *testing.T, answer []byte) {
		if len(answer) == 0 || len(answer) > 1+512 {
			t.Skip()
		}
		answers <- append([]byte(nil), answer...)
		s, err := clock.NTP(t.Context(), server, time.Now)
		if err != nil {
			return
		}
		if s.Error < 0 || s.Error > 3*time.Second || s.Offset.Abs() > 150*365*24*time.Hour {
			t.Errorf("believed: %+v", s)
		}
	})
}
