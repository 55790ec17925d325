package hubsim

import (
	"encoding/json"
	"fmt"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// A Twin is a device twin as the cloud's side sees it (T02).
type Twin struct {
	Device    string
	Disabled  bool
	Connected bool
	Desired   TwinProperties
	Reported  TwinProperties
}

// TwinProperties are one half of a twin.
type TwinProperties struct {
	Version uint64 // 1 for a new device, then one more with every patch
	JSON    []byte // the object, without its version
}

// MarshalJSON writes the properties as the service does, with "$version".
func (p TwinProperties) MarshalJSON() ([]byte, error) {
	o, err := parseObject(p.JSON)
	return encodeObject(o, p.Version), err
}

// MarshalJSON writes a twin as the control API shows it, with the names of the
// service.
func (t Twin) MarshalJSON() ([]byte, error) {
	type properties struct {
		Desired  TwinProperties `json:"desired"`
		Reported TwinProperties `json:"reported"`
	}
	status, state := "enabled", "Disconnected"
	if t.Disabled {
		status = "disabled"
	}
	if t.Connected {
		state = "Connected"
	}
	return json.Marshal(struct {
		Device     string     `json:"deviceId"`
		Status     string     `json:"status"`
		State      string     `json:"connectionState"`
		Properties properties `json:"properties"`
	}{t.Device, status, state, properties{t.Desired, t.Reported}})
}

// twin is what the hub keeps of a twin. Sim.mu guards it.
type twin struct{ desired, reported half }

// half is an object and its version.
type half struct {
	doc     object
	version uint64
}

func newTwin() twin { return twin{half{object{}, 1}, half{object{}, 1}} }

// apply merges a patch, unless the whole becomes too large.
func (h *half) apply(patch object) error {
	doc := merge(h.doc, patch)
	if size := sizeOf(doc); size > maxTwin {
		return fmt.Errorf("%w: twin: %d bytes, more than %d", ErrInvalid, size, maxTwin)
	}
	h.doc = doc
	h.version++
	return nil
}

func (h half) properties() TwinProperties {
	return TwinProperties{h.version, encodeObject(h.doc, 0)}
}

// Twin returns the twin of a device.
func (s *Sim) Twin(deviceID string) (Twin, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[deviceID]
	if d == nil {
		return Twin{}, ErrUnknownDevice
	}
	return Twin{d.id, d.disabled, d.session != nil, d.twin.desired.properties(), d.twin.reported.properties()}, nil
}

// UpdateTwin merges a JSON patch into the desired properties of a device,
// tells the device if it is connected and has subscribed (H45), and returns
// the new version. It fails with ErrUnknownDevice or ErrInvalid.
func (s *Sim) UpdateTwin(deviceID string, patch []byte) (uint64, error) {
	p, err := parsePatch(patch)
	if err != nil {
		return 0, err
	}
	var version uint64
	err = s.change(func() error {
		d := s.devices[deviceID]
		if d == nil {
			return ErrUnknownDevice
		}
		if err := s.applyCharged(&d.twin.desired, p, d.hub, len(patch)); err != nil {
			return err
		}
		version = d.twin.desired.version
		s.tellDesired(d, p)
		return nil
	})
	return version, err
}

// tellDesired sends a change of the desired properties. It is not kept for a
// device that is away. The caller holds s.mu.
func (s *Sim) tellDesired(d *device, patch object) {
	if d.session == nil || !d.session.filters[filterDesired] {
		return
	}
	if _, ok := s.faults.take(DropDesired, d.id); ok {
		return
	}
	version := d.twin.desired.version
	body := encodeObject(patch, version)
	if !s.charge(d.hub, len(body)) {
		return
	}
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = fmt.Sprintf("%s?$version=%d", desiredPrefix, version), body
	d.session.send(p)
}

// applyCharged applies a patch that the hub affords, and counts it if it was
// good. The caller holds s.mu.
func (s *Sim) applyCharged(h *half, patch object, hub string, size int) error {
	if !s.affords(hub, size) {
		return ErrOverQuota
	}
	err := h.apply(patch)
	if err == nil {
		s.charge(hub, size)
	}
	return err
}
