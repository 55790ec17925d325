package token_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tasmota-azd/internal/token"
)

// canary is the text of a key that must not be seen anywhere.
var canary = []byte("canary-canary-canary-canary-1234")

// traces are the ways in which the bytes of the canary could come out.
func traces() []string {
	list := []string{
		"canary",
		base64.StdEncoding.EncodeToString(canary)[:20],
		fmt.Sprintf("%x", canary[:6]),
		fmt.Sprintf("%X", canary[:6]),
		fmt.Sprintf("% x", canary[:6]),
		strings.Trim(fmt.Sprint(canary[:6]), "[]"),
		strings.Trim(fmt.Sprintf("%o", canary[:6]), "[]"),
		strings.Trim(fmt.Sprintf("%b", canary[:6]), "[]"),
		strings.Trim(fmt.Sprintf("%c", canary[:6]), "[]"),
		strings.Trim(fmt.Sprintf("%#v", canary[:6]), "[]byte{}"),
	}
	return list
}

func mustParse(t testing.TB, text string) token.Key {
	t.Helper()
	k, err := token.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyNeverShown(t *testing.T) {
	k := mustParse(t, base64.StdEncoding.EncodeToString(canary))
	type open struct{ K token.Key }
	type hidden struct{ k token.Key } // fmt asks no methods of an unexported field
	values := []any{k, &k, open{k}, &open{k}, hidden{k}, &hidden{k}, []token.Key{k}, [1]token.Key{k},
		map[string]token.Key{"k": k}, map[string]hidden{"k": {k}}, any(hidden{k}), fmt.Errorf("at %v", k)}

	var out bytes.Buffer
	for _, v := range values {
		for verb := range strings.SplitSeq("v +v #v s q x X # x d o O b c U e g t T p w z", " ") {
			fmt.Fprintf(&out, "%"+verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("value", "v", v, slog.Group("g", "v", v))
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
	}
	if b, err := xml.Marshal(open{k}); err == nil {
		out.Write(b)
	}
	_ = gob.NewEncoder(&out).Encode(open{k}) // whether it can or not
	for _, s := range traces() {
		if i := strings.Index(out.String(), s); i >= 0 {
			t.Errorf("the key is shown as %q in %q", s, out.String()[max(0, i-60):min(out.Len(), i+60)])
		}
	}
}

func TestKeyShownAs(t *testing.T) {
	k := mustParse(t, base64.StdEncoding.EncodeToString(canary))
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "k", k)
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "k", struct{ K token.Key }{k})
	marshalled, err := json.Marshal(map[string]token.Key{"k": k})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprintf("%d", k), fmt.Sprintf("%#v", k), fmt.Sprintf("%x", k), k.String(), k.GoString(),
		text.String(), js.String(), string(marshalled)} {
		if !strings.Contains(got, "[key]") {
			t.Errorf("%q does not say [key]", got)
		}
	}
}

func TestParseKey(t *testing.T) {
	enc := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{'k'}, n)) }
	for _, tt := range []struct {
		name, text, err string // err: a part of the message, empty if the key is good
	}{
		{"16 bytes", enc(16), ""},
		{"64 bytes", enc(64), ""},
		{"line break at the end", enc(32) + "\r\n", ""},
		{"spaces around", "  " + enc(32) + " ", ""},
		{"15 bytes", enc(15), "15 bytes"},
		{"65 bytes", enc(65), "65 bytes"},
		{"67 bytes", enc(67), "92 characters"},
		{"empty", " \n", "empty"},
		{"two lines", enc(32) + "\n" + enc(32), "white space"},
		{"no base64", strings.Repeat("§", 20), "not base64"},
		{"no padding", strings.TrimRight(enc(32), "="), "not base64"},
		{"connection string", "HostName=h;DeviceId=d;SharedAccessKey=" + enc(32), "connection string"},
		{"huge", strings.Repeat("A", 1<<20), "1048576 characters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, err := token.ParseKey(tt.text)
			if tt.err == "" {
				if err != nil || k.IsZero() {
					t.Fatalf("ParseKey: %v, zero %v", err, k.IsZero())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want one with %q", err, tt.err)
			}
			if !k.IsZero() {
				t.Error("a key in spite of the error")
			}
			if text := strings.TrimSpace(tt.text); text != "" && strings.Contains(err.Error(), text[:min(8, len(text))]) {
				t.Errorf("the error quotes the text: %v", err)
			}
		})
	}
}

func TestEqual(t *testing.T) {
	a := mustParse(t, "CxNM+KCHYg6HZ2KmwXiIfNMoOZyuKQviNDMbzLvrFDc=")
	same := mustParse(t, "CxNM+KCHYg6HZ2KmwXiIfNMoOZyuKQviNDMbzLvrFDc=")
	other := mustParse(t, "MIW3wnGLeEjhsc/FtGIZXg==")
	var zero token.Key
	if !a.Equal(same) || !zero.Equal(token.Key{}) {
		t.Error("equal keys are not equal")
	}
	if a.Equal(other) || a.Equal(zero) || zero.Equal(a) {
		t.Error("different keys are equal")
	}
	if a.Fingerprint() != same.Fingerprint() || a.Fingerprint() == other.Fingerprint() || len(a.Fingerprint()) != 16 {
		t.Errorf("fingerprints %q %q %q", a.Fingerprint(), same.Fingerprint(), other.Fingerprint())
	}
	if zero.Fingerprint() != "" || !zero.Derive("d").IsZero() {
		t.Error("the zero key has a fingerprint or a descendant")
	}
}

func TestReveal(t *testing.T) {
	const text = "CxNM+KCHYg6HZ2KmwXiIfNMoOZyuKQviNDMbzLvrFDc="
	var zero token.Key
	if got := mustParse(t, text).Reveal(); string(got) != text || len(zero.Reveal()) != 0 {
		t.Errorf("%s, and %s of no key", got, zero.Reveal())
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"", "MIW3wnGLeEjhsc/FtGIZXg==", "MIW3wnGLeEjhsc/FtGIZXg", "a b", "HostName=h;SharedAccessKey=AAAA", "====",
		strings.Repeat("A", 88), "CxNM+KCHYg6HZ2KmwXiIfNMoOZyuKQviNDMbzLvrFDc=\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := token.ParseKey(text)
		if (err == nil) == k.IsZero() {
			t.Fatalf("zero %v with error %v", k.IsZero(), err)
		}
		if err != nil {
			if len(text) >= 12 && strings.Contains(err.Error(), text) {
				t.Fatalf("the error quotes the text: %v", err)
			}
			return
		}
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(b) < 16 || len(b) > 64 {
			t.Fatalf("taken: %d bytes, %v", len(b), err)
		}
	})
}
