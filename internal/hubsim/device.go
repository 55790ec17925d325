package hubsim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tasmota-azd/internal/token"
)

// Errors of the cloud's side; the number is the service's error code
// (contract, section 12.4).
var (
	ErrUnknownDevice = errors.New("404001: no such device")
	ErrQueueFull     = errors.New("403004: the device's queue is full")
	ErrTooLarge      = errors.New("413001: message too large")
	ErrDeviceExists  = errors.New("409001: the device exists already")
	ErrInvalid       = errors.New("400: invalid argument")
)

// A Device is an identity in the registry of a hub. One id exists at one hub
// only, unlike in Azure, so that every call can name a device by its id.
type Device struct {
	ID           string
	Auth         AuthMethod // default SharedKey
	Key          token.Key  // its primary key
	SecondaryKey token.Key
	Thumbprints  []string // with Thumbprint: SHA-1 or SHA-256 in hex, primary and secondary
	Hub          string   // default: the first of Options.Hosts
	Disabled     bool
}

// DeviceState is what can be seen of a device.
type DeviceState struct {
	ID         string     `json:"deviceId"`
	Hub        string     `json:"hub"`
	Disabled   bool       `json:"disabled"`
	Connected  bool       `json:"connected"`
	Subscribed bool       `json:"subscribed"` // to C2D messages, kept or now
	Queued     int        `json:"queued"`     // C2D messages not completed
	Auth       AuthMethod `json:"authMethod"`
}

// device is an identity with what the hub keeps for it. Sim.mu guards it.
type device struct {
	id, hub    string
	auth       credentials
	disabled   bool
	generation string

	sub     subscription
	queue   []*message
	lastSeq uint64

	twin twin

	session *session // nil: not connected
}

// subscription is the one to C2D messages. What was sent up to message After
// is not for it (contract, section 1.6).
type subscription struct {
	On    bool
	Ever  bool // there was one before
	QoS   byte
	After uint64
}

// newDevice makes an identity. Its generation id tells it from an earlier one
// with the same device id.
func newDevice(id string) *device {
	return &device{id: id, generation: strconv.FormatInt(time.Now().UnixNano(), 10), twin: newTwin()}
}

// AddDevice creates a device.
func (s *Sim) AddDevice(d Device) error {
	return s.addDevice(d, keyPair{{key: d.Key}, {key: d.SecondaryKey}})
}

// CreateDevice creates a device whose primary and secondary keys are given in
// base64, so that they can be shown again to its owner and kept over a restart.
// A key that is missing is made.
func (s *Sim) CreateDevice(id, hub string, keys ...string) error {
	pair, err := parseKeys(keys)
	if err != nil {
		return err
	}
	return s.addDevice(Device{ID: id, Hub: hub}, pair)
}

// createDevice creates a device from the texts in the state file, or in the
// control API.
func (s *Sim) createDevice(in savedDevice) error {
	keys, err := parseKeys([]string{in.Key, in.SecondaryKey})
	if in.Auth != "" && in.Auth != SharedKey {
		if in.Key+in.SecondaryKey != "" {
			return fmt.Errorf("%w: a key with %s", ErrInvalid, in.Auth)
		}
		keys = keyPair{}
	}
	if err != nil {
		return err
	}
	return s.addDevice(Device{ID: in.ID, Auth: in.Auth, Thumbprints: in.Thumbprints, Hub: in.Hub}, keys)
}

func (s *Sim) addDevice(d Device, keys keyPair) error {
	if err := checkDeviceID(d.ID); err != nil {
		return err
	}
	auth := credentials{d.Auth, keys, slices.Clone(d.Thumbprints)}
	if err := auth.check(); err != nil {
		return err
	}
	d.Hub = strings.ToLower(d.Hub)
	if d.Hub == "" {
		d.Hub = s.opts.Hosts[0]
	}
	if !s.hasHost(d.Hub) {
		return fmt.Errorf("%w: no hub is called %q", ErrInvalid, d.Hub)
	}
	return s.change(func() error {
		if s.devices[d.ID] != nil {
			return ErrDeviceExists
		}
		n := newDevice(d.ID)
		n.hub, n.auth, n.disabled = d.Hub, auth, d.Disabled
		s.devices[d.ID] = n
		return nil
	})
}

// checkDeviceID applies the contract, section 1.2. "+" and "#" are wildcards
// of MQTT, and a device called so could not be used.
func checkDeviceID(id string) error {
	ok := len(id) >= 1 && len(id) <= 128
	for _, c := range []byte(id) {
		ok = ok && (alphanumeric(c) || strings.IndexByte("-.%_*?!(),:=@$'", c) >= 0)
	}
	if !ok {
		return fmt.Errorf("%w: device id %.140q: 1 to 128 letters, digits or any of - . %% _ * ? ! ( ) , : = @ $ '", ErrInvalid, id)
	}
	return nil
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// Disable refuses a device from now on and ends its connection (H13). What is
// queued for it stays.
func (s *Sim) Disable(id string) error {
	return s.edit(id, func(d *device) {
		d.disabled = true
		s.endOf(d, errDisabled)
	})
}

// Enable admits a device again.
func (s *Sim) Enable(id string) error {
	return s.edit(id, func(d *device) { d.disabled = false })
}

// DeleteDevice forgets a device and what is queued for it.
func (s *Sim) DeleteDevice(id string) error {
	return s.edit(id, func(d *device) {
		s.endOf(d, errDeleted)
		delete(s.devices, id)
	})
}

// Kick closes the connection of a device.
func (s *Sim) Kick(id string) error {
	return s.edit(id, func(d *device) { s.endOf(d, errKicked) })
}

// Reset ends the connection of a device with a TCP reset.
func (s *Sim) Reset(id string) error {
	return s.edit(id, func(d *device) {
		if d.session != nil {
			d.session.link.reset()
			s.end(d.session, errCut)
		}
	})
}

// Freeze makes the connection of a device half-open, like a cable pulled
// behind a router: what either side sends is lost, and no side sees an end.
// The hub gives up after its keep-alive time (T03).
func (s *Sim) Freeze(id string) error {
	return s.freeze(id, (*link).freeze)
}

// Deafen loses what a device sends on its connection, and nothing else: the
// hub gives up after its keep-alive time, and the device sees that end (T03).
func (s *Sim) Deafen(id string) error {
	return s.freeze(id, func(l *link) { l.deaf.Store(true) })
}

// Mute loses what the hub sends on a device's connection, its end included. The
// hub hears the device, and sees nothing wrong (T03).
func (s *Sim) Mute(id string) error {
	return s.freeze(id, func(l *link) { l.mute.Store(true) })
}

func (s *Sim) freeze(id string, f func(*link)) error {
	return s.edit(id, func(d *device) {
		if d.session != nil {
			f(d.session.link)
		}
	})
}

// Devices lists the devices by id.
func (s *Sim) Devices() []DeviceState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []DeviceState
	for _, d := range s.devices {
		s.expire(d, time.Now())
		all = append(all, DeviceState{d.id, d.hub, d.disabled, d.session != nil, d.sub.On, len(d.queue), d.auth.method})
	}
	slices.SortFunc(all, func(a, b DeviceState) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// ConnectionString returns what the portal shows as a device's primary
// connection string, if its key was given as text.
func (s *Sim) ConnectionString(id string) (string, error) {
	primary, _, err := s.ConnectionStrings(id)
	return primary, err
}

// ConnectionStrings returns the primary and the secondary connection string. A
// device with a certificate has one, without a secret.
func (s *Sim) ConnectionStrings(id string) (primary, secondary string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[id]
	if d == nil {
		return "", "", ErrUnknownDevice
	}
	start := "HostName=" + d.hub + ";DeviceId=" + d.id
	if d.auth.method != SharedKey {
		return start + ";x509=true", "", nil
	}
	first, second, err := d.auth.keys.texts(id)
	if err != nil {
		return "", "", err
	}
	if second != "" {
		second = start + ";SharedAccessKey=" + second
	}
	return start + ";SharedAccessKey=" + first, second, nil
}

// edit changes one device.
func (s *Sim) edit(id string, f func(*device)) error {
	return s.change(func() error {
		d := s.devices[id]
		if d == nil {
			return ErrUnknownDevice
		}
		f(d)
		return nil
	})
}

// change runs f with the lock held, tells whoever waits, and then keeps what
// has become of it.
func (s *Sim) change(f func() error) error {
	s.mu.Lock()
	err := f()
	s.notify()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.persist()
}
