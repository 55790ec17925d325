// Package cause names what made a relay move, so that an owner can be told.
//
// A Cause is made where a wish enters the daemon, travels with the command
// through every queue, and is written down with the edge it led to.
package cause

import "strings"

// A Door is the way a wish came in.
type Door string

// The doors there are.
const (
	C2D       Door = "c2d"       // a cloud-to-device message
	Method    Door = "method"    // a direct method
	Twin      Door = "twin"      // a desired property
	Local     Door = "local"     // somebody on this machine, by the control socket
	PowerOn   Door = "power-on"  // the machine started: what PowerOnState wants
	Start     Door = "start"     // the daemon started on a machine that ran on: the saved state
	Adopted   Door = "adopted"   // the daemon took back a line that systemd had kept
	Recovered Door = "recovered" // a line that was lost came back, and got its last state
	Removed   Door = "removed"   // the relay is no longer in the file: it is opened, and its line released
	Reload    Door = "reload"    // the file was read again: the relay is new, or its active_low was corrected
	Stop      Door = "stop"      // the service ended: what gpio.on_stop wants
)

// A Cause says who made a relay move.
type Cause struct {
	Door Door   `json:"door"`
	ID   string `json:"id,omitempty"`  // what the sender or the hub calls the wish, empty without a name
	Seq  uint64 `json:"seq,omitempty"` // number of the command in this run of the daemon, 0 for none
}

// String returns the door and the sender's id, such as "c2d 7f0e9d1c-0001".
func (c Cause) String() string {
	return strings.TrimSpace(string(c.Door) + " " + c.ID)
}
