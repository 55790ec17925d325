package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"tasmota-azd/test/lab"
)

// A distance lies between devices and the hub: a proxy that hands on each piece
// half a round trip later.
type distance struct {
	rtt      time.Duration
	listener net.Listener
	hub      string
	tls      *tls.Config
}

func newDistance(ctx context.Context, cloud *lab.Cloud, rtt time.Duration) (*distance, error) {
	pem, err := os.ReadFile(cloud.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the hub's CA cannot be read")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &distance{rtt: rtt, listener: ln, hub: fmt.Sprintf("127.0.0.1:%d", cloud.HubPort), tls: &tls.Config{RootCAs: roots}}
	go d.serve(ctx)
	return d, nil
}

func (d *distance) close() error { return d.listener.Close() }

// dial connects with TLS, and waits the round trip that the proxy does not add: the
// one of TCP's handshake.
func (d *distance) dial(ctx context.Context, host string, w *watch) (net.Conn, error) {
	select {
	case <-time.After(d.rtt):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", d.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName = host
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return &watched{Conn: conn, watch: w}, nil
}

// serve accepts devices until the listener is closed.
func (d *distance) serve(ctx context.Context) {
	for {
		device, err := d.listener.Accept()
		if err != nil {
			return
		}
		hub, err := new(net.Dialer).DialContext(ctx, "tcp", d.hub)
		if err != nil {
			device.Close()
			continue
		}
		go d.carry(hub, device)
		go d.carry(device, hub)
	}
}

// A piece is on its way until a time. Without bytes it is the end.
type piece struct {
	bytes []byte
	until time.Time
}

// carry hands on from one side to the other what arrives, late and in order.
func (d *distance) carry(to, from net.Conn) {
	way := make(chan piece, 1024)
	go func() {
		defer close(way)
		for {
			bytes := make([]byte, 16<<10)
			n, err := from.Read(bytes)
			way <- piece{bytes[:n], time.Now().Add(d.rtt / 2)}
			if err != nil {
				return
			}
		}
	}()
	for p := range way {
		time.Sleep(time.Until(p.until))
		if len(p.bytes) == 0 {
			break
		}
		if _, err := to.Write(p.bytes); err != nil {
			break
		}
	}
	to.Close()
	io.Copy(io.Discard, from)
	from.Close()
}
