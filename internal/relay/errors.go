package relay

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"tasmota-azd/internal/relay/gpiochip"
	"tasmota-azd/internal/relay/host"
)

// ErrNotReady says that there is no GPIO chip, or none this process may use,
// and that this can pass within seconds of a boot. Try Open and New again.
var ErrNotReady = host.ErrNotReady

// ErrHeldBack says that a relay was not closed because it, or the whole bank,
// has moved too often of late. The pin is in good order.
var ErrHeldBack = errors.New("held back")

// ErrMistake says that the configuration names a pin that is not there, is another
// relay's, or could be more than one: until the file is mended, or a chip that is
// missing comes, trying again is of no use.
var ErrMistake = errors.New("pin named wrongly in the configuration")

// A NameError is a mistake in the configuration: the pin of one relay. It is
// ErrMistake unless the pin is only in use by something else, which may end.
type NameError struct {
	Relay int    // counted from 0, as a list in the file
	Name  string // as written
	Hint  string // what is wrong, and what would be right
	Err   error  // the same as an error of the driver, or nil
}

func (e *NameError) Error() string {
	return fmt.Sprintf("relays[%d].pin: %.40q: %s", e.Relay, e.Name, e.Hint)
}

func (e *NameError) Unwrap() error { return e.Err }

// Is makes all but a pin in use match ErrMistake.
func (e *NameError) Is(target error) bool {
	_, used := errors.AsType[*gpiochip.InUseError](e.Err)
	return target == ErrMistake && !used
}

// A PinError says which relay could not be moved, and why. It is ErrNotReady if
// the pin may only need time, as when udev has not settled its permissions yet.
type PinError struct {
	Relay int    // counted from 1, as the owner does
	Pin   string // proper name
	Err   error
}

func (e *PinError) Error() string { return fmt.Sprintf("relay %d on %s: %v", e.Relay, e.Pin, e.Err) }

func (e *PinError) Unwrap() error { return e.Err }

// Is makes a passing cause match ErrNotReady.
func (e *PinError) Is(target error) bool {
	return target == ErrNotReady && (gone(e.Err) || errors.Is(e.Err, fs.ErrPermission) || errors.Is(e.Err, fs.ErrNotExist))
}

// gone tells whether the chip of a pin has left the machine.
func gone(err error) bool {
	_, ok := errors.AsType[*gpiochip.GoneError](err)
	return ok || errors.Is(err, syscall.ENODEV)
}
