package hub

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"time"
)

// A Way is how MQTT reaches the hub (contract, sections 1.1 and 9).
type Way int

// The ways to a hub.
const (
	Direct    Way = iota // over TLS on Options.Port
	WebSocket            // in a WebSocket over TLS on port 443, through the HTTP proxy of the environment if there is one
	Trial                // Direct if that stands within five seconds, else WebSocket
)

const (
	webPort = 443
	// trialWithin is how long Direct may take before a Trial gives it up: more
	// than three round trips of a slow network, and short enough to wait for.
	trialWithin = 5 * time.Second
)

// dial opens the connection for id, TLS and WebSocket included, and returns the
// way it took.
func (c *Client) dial(ctx context.Context, id Identity) (net.Conn, Way, error) {
	if id.Way != Trial {
		conn, err := c.open(ctx, id, id.Way)
		return conn, id.Way, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, trialWithin, errTimeout)
	defer cancel()
	conn, err := c.open(limited, id, Direct)
	if err == nil || ctx.Err() != nil {
		return conn, Direct, err
	}
	c.opts.Log.Debug("the port for MQTT is still not reached", "port", c.opts.Port, "err", err)
	conn, err = c.open(ctx, id, WebSocket)
	return conn, WebSocket, err
}

// port is where a way leads to.
func (c *Client) port(w Way) int {
	if w == WebSocket {
		return c.opts.WebPort
	}
	return c.opts.Port
}

// open opens a connection in one way. The name is resolved anew each time, as
// the address behind it changes (contract, section 1.1).
func (c *Client) open(ctx context.Context, id Identity, w Way) (net.Conn, error) {
	port := c.port(w)
	if c.opts.Dial != nil {
		return c.opts.Dial(ctx, id.target(), port)
	}
	conn, err := c.greet(ctx, id, w)
	if err != nil {
		return nil, err
	}
	if w == Direct {
		return conn, nil
	}
	web, err := upgrade(ctx, conn, id, port)
	if err != nil {
		conn.NetConn().Close()
		return nil, err
	}
	return web, nil
}

// greet opens a connection in one way as far as TLS.
func (c *Client) greet(ctx context.Context, id Identity, w Way) (*tls.Conn, error) {
	raw, err := c.tcp(ctx, id, w)
	if err != nil {
		return nil, err
	}
	conn, err := c.secure(ctx, raw, id, c.port(w))
	if err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// tcp opens a connection in one way, without TLS.
func (c *Client) tcp(ctx context.Context, id Identity, w Way) (net.Conn, error) {
	if w == WebSocket {
		return c.throughProxy(ctx, id.target(), c.port(w))
	}
	return c.dialTCP(ctx, id.target(), c.port(w))
}

func (c *Client) dialTCP(ctx context.Context, host string, port int) (net.Conn, error) {
	raw, err := c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, networkError(host, port, err)
	}
	return raw, nil
}

// secure shakes hands with TLS. A hub that allows it resumes the last session, which
// saves a round trip with TLS 1.2, and the signatures with 1.3 as well. On port 443 the service may ask for the
// certificate of the device a little later, by renegotiation (contract, section 9).
func (c *Client) secure(ctx context.Context, raw net.Conn, id Identity, port int) (*tls.Conn, error) {
	config := &tls.Config{
		ServerName: id.target(),
		RootCAs:    c.opts.Roots,
		Time:       c.opts.Now,
		MinVersion: tls.VersionTLS12,

		ClientSessionCache: c.sessions,
	}
	if !id.Certificate.IsZero() {
		config.ClientSessionCache = nil // a session resumed is one with the certificate of its beginning
		config.Renegotiation = tls.RenegotiateOnceAsClient
		// Whomever the server says it trusts: it may know this one by its thumbprint.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.Certificate.TLS(), nil }
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, tlsError(id.target(), port, c.opts.Now(), err)
	}
	return conn, nil
}

// target is the host to connect to: the gateway, or else the hub (contract,
// section 10).
func (id Identity) target() string { return cmp.Or(id.Gateway, id.Host) }
