package certificate_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/certificate"
	"tasmota-azd/internal/certificate/certtest"
)

func block(kind, text string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(text)})
}

func TestMistakes(t *testing.T) {
	end := time.Now().AddDate(1, 0, 0)
	ca := certtest.NewAuthority(t, "CA")
	pair, other := ca.Issue(t, "pump", end), ca.Issue(t, "pump", end)
	der, _ := pem.Decode(pair.Cert)
	for _, tt := range []struct {
		name      string
		cert, key []byte
		inKey     bool
		words     string
	}{
		{"nothing", nil, pair.Key, false, "no certificate in PEM"},
		{"key for certificate", pair.Key, pair.Key, false, "this is the private key"},
		{"certificate for key", pair.Cert, pair.Cert, true, "this is a certificate"},
		{"DER", der.Bytes, pair.Key, false, "in DER"},
		{"request", block("CERTIFICATE REQUEST", "x"), pair.Key, false, "this is a request"},
		{"something else", block("PUBLIC KEY", "x"), pair.Key, false, "there is a public key and no certificate"},
		{"broken", block("CERTIFICATE", "x"), pair.Key, false, "certificate 1 cannot be read"},
		{"second broken", append(pair.Cert, block("CERTIFICATE", "x")...), pair.Key, false, "certificate 2 cannot be read"},
		{"authority first", append(ca.Cert, pair.Cert...), pair.Key, false, "the first certificate is that of an authority"},
		{"symmetric for certificate", []byte("Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ\n"), pair.Key, false, "symmetric key; it is written as key_file"},
		{"symmetric for key", pair.Cert, []byte("Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ\n"), true, "symmetric key, but the private key"},
		{"no key", pair.Cert, nil, true, "no private key in PEM"},
		{"public key", pair.Cert, block("PUBLIC KEY", "x"), true, "there is a public key and no private key"},
		{"locked", pair.Cert, block("ENCRYPTED PRIVATE KEY", "x"), true, "locked with a password"},
		{"locked in the old way", pair.Cert, []byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\neA==\n-----END EC PRIVATE KEY-----\n"),
			true, "locked with a password"},
		{"broken key", pair.Cert, block("PRIVATE KEY", "CANARY"), true, "this key cannot be read"},
		{"other key", pair.Cert, other.Key, true, "does not belong to the certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := certificate.Parse(tt.cert, tt.key)
			e, ok := errors.AsType[*certificate.Error](err)
			if !ok || !c.IsZero() || e.InKey != tt.inKey || !strings.Contains(e.Error(), tt.words) {
				t.Errorf("%v (in the key: %v), want %q", err, ok && e.InKey, tt.words)
			}
			if strings.Contains(fmt.Sprint(err), "CANARY") || strings.Contains(fmt.Sprint(err), "Q0FO") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

func TestParse(t *testing.T) {
	end := time.Now().AddDate(1, 0, 0)
	ca := certtest.NewAuthority(t, "CA")
	pair := ca.Issue(t, "pump", end)
	for name, text := range map[string][2][]byte{
		"two files":     {pair.Cert, pair.Key},
		"one file":      {append(pair.Key, pair.Cert...), append(pair.Key, pair.Cert...)},
		"with its root": {append(pair.Cert, ca.Cert...), pair.Key},
		"with words":    {append([]byte("subject=CN = pump\n"), pair.Cert...), pair.Key},
	} {
		c, err := certificate.Parse(text[0], text[1])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.Name() != "pump" || c.SelfSigned() || len(c.Fingerprint()) != 64 || !c.Equal(pair.Parse(t)) {
			t.Errorf("%s: %q, %v, %s", name, c.Name(), c.SelfSigned(), c.Fingerprint())
		}
		if n := len(c.TLS().Certificate); name == "with its root" && n != 2 || name == "two files" && n != 1 {
			t.Errorf("%s: %d certificates are shown", name, n)
		}
	}
	other := ca.Issue(t, "pump", end).Parse(t)
	if other.Equal(pair.Parse(t)) || other.Equal(certificate.Certificate{}) {
		t.Error("different certificates are equal")
	}
	if c := certtest.SelfSigned(t, "x", end).Parse(t); !c.SelfSigned() {
		t.Error("self-signed is not seen")
	}
	if z := (certificate.Certificate{}); !z.IsZero() || z.Name() != "" || z.Fingerprint() != "" {
		t.Error("none is something")
	}
}

// TestOpenSSL reads what the commands of the README make.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed (Debian package openssl)")
	}
	for name, args := range map[string]string{
		"EC":      "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
		"RSA":     "-newkey rsa:2048",
		"Ed25519": "-newkey ed25519",
	} {
		line := "req -x509 " + args + " -nodes -days 365 -subj /CN=pump -keyout /dev/stdout -out /dev/stdout"
		out, err := exec.Command("openssl", strings.Fields(line)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if c, err := certificate.Parse(out, out); err != nil || c.Name() != "pump" {
			t.Errorf("%s: %v", name, err)
		}
	}
	out, err := exec.Command("sh", "-c", "openssl ecparam -name prime256v1 -genkey -out /dev/stdout | tee /dev/stderr | openssl req -x509 -new -key /dev/stdin -subj /CN=pump 2>&1").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if c, err := certificate.Parse(out, out); err != nil || c.Name() != "pump" {
		t.Errorf("EC PRIVATE KEY: %v", err)
	}
}

func TestNothingSecretComesOut(t *testing.T) {
	c := certtest.SelfSigned(t, "pump", time.Now().AddDate(1, 0, 0)).Parse(t)
	js, err := json.Marshal(map[string]any{"c": c})
	if err != nil || string(js) != `{"c":{}}` {
		t.Errorf("JSON %s, %v", js, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", c, c, c); len(text) > 400 || strings.Contains(text, "PrivateKey:") {
		t.Errorf("printed: %s", text)
	}
}

func FuzzParse(f *testing.F) {
	pair := certtest.SelfSigned(f, "pump", time.Now().AddDate(1, 0, 0))
	f.Add(pair.Cert, pair.Key)
	f.Add(pair.Key, pair.Cert)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"), []byte{})
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		c, err := certificate.Parse(cert, key)
		if err == nil && (c.IsZero() || c.Leaf() == nil || len(c.TLS().Certificate) == 0) {
			t.Error("neither certificate nor error")
		}
		if _, ok := errors.AsType[*certificate.Error](err); err != nil && !ok {
			t.Errorf("another kind of error: %v", err)
		}
	})
}
