// Package certtest makes certificates of devices for tests.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tasmota-azd/internal/certificate"
)

// A Pair is a certificate and its private key in PEM.
type Pair struct{ Cert, Key []byte }

// An Authority vouches for certificates.
type Authority struct {
	Pair
	Leaf *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes the root of an authority, for ten years around now.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	template := fill(name, time.Now().AddDate(5, 0, 0))
	template.IsCA, template.BasicConstraintsValid, template.ExtKeyUsage = true, true, nil
	template.KeyUsage = x509.KeyUsageCertSign
	a := &Authority{key: newKey(t)}
	a.Pair, a.Leaf = sign(t, template, template, a.key, a.key)
	return a
}

// Issue makes the certificate of a device that counts until end.
func (a *Authority) Issue(t testing.TB, name string, end time.Time) Pair {
	t.Helper()
	p, _ := sign(t, fill(name, end), a.Leaf, newKey(t), a.key)
	return p
}

// IssueServer makes the certificate of a server at localhost, for a day.
func (a *Authority) IssueServer(t testing.TB) Pair {
	t.Helper()
	template := fill("localhost", time.Now().AddDate(0, 0, 1))
	template.DNSNames, template.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	p, _ := sign(t, template, a.Leaf, newKey(t), a.key)
	return p
}

// Pool returns the roots of whoever trusts a.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Leaf)
	return pool
}

// SelfSigned makes a certificate for which nobody vouches, and which counts
// until end.
func SelfSigned(t testing.TB, name string, end time.Time) Pair {
	t.Helper()
	key, template := newKey(t), fill(name, end)
	p, _ := sign(t, template, template, key, key)
	return p
}

// Parse returns the pair as the daemon reads it.
func (p Pair) Parse(t testing.TB) certificate.Certificate {
	t.Helper()
	c, err := certificate.Parse(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Write puts the pair into dir as NAME.pem and NAME.key.pem, and returns their
// paths.
func (p Pair) Write(t testing.TB, dir, name string) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key.pem")
	for file, text := range map[string][]byte{cert: p.Cert, key: p.Key} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func fill(name string, end time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: end.AddDate(-10, 0, 0), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (Pair, *x509.Certificate) {
	t.Helper()
	template.SerialNumber = new(big.Int).SetBytes([]byte(rand.Text()))
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}, leaf
}
