package hubsim

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"tasmota-azd/internal/token"
)

// A secret is a symmetric key, and its base64 if it was given so: the key of a
// device is shown to its owner, and kept over a restart.
type secret struct {
	key  token.Key
	text string
}

// keyPair is the primary and the secondary key. Either signs (contract,
// section 2.5).
type keyPair [2]secret

// What admitted a device, as Login.Auth names it.
const (
	byPrimaryKey   = "primary-key"
	bySecondaryKey = "secondary-key"
	byThumbprint   = "thumbprint"
	byCA           = "ca"
)

// NewKey makes a key of 32 bytes, in base64.
func NewKey() string {
	raw := make([]byte, 32)
	rand.Read(raw) // does not fail
	return base64.StdEncoding.EncodeToString(raw)
}

// parseKeys reads a primary and a secondary key. A missing one is made.
func parseKeys(texts []string) (keyPair, error) {
	var p keyPair
	if len(texts) > len(p) {
		return p, fmt.Errorf("%w: %d keys", ErrInvalid, len(texts))
	}
	for i := range p {
		var text string
		if i < len(texts) {
			text = strings.TrimSpace(texts[i])
		}
		if text == "" {
			text = NewKey()
		}
		k, err := token.ParseKey(text)
		if err != nil {
			return p, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		p[i] = secret{k, text}
	}
	return p, nil
}

// verify finds the key that password was signed with.
func (p keyPair) verify(password string) (claims token.Claims, by string, err error) {
	if claims, err = token.Verify(p[0].key, password); err == nil {
		return claims, byPrimaryKey, nil
	}
	claims, err = token.Verify(p[1].key, password)
	return claims, bySecondaryKey, err
}

// derive makes the pair of one device from that of its group.
func (p keyPair) derive(id string) keyPair {
	for i, s := range p {
		p[i] = secret{s.key.Derive(id), deriveText(s.text, id)}
	}
	return p
}

// texts are both keys in base64, or an error if they are not known so.
func (p keyPair) texts(id string) (primary, secondary string, err error) {
	if p[0].text == "" {
		return "", "", fmt.Errorf("%w: the key of %s was not given as text", ErrInvalid, id)
	}
	return p[0].text, p[1].text, nil
}

// RenewKey makes a new primary or secondary key for a device. Connections
// that stand are left alone.
func (s *Sim) RenewKey(id, which string) error {
	i := map[string]int{"primary": 0, "secondary": 1}
	n, known := i[which]
	if !known {
		return fmt.Errorf("%w: key %q: primary or secondary", ErrInvalid, which)
	}
	return s.change(func() error {
		d := s.devices[id]
		switch {
		case d == nil:
			return ErrUnknownDevice
		case d.auth.method != SharedKey:
			return fmt.Errorf("%w: %s has a certificate and no key", ErrInvalid, id)
		}
		fresh, err := parseKeys(nil)
		d.auth.keys[n] = fresh[n]
		return err
	})
}

// Keys returns both keys of a device, if they were given as text.
func (s *Sim) Keys(id string) (primary, secondary string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[id]
	if d == nil {
		return "", "", ErrUnknownDevice
	}
	return d.auth.keys.texts(id)
}
