package hubsim

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Limits of what is read of certificates.
const (
	maxChain = 10       // certificates, the device's own included
	maxPEM   = 64 << 10 // bytes
)

// Errors of the certificates that a hub trusts.
var (
	ErrUnknownCertificate = errors.New("404: no such certificate")
	ErrCertificateExists  = errors.New("409: a certificate has this name already")
)

// ThumbprintOf returns the SHA-256 thumbprint of a certificate in DER, in
// upper-case hex.
func ThumbprintOf(der []byte) string { return fmt.Sprintf("%X", sha256.Sum256(der)) }

// parseThumbprint reads a SHA-1 or SHA-256 thumbprint, in hex of any case and
// with or without colons (contract, section 8.1).
func parseThumbprint(text string) (string, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(raw) != sha1.Size && len(raw) != sha256.Size {
		return "", fmt.Errorf("%w: thumbprint %.70q: 40 (SHA-1) or 64 (SHA-256) hex digits", ErrInvalid, text)
	}
	return fmt.Sprintf("%X", raw), nil
}

// matchesThumbprint compares with thumbprints that were read by
// parseThumbprint. The dates in the certificate do not matter.
func matchesThumbprint(c *x509.Certificate, prints []string) bool {
	short := fmt.Sprintf("%X", sha1.Sum(c.Raw))
	return slices.Contains(prints, short) || slices.Contains(prints, ThumbprintOf(c.Raw))
}

// verifyChain reports whether one of cas has signed for the first certificate
// of a chain, by way of the others.
func verifyChain(chain, cas []*x509.Certificate, now time.Time) error {
	if len(chain) > maxChain {
		return fmt.Errorf("a chain of %d certificates", len(chain))
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range cas {
		roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// ParseCertificate reads the one certificate in a text of PEM.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	if len(text) > maxPEM {
		return nil, ErrTooLarge
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: not one certificate in PEM", ErrInvalid)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return c, nil
}

func certificatePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// A Certificate is a CA that the hubs trust for devices with CASigned. Unlike
// in Azure it belongs to all hubs, and nobody has to prove to own it.
type Certificate struct {
	Name    string    `json:"name"`
	Subject string    `json:"subject"`
	Expiry  time.Time `json:"expiry"`
	SHA256  string    `json:"thumbprint"`
	PEM     string    `json:"certificate"`
}

// AddCertificate makes the hubs trust a CA, given in PEM.
func (s *Sim) AddCertificate(name string, text []byte) error {
	if err := checkDeviceID(name); err != nil {
		return fmt.Errorf("%w: certificate name %.140q", ErrInvalid, name)
	}
	c, err := ParseCertificate(text)
	switch {
	case err != nil:
		return err
	case !c.IsCA:
		return fmt.Errorf("%w: %s is no CA", ErrInvalid, c.Subject)
	}
	return s.change(func() error {
		if s.certificates[name] != nil {
			return ErrCertificateExists
		}
		s.certificates[name] = c
		return nil
	})
}

// DeleteCertificate makes the hubs trust a CA no longer.
func (s *Sim) DeleteCertificate(name string) error {
	return s.change(func() error {
		if s.certificates[name] == nil {
			return ErrUnknownCertificate
		}
		delete(s.certificates, name)
		return nil
	})
}

// Certificates lists the CAs that the hubs trust, by name.
func (s *Sim) Certificates() []Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listCertificates()
}

func (s *Sim) listCertificates() []Certificate {
	var all []Certificate
	for _, name := range slices.Sorted(maps.Keys(s.certificates)) {
		c := s.certificates[name]
		all = append(all, Certificate{name, c.Subject.String(), c.NotAfter, ThumbprintOf(c.Raw), certificatePEM(c)})
	}
	return all
}
