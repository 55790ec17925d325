package hubsim

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// A FaultKind names something that goes wrong on purpose.
type FaultKind string

// The faults there are. Those that concern one device respect Fault.Device.
const (
	// RefuseConnect answers a CONNECT with Fault.Code (1 to 5), or with code 0
	// closes the connection without a word (H12).
	RefuseConnect FaultKind = "refuse-connect"
	// DelayConnack holds the CONNACK, and all that follows it, for Fault.Delay.
	DelayConnack FaultKind = "delay-connack"
	// IgnoreConnect takes a CONNECT and never answers (T03, half-open).
	IgnoreConnect FaultKind = "ignore-connect"
	// HalfOpen accepts a connection and never answers, not even TLS (T03).
	HalfOpen FaultKind = "half-open"
	// RefuseTCP resets a connection that was just accepted, before TLS: with
	// Fault.Transport, a port that a firewall closes (T03).
	RefuseTCP FaultKind = "refuse-tcp"
	// DropPuback stores a QoS 1 publish and sends no PUBACK (H26).
	DropPuback FaultKind = "drop-puback"
	// DelayPuback holds the PUBACK, and those after it, for Fault.Delay (H26).
	DelayPuback FaultKind = "delay-puback"
	// SubackFailure answers a SUBSCRIBE to an unlisted topic with 0x80 before
	// the connection is closed (H22).
	SubackFailure FaultKind = "suback-failure"
	// RefuseTwin answers a twin read or report with the status Fault.Code, such
	// as 429 or 500, and does nothing else (H46).
	RefuseTwin FaultKind = "refuse-twin"
	// DropTwinAnswer does what a twin read or report asks for and loses the answer (H46).
	DropTwinAnswer FaultKind = "drop-twin-answer"
	// DropDesired loses the notification of a change of desired properties, which travels with QoS 0.
	DropDesired FaultKind = "drop-desired"
	// Delay holds every packet to the device for Fault.Delay (T03).
	Delay FaultKind = "delay"
	// CutC2D resets the connection in the middle of a C2D PUBLISH (T03).
	CutC2D FaultKind = "cut-c2d"
	// CutD2C resets the connection in the middle of the device's PUBLISH; nothing is stored (T03).
	CutD2C FaultKind = "cut-d2c"
	// UnknownRoot shows a certificate of another CA (T03).
	UnknownRoot FaultKind = "tls-unknown-root"
	// WrongName shows a certificate for another name (T03).
	WrongName FaultKind = "tls-wrong-name"
	// RefuseRequest answers a request of a device over HTTPS with the error code
	// Fault.Code, such as 403010 (contract, section 12.4).
	RefuseRequest FaultKind = "refuse-request"
	// RefuseRegister answers a DPS registration with the HTTP status Fault.Code
	// and, if Fault.Delay is set, that as Retry-After (D07, D08).
	RefuseRegister FaultKind = "dps-refuse-register"
	// RefusePoll is the same for the polls of an operation (D08).
	RefusePoll FaultKind = "dps-refuse-poll"
	// FailRegister ends a DPS registration as failed with the error code Fault.Code, such as 400207 (D06).
	FailRegister FaultKind = "dps-fail"
)

// FaultKinds lists all faults.
var FaultKinds = []FaultKind{
	RefuseConnect, DelayConnack, IgnoreConnect, HalfOpen, RefuseTCP, DropPuback, DelayPuback, SubackFailure,
	RefuseTwin, DropTwinAnswer, DropDesired, RefuseRequest, Delay,
	CutC2D, CutD2C, UnknownRoot, WrongName, RefuseRegister, RefusePoll, FailRegister,
}

// Always as Fault.Count lets a fault happen until it is cleared.
const Always = -1

// A Fault is something that goes wrong Count times. The zero Count is 1.
type Fault struct {
	Kind      FaultKind
	Device    string // the device, or for DPS the registration id; empty: any
	Count     int
	Code      int
	Delay     time.Duration
	Transport Transport // where HalfOpen and RefuseTCP happen; empty: anywhere
}

type faultTable struct {
	mu     sync.Mutex
	faults []Fault
}

// Inject adds a fault. Faults of one kind happen in the order in which they
// were added.
func (s *Sim) Inject(f Fault) error {
	if f.Count == 0 {
		f.Count = 1
	}
	if err := f.check(); err != nil {
		return err
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.faults = append(s.faults.faults, f)
	return nil
}

// Faults lists what is still to go wrong, with the counts that are left.
func (s *Sim) Faults() []Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return slices.Clone(s.faults.faults)
}

// ClearFaults removes the faults of one kind, or all if kind is empty.
func (s *Sim) ClearFaults(kind FaultKind) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.faults = slices.DeleteFunc(s.faults.faults, func(f Fault) bool { return kind == "" || f.Kind == kind })
}

func (f Fault) check() error {
	known := slices.Contains(FaultKinds, f.Kind)
	codes := true
	switch f.Kind {
	case RefuseConnect:
		codes = f.Code >= 0 && f.Code <= 5
	case RefuseRegister, RefusePoll, RefuseTwin:
		codes = f.Code >= 400 && f.Code <= 599
	case FailRegister, RefuseRequest:
		codes = f.Code >= 400000 && f.Code <= 599999
	}
	late := f.Kind != Delay && f.Kind != DelayConnack && f.Kind != DelayPuback || f.Delay > 0
	early := f.Kind == HalfOpen || f.Kind == RefuseTCP
	where := f.Transport == "" || early && (f.Transport == MQTT || f.Transport == WebSocket)
	if !known || !codes || !late || !where || f.Count < Always || f.Delay < 0 {
		return fmt.Errorf("%w: fault %+v", ErrInvalid, f)
	}
	return nil
}

// take reports whether a fault of this kind is due for a device, and counts
// it.
func (t *faultTable) take(kind FaultKind, device string) (Fault, bool) {
	return t.takeIf(func(f Fault) bool { return f.Kind == kind && (f.Device == "" || f.Device == device) })
}

// takeAt is take for a connection of which no more is known than the transport.
func (t *faultTable) takeAt(kind FaultKind, at Transport) (Fault, bool) {
	return t.takeIf(func(f Fault) bool {
		return f.Kind == kind && f.Device == "" && (f.Transport == "" || f.Transport == at)
	})
}

func (t *faultTable) takeIf(due func(Fault) bool) (Fault, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, f := range t.faults {
		if !due(f) {
			continue
		}
		if f.Count > 0 {
			t.faults[i].Count--
			if t.faults[i].Count == 0 {
				t.faults = slices.Delete(t.faults, i, i+1)
			}
		}
		return f, true
	}
	return Fault{}, false
}
