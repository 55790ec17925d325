// Package token makes and checks the signatures with which a device proves
// who it is to Azure IoT Hub and to the Device Provisioning Service.
//
// It owns the key: a Key signs, derives and compares, but has no way out except Reveal.
// Whatever prints, logs or marshals a Key, or a value that holds one, shows
// "[key]" or a memory address, never the bytes. The room is pure: it reads no
// clock and opens no file.
//
// Facts are from the azure-iot contract, section 2.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// The sizes of a symmetric key in bytes (contract, section 2.5).
const (
	minKey = 16
	maxKey = 64
)

// shown is what every printer gets to see of a key.
const shown = "[key]"

// A Key is a symmetric key of a device or of an enrollment group. The zero
// Key holds nothing, and no signature is ever found to fit it.
//
// Keys are compared with Equal; == does not compile.
type Key struct {
	// The bytes are behind a function because fmt walks into unexported fields
	// without asking for methods. It prints a function as an address, but
	// follows a pointer if the verb is a wrong one for pointers.
	secret func() []byte
}

func hold(b []byte) Key { return Key{secret: func() []byte { return b }} }

// ParseKey reads a key as the portal shows it: base64 of 16 to 64 bytes.
// White space around it is allowed, as a file ends with a line break. The
// error says what is wrong and never quotes the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return Key{}, errors.New("the key is empty")
	case strings.Contains(text, "SharedAccessKey="):
		return Key{}, errors.New("this is a whole connection string: the key is the part after SharedAccessKey=")
	case strings.ContainsAny(text, " \t\r\n"):
		return Key{}, errors.New("the key has white space inside: it is one word of base64")
	case len(text) > base64.StdEncoding.EncodedLen(maxKey):
		return Key{}, fmt.Errorf("the key has %d characters: base64 of %d to %d bytes has at most %d",
			len(text), minKey, maxKey, base64.StdEncoding.EncodedLen(maxKey))
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		// The decoder's error holds a position and nothing of the text.
		return Key{}, fmt.Errorf("the key is not base64: %w", err)
	}
	if len(b) < minKey || len(b) > maxKey {
		return Key{}, fmt.Errorf("the key has %d bytes: a key of Azure has %d to %d", len(b), minKey, maxKey)
	}
	return hold(b), nil
}

// IsZero reports whether k holds no key.
func (k Key) IsZero() bool { return k.secret == nil }

// Equal reports whether both keys have the same bytes, in a time that does
// not depend on them. Two zero keys are equal.
func (k Key) Equal(o Key) bool {
	return subtle.ConstantTimeCompare(k.bytes(), o.bytes()) == 1
}

// Derive returns the device key that belongs to registrationID in the
// enrollment group whose key is k (contract, section 2.5). Upper and lower
// case make different keys. Nothing is derived from the zero Key.
func (k Key) Derive(registrationID string) Key {
	if k.IsZero() {
		return Key{}
	}
	return hold(k.sign(registrationID))
}

// Fingerprint returns 16 hex digits that tell keys apart, to notice that a
// key was changed without keeping it. It is empty for the zero Key.
func (k Key) Fingerprint() string {
	if k.IsZero() {
		return ""
	}
	sum := sha256.Sum256(append([]byte("tasmota-azd key fingerprint\x00"), k.bytes()...))
	return hex.EncodeToString(sum[:8])
}

// Reveal returns the key as the portal shows it, in base64, empty for the zero Key. It
// is the one way out, for who seals a derived key (architecture_test.go).
func (k Key) Reveal() []byte { return base64.StdEncoding.AppendEncode(nil, k.bytes()) }

func (k Key) bytes() []byte {
	if k.secret == nil {
		return nil
	}
	return k.secret()
}

func (k Key) sign(text string) []byte {
	h := hmac.New(sha256.New, k.bytes())
	io.WriteString(h, text) // a hash never fails to write
	return h.Sum(nil)
}

// String returns "[key]".
func (k Key) String() string { return shown }

// GoString returns "[key]".
func (k Key) GoString() string { return shown }

// Format writes "[key]", whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, shown) }

// LogValue returns "[key]", for log/slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(shown) }

// MarshalText returns "[key]", which JSON, YAML, XML and gob then write.
func (k Key) MarshalText() ([]byte, error) { return []byte(shown), nil }
