package commands

var powerOnFamily = map[string]handler{
	"POWERONSTATE": (*Interpreter).powerOnState,
}

// What PowerOnState can be (language reference, 2.4). 5, which needs PulseTime,
// is not one of them yet.
const (
	stateOff      = 0 // all off
	stateOn       = 1 // all on
	stateInverted = 2 // the opposite of the saved state
	stateSaved    = 3 // the saved state, as on a new device
	stateLockedOn = 4 // all on, and no command changes that
)

// PowerOnState says what relays do when the machine starts: 0 off, 1 on, 2 the
// opposite of what was saved, 3 what was saved, 4 on and locked.
func (s Settings) PowerOnState() int {
	return int(s.powerOnState ^ stateSaved)
}

func (s *Settings) setPowerOnState(n int) {
	s.powerOnState = uint8(n) ^ stateSaved
}

// Wanted returns what a relay is to be driven to at a start, given the state it
// was saved in. After a power-on PowerOnState decides, after any other start of
// the daemon the saved state does; both go by a saved state only while
// SetOption0 keeps one, else the relay is off. A relay that is locked on is on
// after every start (language reference, 2.4 and 2.7).
func (s Settings) Wanted(saved, powerOn bool) bool {
	state := s.PowerOnState()
	if !powerOn && state != stateLockedOn {
		state = stateSaved
	}
	switch state {
	case stateOn, stateLockedOn:
		return true
	case stateInverted:
		return s.SaveState() && !saved
	case stateSaved:
		return s.SaveState() && saved
	}
	return false // stateOff
}

// powerOnState shows or changes what relays do at a power-on. What is not
// allowed, 5 included, leaves it as it is (language reference, 1.5). 4 takes
// effect at once: every relay is switched on and told as Power would; if one
// fails the others are on, and the setting stands all the same.
func (in *Interpreter) powerOnState(c *call) error {
	n, ok := c.number()
	if ok && n == stateLockedOn && in.tooOld(c, 0, in.relays.Len()) {
		return ErrExpired
	}
	if ok && stateOff <= n && n <= stateLockedOn {
		in.settings.setPowerOnState(n)
		if n == stateLockedOn {
			if err := in.lockOn(c); err != nil {
				return err
			}
		}
	}
	var o object
	o.number("PowerOnState", in.settings.PowerOnState())
	in.answer(c, o.String())
	return nil
}

// lockOn switches every relay on, with one publish sequence each.
func (in *Interpreter) lockOn(c *call) error {
	n := in.relays.Len()
	err := in.switchRelays(c, 0, n, powerOn)
	for i := range n {
		in.publishChange(c, i, true)
	}
	return err
}
