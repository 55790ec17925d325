package hubsim

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// A Transport is a way in for devices.
type Transport string

// The transports, as Login.Transport and Fault.Transport name them.
const (
	MQTT      Transport = "mqtt"      // over TLS, in Azure on port 8883
	WebSocket Transport = "websocket" // MQTT over WebSocket, in Azure on port 443
)

// handshakeTimeout is how long a device may take for TLS, and for HTTP.
const handshakeTimeout = 20 * time.Second

// accept hands the connections of ln to serve, with TLS, until ctx ends, and
// then closes ln. It returns nil if it was ctx that ended it.
func (s *Sim) accept(ctx context.Context, ln net.Listener, config *tls.Config, serve func(net.Conn)) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			go serve(tls.Server(conn, config))
		case ctx.Err() != nil:
			return nil
		default:
			return err
		}
	}
}

// door lets a connection in, unless a fault keeps it out, and closes it when
// serve returns. What serves a connection that has TLS begins after the
// handshake.
func (s *Sim) door(t Transport, conn net.Conn, serve func(*link)) {
	if _, ok := s.faults.takeAt(RefuseTCP, t); ok {
		reset(conn)
		return
	}
	_, silent := s.faults.takeAt(HalfOpen, t)
	if silent {
		conn = bare(conn) // which not even TLS is spoken on
	}
	l, ok := s.admit(conn)
	if !ok {
		conn.Close()
		return
	}
	defer s.release(l)
	if silent {
		l.drain()
		return
	}
	l.transport = t
	if err := l.handshake(); err != nil {
		s.log.Warn("TLS handshake failed", "conn", l.id, "peer", conn.RemoteAddr().String(), "err", err)
		return
	}
	serve(l)
}

// handshake ends TLS's part, if there is one.
func (l *link) handshake() error {
	conn, ok := l.conn.(*tls.Conn)
	if !ok {
		return nil
	}
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	if err := conn.Handshake(); err != nil {
		return err
	}
	state := conn.ConnectionState()
	l.peer, l.serverName, l.resumed = state.PeerCertificates, state.ServerName, state.DidResume
	return conn.SetDeadline(time.Time{})
}

// bare is what lies below TLS and WebSocket.
func bare(conn net.Conn) net.Conn {
	for {
		c, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = c.NetConn()
	}
}

// reset ends a connection without a farewell: over TCP with RST, and under TLS
// without its close alert.
func reset(conn net.Conn) {
	conn = bare(conn)
	if t, ok := conn.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	conn.Close()
}
