package hubsim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A CA signs the certificates of the stand-in. The contract's DigiCert roots
// (section 8.4) belong to the real service.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes a CA that is valid for ten years, beginning a day before now.
func NewCA(now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "hubsim test root"},
		NotBefore:             now.Add(-24 * time.Hour),
		NotAfter:              now.AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &CA{cert, key}, err
}

// The files of a CA in its directory.
const (
	caFile    = "ca.pem"
	caKeyFile = "ca-key.pem"
)

// LoadCA reads the CA kept in dir, or makes one there.
func LoadCA(dir string, now time.Time) (*CA, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, caFile), filepath.Join(dir, caKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return makeCA(dir, now)
	}
	if err != nil {
		return nil, fmt.Errorf("the CA in %s: %w", dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the CA in %s: its key is not an ECDSA key", dir)
	}
	if c := pair.Leaf; now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return nil, fmt.Errorf("the CA in %s is valid from %s to %s only: delete %s to have a new one made",
			dir, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly), caFile)
	}
	return &CA{pair.Leaf, key}, nil
}

func makeCA(dir string, now time.Time) (*CA, error) {
	ca, err := NewCA(now)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return nil, err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := writeFile(filepath.Join(dir, caKeyFile), key, 0o600); err != nil {
		return nil, err
	}
	return ca, writeFile(filepath.Join(dir, caFile), ca.PEM(), 0o644)
}

// PEM returns the certificate that devices must trust.
func (c *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// Pool returns the roots a device needs to trust the stand-in.
func (c *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.cert)
	return p
}

// Certificate makes a server certificate for names, which may be IP addresses.
// It is valid for a year, beginning an hour before now.
func (c *CA) Certificate(now time.Time, names ...string) (tls.Certificate, error) {
	t := leaf(now, names[0], x509.ExtKeyUsageServerAuth)
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	return c.sign(t)
}

// DeviceCertificate makes a certificate with which a device proves that it is
// id. It is valid for a year, beginning an hour before now.
func (c *CA) DeviceCertificate(now time.Time, id string) (tls.Certificate, error) {
	return c.sign(leaf(now, id, x509.ExtKeyUsageClientAuth))
}

func (c *CA) sign(t *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, c.cert, &key.PublicKey, c.key)
	return tls.Certificate{Certificate: [][]byte{der, c.cert.Raw}, PrivateKey: key}, err
}

// SelfSigned makes a certificate for a device that is known by its thumbprint.
// It is valid for a year, beginning an hour before now.
func SelfSigned(now time.Time, id string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := leaf(now, id, x509.ExtKeyUsageClientAuth)
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// leaf is a certificate that signs no others.
func leaf(now time.Time, name string, usage x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
	}
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand does not fail
	return n
}

// writeFile replaces a file in one step, so that it is never half written.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	if err := errors.Join(f.Chmod(mode), write(f, data), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func write(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return err
}
