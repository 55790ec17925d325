package hubsim

import (
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
// provisioning service.
type Enrollment struct {
	ID       string    // the registration id, in any letter case, or the name of the group
	Group    bool      // Key is a group key, from which each device's key is derived
	Key      token.Key //
	Hub      string    // where its devices go, default the first of Options.Hosts
	Disabled bool
}

// EnrollmentState is what can be seen of an enrollment.
type EnrollmentState struct {
	ID       string `json:"id"`
	Group    bool   `json:"group"`
	Hub      string `json:"hub"`
	Disabled bool   `json:"disabled"`
}

// enrollment is an Enrollment and its key in base64, if it was given so. The
// key of a device is shown to its owner, and it comes from here.
type enrollment struct {
	Enrollment
	keyText string
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
}

// A Reassignment takes effect when the device registers the next time (D09).
type Reassignment struct {
	Hub      string `json:"hub,omitempty"`      // another hub: the identity is moved there
	DeviceID string `json:"deviceId,omitempty"` // another device id, such as the registration id in capitals
	Reset    bool   `json:"reset,omitempty"`    // the identity is made anew
}

// AddEnrollment creates an enrollment.
func (s *Sim) AddEnrollment(e Enrollment) error { return s.addEnrollment(enrollment{Enrollment: e}) }

// CreateEnrollment creates an enrollment whose key is given in base64, so that
// its devices' keys can be shown to their owner and kept over a restart.
func (s *Sim) CreateEnrollment(e Enrollment, key string) error {
	k, err := token.ParseKey(key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	e.Key = k
	return s.addEnrollment(enrollment{e, strings.TrimSpace(key)})
}

func (s *Sim) addEnrollment(e enrollment) error {
	if !registrationID(e.ID) {
		return fmt.Errorf("%w: enrollment %.140q: 1 to 128 letters, digits or any of - . _ :, a letter, digit or - at the end", ErrInvalid, e.ID)
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
		all = append(all, EnrollmentState{e.ID, e.Group, e.Hub, e.Disabled})
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
	r.Hub = strings.ToLower(r.Hub)
	if !registrationID(registration) || r.Hub != "" && !s.hasHost(r.Hub) {
		return fmt.Errorf("%w: registration %.140q to hub %q", ErrInvalid, registration, r.Hub)
	}
	if r.DeviceID != "" {
		if err := checkDeviceID(r.DeviceID); err != nil {
			return err
		}
	}
	return s.change(func() error {
		s.reassigned[fold(registration)] = r
		return nil
	})
}

// EnrollmentKey returns the key of an enrollment, if it was given as text.
func (s *Sim) EnrollmentKey(id string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.enrollments[fold(id)]
	if e == nil {
		return "", ErrUnknownEnrollment
	}
	if e.keyText == "" {
		return "", fmt.Errorf("%w: the key of %s was not given as text", ErrInvalid, id)
	}
	return e.keyText, nil
}
