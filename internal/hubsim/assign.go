package hubsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"tasmota-azd/internal/token"
)

// admits finds the enrollment that admits a registration with this token: the
// individual one, or else a group whose derived key fits (D05).
func (s *Sim) admits(id, password string) (*enrollment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.enrollments[fold(id)]; e != nil && !e.Group {
		return e, checkDPSToken(e.Key, password, s.opts.ScopeID, id, s.opts.Now())
	}
	err := error(ErrUnknownEnrollment)
	for _, e := range s.enrollments {
		if e.Group {
			if err = checkDPSToken(e.Key.Derive(id), password, s.opts.ScopeID, id, s.opts.Now()); err == nil {
				return e, nil
			}
		}
	}
	return nil, err
}

// checkDPSToken judges an Authorization header (D02).
func checkDPSToken(k token.Key, password, scope, id string, now time.Time) error {
	c, err := token.Verify(k, password)
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

// The substatus of an assignment (contract, section 7.4).
const (
	subInitial  = "initialAssignment"
	subMigrated = "deviceDataMigrated"
	subReset    = "deviceDataReset"
)

// assign decides where a device belongs, and sees to it that the hub has an
// identity with the same key (D05, D09).
func (s *Sim) assign(id string, e *enrollment) (Registration, error) {
	var done Registration
	err := s.change(func() error {
		now := s.opts.Now().UTC()
		r := s.registrations[fold(id)]
		next := s.reassigned[fold(id)]
		delete(s.reassigned, fold(id))
		if r == nil {
			r = &Registration{Hub: e.Hub, DeviceID: id, Substatus: subInitial, Created: now}
			s.registrations[fold(id)] = r
		} else if next.Reset {
			r.Substatus = subReset
			s.remove(r.DeviceID, errDeleted)
		} else if next.Hub != "" && next.Hub != r.Hub {
			r.Substatus = subMigrated
		}
		var moved *device
		old := *r
		setTo(&r.Hub, next.Hub)
		setTo(&r.DeviceID, next.DeviceID)
		if r.Hub != old.Hub || r.DeviceID != old.DeviceID {
			moved = s.remove(old.DeviceID, errMoved)
		}
		r.ID, r.Updated = id, now
		r.Times++
		d := s.identity(*r, e)
		if moved != nil {
			d.twin = moved.twin
		}
		done = *r
		return nil
	})
	return done, err
}

func setTo(v *string, to string) {
	if to != "" {
		*v = to
	}
}

// remove forgets a device and returns what was known of it, or nil.
func (s *Sim) remove(deviceID string, why error) *device {
	d := s.devices[deviceID]
	if d != nil {
		s.endOf(d, why)
		delete(s.devices, deviceID)
	}
	return d
}

// identity makes the device known at its hub, or gives it the key it
// registered with. The caller holds s.mu.
func (s *Sim) identity(r Registration, e *enrollment) *device {
	key, text := e.deviceKey(r.ID)
	d := s.devices[r.DeviceID]
	if d == nil {
		d = newDevice(r.DeviceID)
		s.devices[r.DeviceID] = d
	}
	if d.hub != r.Hub {
		s.endOf(d, errMoved)
	}
	d.hub, d.key, d.keyText = r.Hub, key, text
	return d
}

// deviceKey is the key of one device, and its text if that of the enrollment
// is known.
func (e *enrollment) deviceKey(id string) (token.Key, string) {
	if !e.Group {
		return e.Key, e.keyText
	}
	return e.Key.Derive(id), deriveText(e.keyText, id)
}

// deriveText derives like token.Key.Derive, but on text: a Key never gives
// away its bytes, and the owner of a test device may ask for its key.
func deriveText(group, id string) string {
	raw, err := base64.StdEncoding.DecodeString(group)
	if group == "" || err != nil {
		return ""
	}
	h := hmac.New(sha256.New, raw)
	h.Write([]byte(id))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
