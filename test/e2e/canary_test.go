package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A canary is a secret that must not be found in anything that the program emits.
type canary struct {
	name  string
	bytes []byte
}

// newCanary makes one of 32 bytes, which look like nothing else.
func newCanary(name string) canary {
	sum := sha256.Sum256([]byte(name))
	return canary{name, sum[:]}
}

// derived is the key of a device that DPS and the device derive from the group's.
func (c canary) derived(registrationID string) canary {
	mac := hmac.New(sha256.New, c.bytes)
	mac.Write([]byte(registrationID))
	return canary{c.name + " for " + registrationID, mac.Sum(nil)}
}

// text is how a key is written in files and connection strings.
func (c canary) text() string { return base64.StdEncoding.EncodeToString(c.bytes) }

// shapes are what to look for, in lower case: each eight bytes of the secret in all the
// ways in which a program may show bytes, and each quarter of its text.
func (c canary) shapes() []string {
	var list []string
	for part := range slices.Chunk(c.bytes, 8) {
		var decimal, literal []string
		for _, b := range part {
			decimal, literal = append(decimal, fmt.Sprint(b)), append(literal, fmt.Sprintf("0x%x", b))
		}
		list = append(list, string(part), url.QueryEscape(string(part)), strings.Trim(fmt.Sprintf("%q", part), `"`),
			hex.EncodeToString(part), fmt.Sprintf("% x", part),
			strings.Join(decimal, " "), strings.Join(decimal, ","), strings.Join(literal, ", "))
		list = append(list, inBase64(part)...)
	}
	for part := range slices.Chunk([]byte(c.text()), 11) {
		list = append(list, url.QueryEscape(string(part)), hex.EncodeToString(part))
		list = append(list, inBase64(part)...)
	}
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// inBase64 is how bytes look within a longer base64 text: in three ways, as they begin
// at the first, second or third byte of a group; without what their neighbours change.
func inBase64(part []byte) (list []string) {
	for lead := range 3 {
		whole := append(make([]byte, lead), part...)
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := e.EncodeToString(whole)
			list = append(list, text[(lead*8+5)/6:len(whole)*8/6])
		}
	}
	return list
}

// search looks for canaries in what was said, and reports the lines that hold one.
func search(t *testing.T, said string, canaries []canary) {
	t.Helper()
	for line := range strings.Lines(said) {
		lower := strings.ToLower(line)
		for _, c := range canaries {
			for _, shape := range c.shapes() {
				if strings.Contains(lower, shape) {
					t.Errorf("%s, as %q, in: %s", c.name, shape, line)
				}
			}
		}
	}
}

// TestSearchFinds shows that the search is not made in vain.
func TestSearchFinds(t *testing.T) {
	c := newCanary("a key")
	within := base64.StdEncoding.EncodeToString(slices.Concat([]byte("x{"), c.bytes, []byte("}")))
	for _, said := range []string{
		string(c.bytes), fmt.Sprint(c.bytes), fmt.Sprintf("%#v", c.bytes), fmt.Sprintf("%X", c.bytes), fmt.Sprintf("%q", c.bytes),
		c.text(), url.QueryEscape(c.text()), within, base64.StdEncoding.EncodeToString([]byte("key=" + c.text())),
		c.text()[8:30], c.text()[:24], hex.EncodeToString([]byte(c.text())), string(c.bytes[15:]),
	} {
		lower, found := strings.ToLower(said), false
		for _, shape := range c.shapes() {
			found = found || strings.Contains(lower, shape)
		}
		if !found {
			t.Errorf("not found in %s", said)
		}
	}
}
