package hubsim

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A proof is what a device shows to the provisioning service: a token, or else
// a chain of certificates that begins with its own.
type proof struct {
	token string
	chain []*x509.Certificate
}

func proofOf(r *http.Request) proof {
	p := proof{token: r.Header.Get("Authorization")}
	if r.TLS != nil {
		p.chain = r.TLS.PeerCertificates
	}
	return p
}

// admits finds the enrollment that admits a registration with this proof: the
// individual one, or else a group that knows the device (D05).
func (s *Sim) admits(id string, p proof) (*enrollment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.enrollments[fold(id)]; e != nil && !e.Group {
		return e, e.admit(id, p, s.opts.ScopeID, s.opts.Now())
	}
	err := error(ErrUnknownEnrollment)
	for _, e := range s.enrollments {
		if e.Group {
			if err = e.admit(id, p, s.opts.ScopeID, s.opts.Now()); err == nil {
				return e, nil
			}
		}
	}
	return nil, err
}

func (e *enrollment) admit(id string, p proof, scope string, now time.Time) error {
	switch {
	case len(e.Certificates) > 0 && p.token != "":
		return errors.New("a token where a certificate is enrolled")
	case len(e.Certificates) > 0:
		return e.admitCertificate(id, p.chain, now)
	case e.Group:
		return checkDPSToken(e.keys.derive(id), p.token, scope, id, now)
	}
	return checkDPSToken(e.keys, p.token, scope, id, now)
}

// checkDPSToken judges an Authorization header (D02).
func checkDPSToken(keys keyPair, password, scope, id string, now time.Time) error {
	c, _, err := keys.verify(password)
	switch {
	case err != nil:
		return err
	case c.KeyName != "registration":
		return fmt.Errorf("skn is %q, not registration", c.KeyName)
	case !strings.EqualFold(c.Resource, scope+"/registrations/"+id):
		return fmt.Errorf("token is for %q", c.Resource)
	case !now.Before(c.Expiry):
		return fmt.Errorf("token expired %v ago", now.Sub(c.Expiry).Round(time.Second))
	}
	return nil
}

// admitCertificate judges a chain (contract, section 8.2): the device's own
// certificate is enrolled, or a CA that has signed for it. Its common name is
// the registration id.
func (e *enrollment) admitCertificate(id string, chain []*x509.Certificate, now time.Time) error {
	if len(chain) == 0 {
		return errors.New("no certificate")
	}
	leaf := chain[0]
	if fold(leaf.Subject.CommonName) != fold(id) {
		return fmt.Errorf("a certificate for %.140q", leaf.Subject.CommonName)
	}
	if e.Group {
		return verifyChain(chain, e.Certificates, now)
	}
	for _, c := range e.Certificates {
		if c.Equal(leaf) {
			return inTime(leaf, now)
		}
	}
	return errors.New("another certificate than the one enrolled")
}

func inTime(c *x509.Certificate, now time.Time) error {
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return fmt.Errorf("a certificate for the time from %v to %v", c.NotBefore, c.NotAfter)
	}
	return nil
}

// checkCertificates refuses certificates that could never admit a device.
func (e Enrollment) checkCertificates() error {
	if len(e.Certificates) > 2 {
		return fmt.Errorf("%w: %d certificates", ErrInvalid, len(e.Certificates))
	}
	for _, c := range e.Certificates {
		switch {
		case e.Group && !c.IsCA:
			return fmt.Errorf("%w: %s is no CA", ErrInvalid, c.Subject)
		case !e.Group && fold(c.Subject.CommonName) != fold(e.ID):
			return fmt.Errorf("%w: the common name %.140q is not the registration id %s", ErrInvalid, c.Subject.CommonName, e.ID)
		}
	}
	return nil
}
