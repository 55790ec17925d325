package device

import (
	"slices"
	"time"
)

// renumber lets what is in the backlog mean the same relays as before, after a reload or,
// at the start, after a change to the file while no daemon ran.
func (d *Device) renumber(now time.Time, before, after []string) {
	if len(before) == 0 || slices.Equal(before, after) {
		return
	}
	for _, c := range d.o.Commands.Renumber(before, after) {
		d.o.Log.Warn("queued command dropped: its relay is none any more", "pin", before[c.Index-1], "command", c.Word(),
			"arg", shorten(c.Shown()), "cause", c.Cause.String())
	}
	d.soon(now) // who waits for it waits no longer
}
