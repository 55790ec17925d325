package token_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/token"
)

func TestVerify(t *testing.T) {
	k := mustParse(t, "CxNM+KCHYg6HZ2KmwXiIfNMoOZyuKQviNDMbzLvrFDc=")
	other := mustParse(t, "MIW3wnGLeEjhsc/FtGIZXg==")
	expiry := time.Unix(1767229200, 0)
	good := token.Hub(k, "Contoso.azure-devices.net", "Rpi 1+2", expiry)
	want := token.Claims{Resource: "contoso.azure-devices.net/devices/Rpi 1+2", Expiry: expiry}
	if got, err := token.Verify(k, good); err != nil || got != want {
		t.Errorf("Verify: %+v, %v, want %+v", got, err, want)
	}
	for name, bad := range map[string]string{
		"other id":              strings.Replace(good, "Rpi", "Rpj", 1),
		"re-encoded":            strings.Replace(good, "%2F", "%2f", 1),
		"later":                 strings.Replace(good, "se=1767229200", "se=1767229201", 1),
		"leading zero":          strings.Replace(good, "se=1767229200", "se=01767229200", 1),
		"signature cut":         "SharedAccessSignature sr=a&sig=" + base64.StdEncoding.EncodeToString([]byte("short")) + "&se=1767229200",
		"signature of one byte": "SharedAccessSignature sr=a&sig=AA%3D%3D&se=1767229200",
	} {
		if _, err := token.Verify(k, bad); !errors.Is(err, token.ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
	}
	for name, key := range map[string]token.Key{"other key": other, "no key": {}} {
		if _, err := token.Verify(key, good); !errors.Is(err, token.ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
	}
	if _, err := token.Verify(token.Key{}, token.Hub(token.Key{}, "h", "d", expiry)); !errors.Is(err, token.ErrSignature) {
		t.Errorf("the zero key fits its own signature: %v", err)
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       token.Claims
		err        string
	}{
		{"any order", "SharedAccessSignature se=5&skn=&sig=AA%3D%3D&sr=a%2Fb", token.Claims{Resource: "a/b", Expiry: time.Unix(5, 0)}, ""},
		{"unknown field", "SharedAccessSignature sr=a&x=1&sig=s&se=5", token.Claims{Resource: "a", Expiry: time.Unix(5, 0)}, ""},
		{"key name", "SharedAccessSignature sr=a&sig=s&se=5&skn=registration", token.Claims{Resource: "a", Expiry: time.Unix(5, 0), KeyName: "registration"}, ""},
		{"plus", "SharedAccessSignature sr=a+b&sig=s&se=5", token.Claims{Resource: "a+b", Expiry: time.Unix(5, 0)}, ""},
		{"year 9999", "SharedAccessSignature sr=a&sig=s&se=253402300799", token.Claims{Resource: "a", Expiry: time.Unix(253402300799, 0)}, ""},
		{"year 10000", "SharedAccessSignature sr=a&sig=s&se=253402300800", token.Claims{}, "se"},
		{"two spaces", "SharedAccessSignature  sr=a&sig=s&se=5", token.Claims{}, "lacks"},
		{"no scheme", "sr=a&sig=s&se=5", token.Claims{}, "begin"},
		{"bearer", "Bearer sr=a&sig=s&se=5", token.Claims{}, "begin"},
		{"no sr", "SharedAccessSignature sig=s&se=5", token.Claims{}, "lacks"},
		{"no sig", "SharedAccessSignature sr=a&sig=&se=5", token.Claims{}, "lacks"},
		{"no se", "SharedAccessSignature sr=a&sig=s", token.Claims{}, "lacks"},
		{"twice", "SharedAccessSignature sr=a&sr=b&sig=s&se=5", token.Claims{}, "sr twice"},
		{"half an escape", "SharedAccessSignature sr=a%2&sig=s&se=5", token.Claims{}, "sr"},
		{"negative", "SharedAccessSignature sr=a&sig=s&se=-5", token.Claims{}, "se"},
		{"sign", "SharedAccessSignature sr=a&sig=s&se=+5", token.Claims{}, "se"},
		{"fraction", "SharedAccessSignature sr=a&sig=s&se=5.5", token.Claims{}, "se"},
		{"too long", "SharedAccessSignature sr=" + strings.Repeat("a", 5000) + "&sig=s&se=5", token.Claims{}, "bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := token.Parse(tt.text)
			if got != tt.want || (err == nil) != (tt.err == "") {
				t.Fatalf("%+v, %v, want %+v", got, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %q does not say %q", err, tt.err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	k, err := token.ParseKey("MIW3wnGLeEjhsc/FtGIZXg==")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token.Hub(k, "h", "d", time.Unix(1767229200, 0)))
	f.Add(token.DPS(k, "0ne00000000", "a.b:c_d-e", time.Unix(1767229200, 1)))
	f.Add("SharedAccessSignature sr=&sig=&se=")
	f.Add("SharedAccessSignature sr=%zz&sig=%&se=9&skn=%2")
	f.Add("SharedAccessSignature &&==&sr")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := token.Parse(text)
		if err != nil {
			if c != (token.Claims{}) {
				t.Fatalf("claims %+v with error %v", c, err)
			}
			return
		}
		if c.Resource == "" || c.Expiry.Unix() < 0 || c.Expiry.Year() > 10000 {
			t.Fatalf("claims %+v of %q", c, text)
		}
		// What Verify believes, Parse reads alike.
		if v, err := token.Verify(k, text); err == nil && v != c {
			t.Fatalf("Verify %+v, Parse %+v", v, c)
		}
	})
}
