// Package commands speaks the command language of Tasmota: it takes one
// command, does what it asks of relays and settings, and returns the messages
// Tasmota would publish, byte for byte.
//
// It is pure: no network, no clock, no pin. Whoever runs it hands in the time
// of each command, carries the replies away, and calls Tick when Next says so.
// Every way in (a cloud message, a direct method, the twin, a timer) makes a
// Command and gives it to the same Interpreter.
//
// The facts are in the language reference, the sections of which are named
// where they are followed. A family of commands is a file with a table of
// small functions; interpreter.go joins the tables.
package commands

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"tasmota-azd/internal/cause"
)

// A Command is one command, taken apart but not judged. Parse makes it.
type Command struct {
	Name    string `json:"name"`              // the word in capitals, without index: "POWER"
	Index   int    `json:"index"`             // the digits behind the word, 1 when there are none
	Indexed bool   `json:"indexed,omitempty"` // there were digits
	Silent  bool   `json:"silent,omitempty"`  // the word began with "_": no answer of its own
	Arg     string `json:"arg,omitempty"`     // leading blanks off; empty asks for the present value

	// Age is the longest that it may have waited before it arrived.
	Age time.Duration `json:"age,omitempty"`

	Cause cause.Cause `json:"cause"` // who wants it; travels to the pin and into the replies
}

// Word returns the command's name with its index, such as "POWER2". An index of 1
// that was not written is left out.
func (c Command) Word() string {
	if c.Index == 1 && !c.Indexed {
		return c.Name
	}
	return c.Name + strconv.Itoa(c.Index)
}

// Shown is the argument as logs and answers may show it. That of the firmware's
// commands for passwords and keys is a secret, also where this device knows no such
// command; in a backlog all of it may be.
func (c Command) Shown() string {
	if c.Arg != "" && (secret(c.Name) || secret(strings.ToUpper(c.Arg))) {
		return "****"
	}
	return c.Arg
}

// secret tells whether a text in capitals names such a command: MqttPassword,
// WebPassword, Password1, TLSKey, or a whole connection string.
func secret(text string) bool {
	return strings.Contains(text, "PASSWORD") || strings.Contains(text, "TLSKEY") || strings.Contains(text, "SHAREDACCESS")
}

// A Reply is one message a command, a deadline or a connect leads to.
type Reply struct {
	Topic string // last level of the topic: RESULT, STATE, STATUS5, INFO1
	Body  string // a JSON object
	Tele  bool   // Tasmota's prefix would be "tele", else it is "stat"

	// Periodic marks a STATE that the calendar wants, not a command's effect:
	// while there is no session it is worth nothing.
	Periodic bool

	Relay int         // the one whose state it tells, counted from 1; 0 if it tells another thing
	Cause cause.Cause // of the command that made it, zero for none
}

// What can be wrong with a command. Any other error of Run or Tick means that
// a pin could not be driven.
var (
	ErrUnknown  = errors.New("unknown command")
	ErrRejected = errors.New("index or argument not allowed")
	ErrExpired  = errors.New("waited longer than the relay's max_age allows")
)

// A BacklogError is what went wrong with a command from the backlog.
type BacklogError struct {
	Name  string
	Cause cause.Cause
	Err   error
}

func (e *BacklogError) Error() string { return "backlog: " + e.Name + ": " + e.Err.Error() }

// Unwrap returns what went wrong.
func (e *BacklogError) Unwrap() error { return e.Err }

// MaxArg is the longest argument in bytes: what a cloud-to-device message can
// carry. A longer one is rejected.
const MaxArg = 64 << 10

// Relays is what commands ask of the hardware. Relays are counted from 0.
type Relays interface {
	Len() int

	// On tells the last level certainly driven, as "does the relay conduct".
	On(i int) bool

	// Set switches relay i, also if it stands so already. After an error On
	// still tells what is known to be driven.
	Set(i int, on bool, why cause.Cause) error

	// Fault returns why relay i could not be driven when that was last tried, nil
	// if it could.
	Fault(i int) error
}
