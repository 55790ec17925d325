package token

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// scheme is the word before the fields of a token, with its one space.
const scheme = "SharedAccessSignature "

// registration is the key name of every token for DPS.
const registration = "registration"

// Hub returns the SAS token with which deviceID connects to the IoT hub at
// host until expiry, of which a fraction of a second is dropped (contract,
// sections 2.1 to 2.4). The host is lower-cased, the id keeps its case.
func Hub(k Key, host, deviceID string, expiry time.Time) string {
	return assemble(k, strings.ToLower(host)+"/devices/"+deviceID, expiry.Unix())
}

// DPS returns the SAS token with which registrationID registers in scopeID
// until expiry, rounded up to a whole second (contract, section 2.4). The key
// is the device's own: of a group, the derived one.
func DPS(k Key, scopeID, registrationID string, expiry time.Time) string {
	se := expiry.Unix()
	if expiry.Nanosecond() > 0 {
		se++
	}
	return assemble(k, scopeID+"/registrations/"+registrationID, se) + "&skn=" + registration
}

// assemble signs resource, which it encodes first: the service checks the
// signature over sr as it is written.
func assemble(k Key, resource string, expiry int64) string {
	sr, se := escape(resource), strconv.FormatInt(expiry, 10)
	sig := base64.StdEncoding.EncodeToString(k.sign(sr + "\n" + se))
	return scheme + "sr=" + sr + "&sig=" + escape(sig) + "&se=" + se
}

// escape percent-encodes all but letters, digits and "-_.~" (contract,
// section 2.3).
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// Claims is what a token says, believed or not.
type Claims struct {
	Resource string    // sr, decoded: "{host}/devices/{id}" or "{scope}/registrations/{id}"
	Expiry   time.Time // se, to the second
	KeyName  string    // skn: empty for a device's own key, "registration" for DPS
}

// ErrSignature is the error of Verify for a well-formed token that was not
// signed with the key.
var ErrSignature = errors.New("the signature does not fit the key")

// Verify parses a token and checks its signature over sr exactly as it was
// sent, so that every way of encoding it passes. It does not look at the time
// nor at whether the resource is the right one.
func Verify(k Key, token string) (Claims, error) {
	f, err := split(token)
	if err != nil {
		return Claims{}, err
	}
	c, err := f.claims()
	if err != nil {
		return Claims{}, err
	}
	sig, err := decodeSignature(f.sig)
	if err != nil {
		return Claims{}, err
	}
	if k.IsZero() || subtle.ConstantTimeCompare(sig, k.sign(f.sr+"\n"+f.se)) != 1 {
		return Claims{}, ErrSignature
	}
	return c, nil
}

// Parse reads what a token claims without checking its signature.
func Parse(token string) (Claims, error) {
	f, err := split(token)
	if err != nil {
		return Claims{}, err
	}
	return f.claims()
}

// maxToken is more than any honest token: an sr of 1 KiB, encoded.
const maxToken = 4 << 10

// maxExpiry is the last second of the year 9999.
const maxExpiry = 253402300799

// fields are the parts of a token as they were written.
type fields struct{ sr, sig, se, skn string }

// split takes a token apart. The order of the fields is free; an unknown one
// is skipped; a repeated or missing one is an error.
func split(token string) (fields, error) {
	if len(token) > maxToken {
		return fields{}, fmt.Errorf("token of %d bytes: more than %d", len(token), maxToken)
	}
	rest, ok := strings.CutPrefix(token, scheme)
	if !ok {
		return fields{}, errors.New("token does not begin with SharedAccessSignature and one space")
	}
	var f fields
	known := map[string]*string{"sr": &f.sr, "sig": &f.sig, "se": &f.se, "skn": &f.skn}
	seen := map[string]bool{}
	for field := range strings.SplitSeq(rest, "&") {
		name, value, _ := strings.Cut(field, "=")
		if known[name] == nil {
			continue
		}
		if seen[name] {
			return fields{}, fmt.Errorf("token has %s twice", name)
		}
		seen[name] = true
		*known[name] = value
	}
	if f.sr == "" || f.sig == "" || f.se == "" {
		return fields{}, errors.New("token lacks sr, sig or se")
	}
	return f, nil
}

// claims decodes the fields. A plus sign stays a plus sign (contract, section
// 2.3).
func (f fields) claims() (Claims, error) {
	resource, err := url.PathUnescape(f.sr)
	if err != nil {
		return Claims{}, fmt.Errorf("token field sr: %w", err)
	}
	name, err := url.PathUnescape(f.skn)
	if err != nil {
		return Claims{}, fmt.Errorf("token field skn: %w", err)
	}
	se, err := strconv.ParseUint(f.se, 10, 63)
	if err != nil || se > maxExpiry {
		return Claims{}, fmt.Errorf("token field se: %q is not a time in Unix seconds", f.se)
	}
	return Claims{Resource: resource, Expiry: time.Unix(int64(se), 0), KeyName: name}, nil
}

func decodeSignature(sig string) ([]byte, error) {
	text, err := url.PathUnescape(sig)
	if err != nil {
		return nil, fmt.Errorf("token field sig: %w", err)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("token field sig: %w", err)
	}
	return b, nil
}
