package dps

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// transport returns the daemon's own way to DPS: TLS 1.2 at least, checked by
// the proven clock, through the proxy of the environment if there is one.
func transport(o Options) *http.Transport {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots, Time: o.Now}
	if !o.Certificate.IsZero() {
		// DPS may ask for it when the handshake is over (contract, section 7.3).
		config.Renegotiation = tls.RenegotiateOnceAsClient
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return o.Certificate.TLS(), nil }
	}
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    15 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// proxy is http.ProxyFromEnvironment with an error that does not quote the
// address: it may hold a password.
func proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errors.New("HTTPS_PROXY is not an address like http://proxy:3128")
	}
	return u, nil
}

// explain turns the failure of a request into an Error with a cause in words.
func explain(err error) *Error {
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &Error{Kind: Untrusted, Err: untrusted(cert)}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer in time: %w", err)
	}
	return &Error{Kind: Unreachable, Err: err}
}

// untrusted adds who issued the certificate to the reason it is not believed,
// as an interceptor shows there.
func untrusted(e *tls.CertificateVerificationError) error {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](e); ok && len(e.UnverifiedCertificates) > 0 {
		chain := e.UnverifiedCertificates
		return fmt.Errorf("issued by %q: %w", printable(chain[len(chain)-1].Issuer.String()), e.Err)
	}
	return e.Err
}
