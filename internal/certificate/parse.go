package certificate

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"tasmota-azd/internal/token"
)

// MaxFile is the largest file that is worth reading, in bytes: a chain of many
// certificates with long keys has a tenth of it.
const MaxFile = 256 << 10

// An Error says what is wrong with one of the two files, and what would be right.
// It quotes nothing of a key.
type Error struct {
	InKey bool // the file of the private key is meant, not that of the certificate
	words string
}

// Error returns the words, without the name of a file.
func (e *Error) Error() string { return e.words }

// Parse reads a certificate in PEM, followed by those that vouch for it, and its
// private key in PEM. One text may hold both and be given twice. Every error is
// an *Error.
func Parse(certPEM, keyPEM []byte) (Certificate, error) {
	chain, err := parseChain(certPEM)
	if err != nil {
		return Certificate{}, err
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return Certificate{}, err
	}
	if !belong(chain[0], key) {
		return Certificate{}, keyError("this key does not belong to the certificate; put the two that were made together there")
	}
	pair := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return Certificate{pair: func() *tls.Certificate { return pair }}, nil
}

func certError(format string, args ...any) error { return &Error{words: fmt.Sprintf(format, args...)} }

func keyError(format string, args ...any) error {
	return &Error{InKey: true, words: fmt.Sprintf(format, args...)}
}

// parseChain reads the certificates of a text, the first of which is the device's.
func parseChain(text []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	var other string
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			other = block.Type
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, certError("certificate %d cannot be read: %s", len(chain)+1, strings.TrimPrefix(err.Error(), "x509: "))
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, noChain(text, other)
	}
	if chain[0].IsCA && len(chain) > 1 {
		return nil, certError("the first certificate is that of an authority; the device's own comes first, then those that vouch for it")
	}
	return chain, nil
}

// noChain says what a text is that holds no certificate. other is the last kind
// of PEM block in it, if there is one.
func noChain(text []byte, other string) error {
	switch {
	case strings.HasSuffix(other, "PRIVATE KEY"):
		return certError("this is the private key; it is written as cert_key_file, and the certificate here")
	case strings.HasSuffix(other, "CERTIFICATE REQUEST"):
		return certError("this is a request for a certificate; what the authority has made of it belongs here")
	case other != "":
		return certError("there is a %s and no certificate", strings.ToLower(other))
	}
	if _, err := x509.ParseCertificate(text); err == nil {
		return certError("this certificate is in DER; convert it to PEM: openssl x509 -inform der -in FILE -out FILE.pem")
	}
	if isSymmetric(text) {
		return certError("this is a symmetric key; it is written as key_file, without cert_file and cert_key_file")
	}
	return certError("no certificate in PEM is there (-----BEGIN CERTIFICATE-----)")
}

// parseKey reads the private key of a text.
func parseKey(text []byte) (any, error) {
	var other string
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, keyError("this key is locked with a password, which a service cannot type; unlock it: openssl pkey -in FILE -out FILE.key")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key, err := decodeKey(block.Bytes)
			if err != nil {
				return nil, keyError("this key cannot be read; RSA, ECDSA and Ed25519 in PEM are possible")
			}
			return key, nil
		case block.Type != "EC PARAMETERS": // stands before a key that openssl ecparam made
			other = block.Type
		}
	}
	switch {
	case other == "CERTIFICATE":
		return nil, keyError("this is a certificate; the private key that belongs to it is needed here")
	case other != "":
		return nil, keyError("there is a %s and no private key", strings.ToLower(other))
	case isSymmetric(text):
		return nil, keyError("this is a symmetric key, but the private key of the certificate is needed here; without a certificate write it as key_file")
	}
	return nil, keyError("no private key in PEM is there (-----BEGIN PRIVATE KEY-----)")
}

func isSymmetric(text []byte) bool {
	_, err := token.ParseKey(string(text))
	return err == nil
}

// decodeKey knows the three forms in which openssl writes a private key.
func decodeKey(der []byte) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("unknown form")
}

// belong reports whether key is the private half of what is in the certificate.
func belong(cert *x509.Certificate, key any) bool {
	switch public := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		k, ok := key.(*ecdsa.PrivateKey)
		return ok && public.Equal(k.Public())
	case *rsa.PublicKey:
		k, ok := key.(*rsa.PrivateKey)
		return ok && public.Equal(k.Public())
	case ed25519.PublicKey:
		k, ok := key.(ed25519.PrivateKey)
		return ok && public.Equal(k.Public())
	}
	return false
}
