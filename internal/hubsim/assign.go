package hubsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// The substatus of an assignment (contract, section 7.4).
const (
	subInitial  = "initialAssignment"
	subMigrated = "deviceDataMigrated"
	subReset    = "deviceDataReset"
)

// assign decides where a device belongs, and sees to it that the hub has an
// identity with the same key (D05, D09). What the custom allocation says stands
// over what was planned by Reassign.
func (s *Sim) assign(op *operation, allocated Reassignment) (Registration, error) {
	id, e := op.registration, op.enrollment
	var done Registration
	err := s.change(func() error {
		now := s.opts.Now().UTC()
		r := s.registrations[fold(id)]
		next := allocated.over(s.reassigned[fold(id)])
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
		r.Payload, r.ModelID = op.payload, modelID(op.payload)
		if next.Payload != nil {
			r.Returned = next.Payload
		}
		r.Times++
		d := s.identity(*r, op)
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

// identity makes the device known at its hub, or gives it the credentials it
// registered with: its keys, or the thumbprint of its certificate. The caller
// holds s.mu.
func (s *Sim) identity(r Registration, op *operation) *device {
	d := s.devices[r.DeviceID]
	if d == nil {
		d = newDevice(r.DeviceID)
		s.devices[r.DeviceID] = d
	}
	if d.hub != r.Hub {
		s.endOf(d, errMoved)
	}
	d.hub = r.Hub
	switch e := op.enrollment; {
	case op.thumbprint != "":
		d.auth = credentials{method: Thumbprint, prints: []string{op.thumbprint}}
	case e.Group:
		d.auth = credentials{method: SharedKey, keys: e.keys.derive(r.ID)}
	default:
		d.auth = credentials{method: SharedKey, keys: e.keys}
	}
	return d
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
