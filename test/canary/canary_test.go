package canary

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// leaks are ways to let a key slip, each with the shape by which it must be found.
func leaks(c Canary) map[string][]string {
	marshalled, _ := json.Marshal(map[string]string{"key": "<" + c.Text() + ">"})
	list, _ := json.Marshal(map[string]any{"key": slices.Collect(func(yield func(int) bool) {
		for _, b := range c.bytes {
			if !yield(int(b)) {
				return
			}
		}
	})})
	within, _ := json.Marshal(string(marshalled))
	bytes, _ := json.Marshal(string(c.bytes))
	return map[string][]string{
		"raw":    {string(c.bytes), string(c.bytes[15:])},
		"base64": {c.Text(), c.Text()[8:30], c.Text()[:24], base64.RawURLEncoding.EncodeToString(c.bytes), base64.StdEncoding.EncodeToString([]byte("key=" + c.Text())), base64.StdEncoding.EncodeToString(slices.Concat([]byte("x{"), c.bytes, []byte("}")))},
		"hex":    {fmt.Sprintf("%X", c.bytes), hex.EncodeToString([]byte(c.Text())), fmt.Sprintf("% X", c.bytes)},
		"URL":    {url.QueryEscape(c.Text()), url.PathEscape(string(c.bytes)), url.QueryEscape("k=" + string(c.bytes))},
		"JSON": {string(marshalled), string(within), string(bytes), strings.ReplaceAll(string(marshalled), "/", `\/`),
			strings.NewReplacer("+", `\u002b`, "/", `\u002F`, "=", `\u003D`).Replace(c.Text())},
		"Go text": {fmt.Sprintf("%q", c.bytes), fmt.Sprintf("%+q", c.bytes), strconv.Quote(c.Text()), strconv.Quote(fmt.Sprintf("%q", c.bytes))},
		"numbers": {fmt.Sprint(c.bytes), fmt.Sprintf("%#v", c.bytes), string(list)},
	}
}

// TestSearchFinds shows that the search is not made in vain: of each shape what was planted
// is found, with any of several keys, and by that shape alone where no other shows it too.
func TestSearchFinds(t *testing.T) {
	for n := range 20 {
		c := New(fmt.Sprint("key ", n))
		for _, shape := range shapes {
			for _, said := range leaks(c)[shape.name] {
				s := NewSearch(New("another"), c)
				s.Hear("a log", "before\nmsg="+said+" after\n")
				if len(s.Hits()) == 0 {
					t.Errorf("not found as %s in %q", shape.name, said)
				}
				for _, h := range s.Hits() {
					if h.Surface != "a log" || h.Canary != c.Name {
						t.Errorf("found %+v", h)
					}
				}
			}
		}
	}
}

// Each shape is needed: without it, a leak of that kind is not found.
func TestEachShapeIsNeeded(t *testing.T) {
	all := shapes
	defer func() { shapes = all }()
	for i, shape := range all {
		shapes = slices.Concat(all[:i:i], all[i+1:])
		missed := false
		for n := range 20 {
			c := New(fmt.Sprint("key ", n))
			for _, said := range leaks(c)[shape.name] {
				s := NewSearch(c)
				s.Hear("a log", said)
				missed = missed || len(s.Hits()) == 0
			}
		}
		if !missed {
			t.Errorf("%s could go: all is found without it", shape.name)
		}
	}
}

func TestSearchFindsNothingElse(t *testing.T) {
	s := NewSearch(New("a key"), New("a key").Derived("board"))
	s.Forbid("a token", "sig=")
	s.Hear("a log", strings.Repeat("command done part=device \ufffd\ufffd\ufffd 0x1f 12, 34, 56 AbCdEf+/= %41%42 \\u0041\n", 1000)+New("other").Text())
	s.Hear("empty", "")
	s.Hear("numbers", fmt.Sprint(New("other").bytes))
	if len(s.Hits()) != 0 || len(s.surfaces) != 2 {
		t.Errorf("%+v, %q", s.Hits(), s.surfaces)
	}
	s.Hear("a log", "sr=h&SIG=x")
	if len(s.Hits()) != 1 {
		t.Errorf("%+v", s.Hits())
	}
}
