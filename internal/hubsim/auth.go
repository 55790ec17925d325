package hubsim

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"tasmota-azd/internal/token"
)

// An AuthMethod is how a device proves to a hub who it is, named as by "az
// iot".
type AuthMethod string

// The methods there are (contract, sections 2 and 8.1).
const (
	SharedKey  AuthMethod = "shared_private_key" // a token, signed with one of two keys
	Thumbprint AuthMethod = "x509_thumbprint"    // a certificate with one of two thumbprints
	CASigned   AuthMethod = "x509_ca"            // a certificate that a CA of the hub has signed for the device id
)

// credentials are what a hub knows a device by.
type credentials struct {
	method AuthMethod
	keys   keyPair
	prints []string // at most two
}

// check sees to it that there is what the method needs, and no more.
func (c *credentials) check() error {
	if c.method == "" {
		c.method = SharedKey
	}
	if !slices.Contains([]AuthMethod{SharedKey, Thumbprint, CASigned}, c.method) {
		return fmt.Errorf("%w: auth method %q: %s, %s or %s", ErrInvalid, c.method, SharedKey, Thumbprint, CASigned)
	}
	if n := len(c.prints); n > 2 || (n > 0) != (c.method == Thumbprint) {
		return fmt.Errorf("%w: %d thumbprints with %s", ErrInvalid, n, c.method)
	}
	for i, p := range c.prints {
		hex, err := parseThumbprint(p)
		if err != nil {
			return err
		}
		c.prints[i] = hex
	}
	return nil
}

// kept reports whether a state file can hold these credentials.
func (c credentials) kept() bool { return c.method != SharedKey || c.keys[0].text != "" }

// admit judges a CONNECT: its password, and the certificates that the device
// has shown. It returns what admitted it.
func (c credentials) admit(password string, peer []*x509.Certificate, host, id string, now time.Time, cas []*x509.Certificate) (string, error) {
	switch {
	case c.method == SharedKey:
		claims, by, err := c.keys.verify(password)
		if err != nil {
			return "", err
		}
		return by, checkClaims(claims, host, id, now)
	case password != "":
		return "", errors.New("a password from a device with a certificate")
	case len(peer) == 0:
		return "", errors.New("no certificate")
	case c.method == Thumbprint:
		if !matchesThumbprint(peer[0], c.prints) {
			return "", errors.New("a certificate with another thumbprint")
		}
		return byThumbprint, nil
	}
	if peer[0].Subject.CommonName != id {
		return "", fmt.Errorf("a certificate for %.140q", peer[0].Subject.CommonName)
	}
	return byCA, verifyChain(peer, cas, now)
}

// checkClaims judges a token whose signature is good (H05 to H07, H11).
func checkClaims(c token.Claims, host, deviceID string, now time.Time) error {
	switch {
	case c.KeyName != "":
		return fmt.Errorf("token of a policy %q: there are none", c.KeyName)
	case !covers(c.Resource, host, deviceID):
		return fmt.Errorf("token is for %q", c.Resource)
	case !now.Before(c.Expiry):
		return fmt.Errorf("token expired %v ago", now.Sub(c.Expiry).Round(time.Second))
	}
	return nil
}

// stamped is how the hub writes the method into its messages (H32). For
// certificates the words are not verified.
func (c credentials) stamped() string {
	switch c.method {
	case Thumbprint:
		return `{"scope":"device","type":"x509Certificate","issuer":"external"}`
	case CASigned:
		return `{"scope":"device","type":"x509CertificateAuthority","issuer":"external"}`
	}
	return `{"scope":"device","type":"sas","issuer":"iothub"}`
}
