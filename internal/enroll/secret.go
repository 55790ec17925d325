package enroll

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/token"
)

// MaxSecret is the longest text that is taken for a secret, in bytes. The longest
// connection string has a quarter of it.
const MaxSecret = 4 << 10

// A Secret is what an owner was given: a key by itself, of which it does not show whose it
// is, or the connection string of a device.
type Secret struct {
	key        token.Key
	connection config.Connection // zero for a key by itself
}

// Read reads a secret from a pipe or a file.
func Read(in io.Reader) (Secret, error) {
	text, err := io.ReadAll(io.LimitReader(in, MaxSecret+1))
	if err != nil {
		return Secret{}, err
	}
	return Recognise(string(text))
}

// Recognise finds out what a text is. The error says what it is instead, and never quotes
// it.
func Recognise(text string) (Secret, error) {
	if len(text) > MaxSecret {
		return Secret{}, fmt.Errorf("there are more than %d bytes; one key or one connection string is expected", MaxSecret)
	}
	text = unquote(strings.TrimSpace(text))
	if text == "" {
		return Secret{}, errors.New("there is no key; it is read from the standard input, one line as the portal shows it")
	}
	if !connectionLike(text) {
		key, err := config.ReadKey(text)
		return Secret{key: key}, err
	}
	c, err := config.ReadConnection(text)
	return Secret{c.Key, c}, err
}

// unquote takes off the quotes that az prints without -o tsv.
func unquote(text string) string {
	if n := len(text); n >= 2 && text[0] == '"' && text[n-1] == '"' {
		return text[1 : n-1]
	}
	return text
}

// connectionLike reports whether a text has a name that only connection strings have.
func connectionLike(text string) bool {
	lower := strings.ToLower(text)
	for _, name := range []string{"hostname=", "sharedaccesskey=", "deviceid=", "endpoint=", "sharedaccesskeyname="} {
		if strings.Contains(lower, name) {
			return true
		}
	}
	return false
}

// Alone reports whether it is a key by itself, which is nothing without a Where.
func (s Secret) Alone() bool { return s.connection.Host == "" }

// String says what kind of secret it is.
func (s Secret) String() string {
	switch {
	case !s.Alone():
		return fmt.Sprintf("the connection string of device %q at %s", s.connection.DeviceID, s.connection.Host)
	}
	return "a key by itself"
}
