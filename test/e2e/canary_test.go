package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
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

// derived is the key of a device that DPS and the device derive from the group's.
func derived(group, registrationID string) []byte {
	mac := hmac.New(sha256.New, []byte(group))
	mac.Write([]byte(registrationID))
	return mac.Sum(nil)
}

// text is how a key is written in files and connection strings.
func (c canary) text() string { return base64.StdEncoding.EncodeToString(c.bytes) }

// shapes are what to look for: the secret and each of its halves in all the ways in
// which a program may show bytes, in lower case.
func (c canary) shapes() []string {
	half := len(c.bytes) / 2
	var list []string
	for _, part := range [][]byte{c.bytes, c.bytes[:half], c.bytes[half:]} {
		var decimal, literal []string
		for _, b := range part {
			decimal, literal = append(decimal, fmt.Sprint(b)), append(literal, fmt.Sprintf("0x%x", b))
		}
		quoted, _ := json.Marshal(string(part)) // a string
		list = append(list, string(part), strings.Trim(string(quoted), `"`), url.QueryEscape(string(part)),
			hex.EncodeToString(part), strings.ToLower(fmt.Sprintf("% x", part)),
			strings.Join(decimal, " "), strings.Join(decimal, ","), strings.Join(literal, ", "))
		list = append(list, inBase64(part)...)
	}
	for _, of := range []string{c.text(), c.text()[:20]} {
		list = append(list, url.QueryEscape(of), hex.EncodeToString([]byte(of)))
		list = append(list, inBase64([]byte(of))...)
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
	c := canary{"a key", []byte(canaryDevice)}
	within := base64.StdEncoding.EncodeToString([]byte("x{" + canaryDevice + "}"))
	for _, said := range []string{
		canaryDevice, fmt.Sprint([]byte(canaryDevice)), fmt.Sprintf("%#v", []byte(canaryDevice)), fmt.Sprintf("%X", canaryDevice),
		c.text(), url.QueryEscape(c.text()), within, base64.StdEncoding.EncodeToString([]byte("key=" + c.text())),
		"SharedAccessKey=" + c.text()[:24], hex.EncodeToString([]byte(c.text())), canaryDevice[16:],
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
