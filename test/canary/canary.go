// Package canary looks for secrets in what a program emits. A canary is a secret that
// was planted; a search goes through all surfaces on which it might come to light, in
// all the shapes that a program may give to bytes.
package canary

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

// A Canary is a secret that must not be found in anything that the program emits.
type Canary struct {
	Name  string
	bytes []byte
}

// New makes one of 32 bytes, which look like nothing else.
func New(name string) Canary {
	sum := sha256.Sum256([]byte(name))
	return Canary{name, sum[:]}
}

// Parse returns the one whose text this is.
func Parse(name, text string) (Canary, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	return Canary{name, b}, err == nil && len(b) >= 16
}

// Derived is the key of a device that DPS and the device derive from the group's.
func (c Canary) Derived(registrationID string) Canary {
	mac := hmac.New(sha256.New, c.bytes)
	mac.Write([]byte(registrationID))
	return Canary{c.Name + " for " + registrationID, mac.Sum(nil)}
}

// Text is how a key is written in files and connection strings.
func (c Canary) Text() string { return base64.StdEncoding.EncodeToString(c.bytes) }

// A shape is a way in which a program may show bytes.
type shape struct {
	name string
	of   func(part []byte) []string
}

// shapes are what is looked for: each eight bytes of the secret so, and each quarter of its
// text, which is bytes as well. All in lower case, as what is searched.
var shapes = []shape{
	{"raw", func(part []byte) []string { return []string{string(part)} }},
	{"base64", inBase64},
	{"hex", func(part []byte) []string { return []string{hex.EncodeToString(part), fmt.Sprintf("% x", part)} }},
	{"URL", func(part []byte) []string { return []string{url.QueryEscape(string(part)), percent(part)} }},
	{"JSON", inJSON},
	{"Go text", func(part []byte) []string {
		return []string{strings.Trim(fmt.Sprintf("%q", part), `"`), strings.Trim(fmt.Sprintf("%+q", part), `"`)}
	}},
	{"numbers", func(part []byte) []string {
		var decimal, literal []string
		for _, b := range part {
			decimal, literal = append(decimal, fmt.Sprint(b)), append(literal, fmt.Sprintf("0x%x", b))
		}
		return []string{strings.Join(decimal, " "), strings.Join(decimal, ","), strings.Join(decimal, ", "), strings.Join(literal, ", ")}
	}},
}

// percent is every byte as in a URL, also of those that need not be.
func percent(part []byte) string {
	var b strings.Builder
	for _, c := range part {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

// inJSON is how bytes look in a JSON text: as Go writes them, with the slashes escaped as
// others do, and with every character by its number.
func inJSON(part []byte) []string {
	goes, err := json.Marshal(string(part))
	if err != nil {
		panic(err) // there is no text that JSON cannot hold
	}
	text := strings.Trim(string(goes), `"`)
	var numbers, runes strings.Builder
	for _, c := range part {
		fmt.Fprintf(&numbers, `\u%04x`, c)
		runes.WriteRune(rune(c))
	}
	signs := strings.NewReplacer("+", `\u002b`, "/", `\u002f`, "=", `\u003d`)
	return []string{text, strings.ReplaceAll(text, "/", `\/`), signs.Replace(text), numbers.String(), runes.String()}
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

// patterns are what to look for of a canary in one shape.
func (c Canary) patterns(s shape) (list []string) {
	for part := range slices.Chunk(c.bytes, 8) {
		list = append(list, s.of(part)...)
	}
	for part := range slices.Chunk([]byte(c.Text()), 11) {
		if s.name != "raw" { // that is the key in base64
			list = append(list, s.of(part)...)
		}
	}
	for i := range list {
		list[i] = lower(list[i])
	}
	slices.Sort(list)
	list = slices.Compact(list)
	// What is hardly more than marks for bytes that are no text would be found everywhere.
	return slices.DeleteFunc(list, func(p string) bool { return len(strings.ReplaceAll(p, "\ufffd", "")) < 5 })
}

// A Search goes through what a program has emitted.
type Search struct {
	look     []pattern
	canaries int
	bytes    int
	surfaces []string
	hits     []Hit
}

type pattern struct{ canary, shape, text string }

// A Hit is a canary that was found.
type Hit struct{ Surface, Canary, Shape, Line string }

// NewSearch returns a search for canaries.
func NewSearch(canaries ...Canary) *Search {
	s := &Search{canaries: len(canaries)}
	for _, c := range canaries {
		for _, shape := range shapes {
			for _, text := range c.patterns(shape) {
				s.look = append(s.look, pattern{c.Name, shape.name, text})
			}
		}
	}
	return s
}

// Forbid adds a text that must not be found either, as it is.
func (s *Search) Forbid(name, text string) {
	s.look = append(s.look, pattern{name, "raw", lower(text)})
}

// Hear searches what came to light on a surface.
func (s *Search) Hear(surface, said string) {
	if said == "" {
		return
	}
	if !slices.Contains(s.surfaces, surface) {
		s.surfaces = append(s.surfaces, surface)
	}
	s.bytes += len(said)
	said = lower(said)
	once := strings.ReplaceAll(said, `\\`, `\`) // of a text within a text
	for _, p := range s.look {
		if at := strings.Index(said, p.text); at >= 0 || strings.Contains(once, p.text) {
			at = max(at, 0)
			from := strings.LastIndexByte(said[:at], '\n') + 1
			s.hits = append(s.hits, Hit{surface, p.canary, p.shape, said[max(from, at-200):min(at+200, len(said))]})
		}
	}
}

// lower changes the letters A to Z, and no byte of what is no text, as strings.ToLower does.
func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// Hits are all that was found.
func (s *Search) Hits() []Hit { return s.hits }

// Report fails the test if something was found, or if a surface that was to be searched
// had nothing to search. It logs one line with the figures.
func (s *Search) Report(t *testing.T, surfaces ...string) {
	t.Helper()
	for _, h := range s.hits {
		t.Errorf("%s, as %s, in %s: %q", h.Canary, h.Shape, h.Surface, h.Line)
	}
	for _, want := range surfaces {
		if !slices.Contains(s.surfaces, want) {
			t.Errorf("nothing was heard of %s", want)
		}
	}
	t.Logf("canary: %d surfaces x %d shapes of %d secrets (%d patterns), %d bytes searched: %d hits",
		len(s.surfaces), len(shapes), s.canaries, len(s.look), s.bytes, len(s.hits))
	t.Logf("surfaces: %s", strings.Join(s.surfaces, "; "))
}

// Look fails the test if canaries are found in what was said.
func Look(t *testing.T, said string, canaries ...Canary) {
	t.Helper()
	s := NewSearch(canaries...)
	s.Hear("what was said", said)
	for _, h := range s.hits {
		t.Errorf("%s, as %s, in: %q", h.Canary, h.Shape, h.Line)
	}
}
