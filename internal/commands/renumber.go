package commands

import "slices"

// Renumber is told that relays have other numbers: those of the pins before were relays 1
// and so on, now it is those of the pins after. What is in the backlog goes on with the
// relays that were meant: "Power1 on;Delay 600;Power1 off" must not leave the first one on
// and switch another. It returns the commands that were dropped, as their relay is gone.
func (in *Interpreter) Renumber(before, after []string) (dropped []Command) {
	q := &in.queue
	items := q.items
	q.items, q.bytes = nil, 0
	for _, it := range items {
		c, ok := it.renumbered(before, after)
		if !ok {
			dropped = append(dropped, it.Command)
			continue
		}
		q.items = append(q.items, item{c, it.noGap})
		q.bytes += len(c.Name) + len(c.Arg)
	}
	return dropped
}

// renumbered is c for the relay that it meant; ok is false if that is gone.
func (c Command) renumbered(before, after []string) (_ Command, ok bool) {
	if c.Name != "POWER" || c.Index < 1 || c.Index > len(before) {
		return c, true
	}
	at := slices.Index(after, before[c.Index-1])
	c.Index = at + 1
	return c, at >= 0
}
