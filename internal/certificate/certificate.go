// Package certificate reads the certificate with which a device signs in to
// Azure, and its private key.
//
// It owns the words for what is wrong with the two files. The room is pure: it
// reads no clock and opens no file. Like a token.Key, a Certificate has no way
// out for what is secret: whatever prints or marshals one shows a memory address
// or nothing.
//
// Facts are from the azure-iot contract, section 8.
package certificate

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
)

// A Certificate is the certificate of a device, with those that vouch for it and
// with its private key. The zero Certificate is none.
type Certificate struct {
	// Behind a function, as fmt and JSON walk into everything else.
	pair func() *tls.Certificate
}

// IsZero reports whether c is none.
func (c Certificate) IsZero() bool { return c.pair == nil }

// TLS returns what crypto/tls shows to the other side.
func (c Certificate) TLS() *tls.Certificate { return c.pair() }

// Leaf returns the device's own certificate, without its key.
func (c Certificate) Leaf() *x509.Certificate { return c.pair().Leaf }

// Name returns the common name (CN), which is the device id or registration id
// if an authority has signed the certificate. It is empty for none.
func (c Certificate) Name() string {
	if c.IsZero() {
		return ""
	}
	return c.Leaf().Subject.CommonName
}

// SelfSigned reports whether nobody else vouches for c. A hub then knows it by
// its thumbprint, and its name does not matter.
func (c Certificate) SelfSigned() bool {
	return bytes.Equal(c.Leaf().RawIssuer, c.Leaf().RawSubject)
}

// Fingerprint returns the SHA-256 thumbprint, 64 hex digits as the
// portal takes it. It is empty for none.
func (c Certificate) Fingerprint() string {
	if c.IsZero() {
		return ""
	}
	sum := sha256.Sum256(c.Leaf().Raw)
	return hex.EncodeToString(sum[:])
}

// Equal reports whether both are the same certificate. Two of none are equal.
func (c Certificate) Equal(o Certificate) bool { return c.Fingerprint() == o.Fingerprint() }
