package config

import (
	"errors"

	"tasmota-azd/internal/certificate"
	"tasmota-azd/internal/token"
)

// A login is what proves who the device is: a key, or a certificate with its
// private key.
type login struct{ key, keyFile, cert, certKey scalar }

func (l login) byKey() bool  { return l.key.given || l.keyFile.given }
func (l login) byCert() bool { return l.cert.given || l.certKey.given }
func (l login) given() bool  { return l.byKey() || l.byCert() }

// first is the line that gives the certificate, or else its private key.
func (l login) first() scalar {
	if l.cert.given {
		return l.cert
	}
	return l.certKey
}

// login reads the one of the two that is given, and notes it if both are.
func (c *checker) login(l login) (token.Key, Certificate) {
	if l.byKey() && l.byCert() {
		key := l.key
		if l.keyFile.given {
			key = l.keyFile
		}
		for _, s := range []scalar{l.cert, l.certKey} {
			if s.given {
				c.hidden(s, "is given together with %s (line %d); a device has either a certificate or a symmetric key, so remove one of the two", key.path, key.line)
			}
		}
	}
	var cert Certificate
	if l.byCert() {
		cert = c.certificate(l.cert, l.certKey)
	}
	if !l.byKey() {
		return token.Key{}, cert
	}
	c.onlyOne(l.key, l.keyFile)
	return c.key(l.key, l.keyFile), cert
}

// certificate reads a certificate and its private key.
func (c *checker) certificate(cert, key scalar) Certificate {
	found := Certificate{}
	switch {
	case !cert.given:
		c.missing(cert, "name the file of the certificate that the private key in %s belongs to", key.path)
	case !key.given:
		c.missing(key, "name the file of the private key that belongs to the certificate")
	}
	certText, certOK := c.pemFile(cert, &found.File)
	keyText, keyOK := c.pemFile(key, &found.KeyFile)
	if !certOK || !keyOK {
		return Certificate{}
	}
	parsed, err := certificate.Parse(certText, keyText)
	if e, ok := errors.AsType[*certificate.Error](err); ok {
		if e.InKey {
			c.hidden(key, "in %s: %s", found.KeyFile, e)
		} else {
			c.hidden(cert, "in %s: %s", found.File, e)
		}
		return Certificate{}
	}
	found.Certificate = parsed
	return found
}

// pemFile reads a file that holds, or may hold, a private key.
func (c *checker) pemFile(s scalar, path *string) ([]byte, bool) {
	if !c.secretPath(s, path) {
		return nil, false
	}
	text, info, err := readFile(*path, certificate.MaxFile)
	if err != nil {
		c.wrong(s, "%s %s", *path, c.secretFault(s, *path, err))
		return nil, false
	}
	if hasPrivateKey(text) {
		c.guarded(s, *path, info)
	}
	return text, true
}
