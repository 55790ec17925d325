package hubsim

import (
	"context"
	"crypto/tls"
	"net"
)

// TLSConfig returns what a hub shows: TLS 1.2 or later (H01) and a certificate
// of ca for all hubs, or for the gateway (G01), unless a fault asks for a wrong
// one (T03). It asks for the device's certificate, and leaves it to CONNECT to
// judge it (contract, section 8.1).
func (s *Sim) TLSConfig(ca *CA) (*tls.Config, error) {
	now, names := s.opts.Now(), s.opts.Hosts
	if s.opts.Gateway != "" {
		names = []string{s.opts.Gateway}
	}
	good, err := ca.Certificate(now, names...)
	if err != nil {
		return nil, err
	}
	stranger, err := NewCA(now)
	if err != nil {
		return nil, err
	}
	unknown, err := stranger.Certificate(now, names...)
	if err != nil {
		return nil, err
	}
	wrong, err := ca.Certificate(now, "wrong-name.invalid")
	if err != nil {
		return nil, err
	}
	choose := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if _, ok := s.faults.take(UnknownRoot, ""); ok {
			return &unknown, nil
		}
		if _, ok := s.faults.take(WrongName, ""); ok {
			return &wrong, nil
		}
		return &good, nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: choose, SessionTicketsDisabled: !s.opts.TLSTickets, ClientAuth: tls.RequestClientCert}, nil
}

// DPSConfig returns the same for the provisioning service, whose certificate
// is always good.
func (s *Sim) DPSConfig(ca *CA) (*tls.Config, error) {
	good, err := ca.Certificate(s.opts.Now(), s.opts.Hosts...)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{good}, ClientAuth: tls.RequestClientCert}, err
}

// Serve admits devices over TLS until ctx ends, and then closes ln. It returns
// nil if it was ctx that ended it. The connections live on until Close.
func (s *Sim) Serve(ctx context.Context, ln net.Listener, config *tls.Config) error {
	return s.accept(ctx, ln, config, s.ServeConn)
}
