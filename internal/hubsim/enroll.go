package hubsim

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tasmota-azd/internal/token"
)

// Errors of enrollments.
var (
	ErrUnknownEnrollment = errors.New("404201: no such enrollment")
	ErrEnrollmentExists  = errors.New("409201: the enrollment exists already")
)

// An Enrollment lets one device, or a group of devices, register with the
// provisioning service, by keys or by certificates.
type Enrollment struct {
	ID           string    // the registration id, in any letter case, or the name of the group
	Group        bool      // the keys are group keys, from which each device's are derived; the certificates are CAs
	Key          token.Key // primary
	SecondaryKey token.Key
	Certificates []*x509.Certificate // at most two, primary and secondary; there are no keys then
	Hub          string              // where its devices go, default the first of Options.Hosts
	Disabled     bool
}

// EnrollmentState is what can be seen of an enrollment.
type EnrollmentState struct {
	ID          string `json:"id"`
	Group       bool   `json:"group"`
	Hub         string `json:"hub"`
	Disabled    bool   `json:"disabled"`
	Attestation string `json:"attestation"` // "symmetricKey" or "x509"
}

// The kinds of attestation, named as by Azure.
const (
	attestKey  = "symmetricKey"
	attestX509 = "x509"
)

// enrollment is an Enrollment with what is known of its keys.
type enrollment struct {
	Enrollment
	keys keyPair
}

// A Registration is what the provisioning service has decided for one device.
type Registration struct {
	ID        string    `json:"registrationId"` // as the device wrote it last
	Hub       string    `json:"assignedHub"`
	DeviceID  string    `json:"deviceId"`
	Substatus string    `json:"substatus"`
	Created   time.Time `json:"createdDateTimeUtc"`
	Updated   time.Time `json:"lastUpdatedDateTimeUtc"`
	Times     int       `json:"times"` // how often it was assigned

	ModelID  string          `json:"modelId,omitempty"`  // announced in the payload
	Payload  json.RawMessage `json:"payload,omitempty"`  // what the device sent
	Returned json.RawMessage `json:"returned,omitempty"` // what it is told, by Reassign or Options.Allocate
}

// A Reassignment takes effect when the device registers the next time (D09).
type Reassignment struct {
	Hub      string `json:"hub,omitempty"`      // another hub: the identity is moved there
	DeviceID string `json:"deviceId,omitempty"` // another device id, such as the registration id in capitals
	Reset    bool   `json:"reset,omitempty"`    // the identity is made anew

	Payload json.RawMessage `json:"payload,omitempty"` // an object that the device is told (D12)
}

// AddEnrollment creates an enrollment.
func (s *Sim) AddEnrollment(e Enrollment) error {
	return s.addEnrollment(enrollment{e, keyPair{{key: e.Key}, {key: e.SecondaryKey}}})
}

// CreateEnrollment creates an enrollment whose primary and secondary keys are
// given in base64, so that its devices' keys can be shown to their owner and
// kept over a restart. A key that is missing is made.
func (s *Sim) CreateEnrollment(e Enrollment, keys ...string) error {
	pair, err := parseKeys(keys)
	if err != nil {
		return err
	}
	return s.addEnrollment(enrollment{e, pair})
}

// createEnrollment creates an enrollment from the texts in the state file, or
// in the control API.
func (s *Sim) createEnrollment(in savedEnrollment) error {
	e := Enrollment{ID: in.ID, Group: in.Group, Hub: in.Hub, Disabled: in.Disabled}
	for _, text := range in.Certificates {
		c, err := ParseCertificate([]byte(text))
		if err != nil {
			return err
		}
		e.Certificates = append(e.Certificates, c)
	}
	if in.Attestation != "" && in.Attestation != e.attestation() || len(e.Certificates) > 0 && in.Key+in.SecondaryKey != "" {
		return fmt.Errorf("%w: attestation by %s, with other proofs", ErrInvalid, e.attestation())
	}
	if len(e.Certificates) > 0 {
		return s.AddEnrollment(e)
	}
	return s.CreateEnrollment(e, in.Key, in.SecondaryKey)
}

func (e Enrollment) attestation() string {
	if len(e.Certificates) > 0 {
		return attestX509
	}
	return attestKey
}

// kept reports whether a state file can hold the enrollment.
func (e *enrollment) kept() bool { return len(e.Certificates) > 0 || e.keys[0].text != "" }

func (e *enrollment) state() EnrollmentState {
	return EnrollmentState{e.ID, e.Group, e.Hub, e.Disabled, e.attestation()}
}

func (e *enrollment) saved() savedEnrollment {
	out := savedEnrollment{e.state(), e.keys[0].text, e.keys[1].text, nil}
	for _, c := range e.Certificates {
		out.Certificates = append(out.Certificates, certificatePEM(c))
	}
	return out
}

func (s *Sim) addEnrollment(e enrollment) error {
	if !registrationID(e.ID) {
		return fmt.Errorf("%w: enrollment %.140q: 1 to 128 letters, digits or any of - . _ :, a letter, digit or - at the end", ErrInvalid, e.ID)
	}
	if err := e.checkCertificates(); err != nil {
		return err
	}
	if len(e.Certificates) > 0 {
		e.keys = keyPair{}
	}
	e.Hub = strings.ToLower(e.Hub)
	if e.Hub == "" {
		e.Hub = s.opts.Hosts[0]
	}
	if !s.hasHost(e.Hub) {
		return fmt.Errorf("%w: no hub is called %q", ErrInvalid, e.Hub)
	}
	return s.change(func() error {
		if s.enrollments[fold(e.ID)] != nil {
			return ErrEnrollmentExists
		}
		s.enrollments[fold(e.ID)] = &e
		return nil
	})
}

// fold makes ids of the provisioning service comparable: it does not tell
// letter cases apart (contract, section 7.1).
func fold(id string) string { return strings.ToLower(id) }

func registrationID(id string) bool {
	if len(id) < 1 || len(id) > 128 || !alphanumeric(id[len(id)-1]) && id[len(id)-1] != '-' {
		return false
	}
	for _, c := range []byte(id) {
		if !alphanumeric(c) && strings.IndexByte("-._:", c) < 0 {
			return false
		}
	}
	return true
}

// EnableEnrollment lets an enrollment admit devices, or no longer (D07).
func (s *Sim) EnableEnrollment(id string, on bool) error {
	return s.editEnrollment(id, func(e *enrollment) { e.Disabled = !on })
}

// DeleteEnrollment forgets an enrollment. Devices it has admitted remain.
func (s *Sim) DeleteEnrollment(id string) error {
	return s.editEnrollment(id, func(*enrollment) { delete(s.enrollments, fold(id)) })
}

func (s *Sim) editEnrollment(id string, f func(*enrollment)) error {
	return s.change(func() error {
		e := s.enrollments[fold(id)]
		if e == nil {
			return ErrUnknownEnrollment
		}
		f(e)
		return nil
	})
}

// Enrollments lists the enrollments by id.
func (s *Sim) Enrollments() []EnrollmentState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []EnrollmentState
	for _, e := range s.enrollments {
		all = append(all, e.state())
	}
	slices.SortFunc(all, func(a, b EnrollmentState) int { return strings.Compare(fold(a.ID), fold(b.ID)) })
	return all
}

// Registrations lists what was assigned, by registration id.
func (s *Sim) Registrations() []Registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Registration
	for _, r := range s.registrations {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Registration) int { return strings.Compare(fold(a.ID), fold(b.ID)) })
	return all
}

// Reassign changes what a device is told when it registers the next time.
func (s *Sim) Reassign(registration string, r Reassignment) error {
	if !registrationID(registration) {
		return fmt.Errorf("%w: registration %.140q", ErrInvalid, registration)
	}
	r, err := s.checkReassignment(r)
	if err != nil {
		return err
	}
	return s.change(func() error {
		s.reassigned[fold(registration)] = r
		return nil
	})
}

// EnrollmentKeys returns both keys of an enrollment, if they were given as
// text.
func (s *Sim) EnrollmentKeys(id string) (primary, secondary string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.enrollments[fold(id)]
	if e == nil {
		return "", "", ErrUnknownEnrollment
	}
	return e.keys.texts(id)
}
