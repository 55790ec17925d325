package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strconv"
	"time"
)

// tlsDialer returns the default of Options.Dial. The name is resolved anew each
// time, as the address behind it changes (contract, section 1.1).
func tlsDialer(roots *x509.CertPool, now func() time.Time) func(context.Context, string, int) (net.Conn, error) {
	return func(ctx context.Context, host string, port int) (net.Conn, error) {
		raw, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return nil, networkError(host, port, err)
		}
		c := tls.Client(raw, &tls.Config{
			ServerName: host,
			RootCAs:    roots,
			Time:       now,
			MinVersion: tls.VersionTLS12,
		})
		if err := c.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, tlsError(host, port, now(), err)
		}
		return c, nil
	}
}
