package config

import (
	"fmt"
	"strings"
	"time"

	"tasmota-azd/internal/boards"
)

// board reads the name of a relay board that can be driven.
func (c *checker) board(s scalar) (boards.Board, bool) {
	if !c.worded(s) {
		return boards.Board{}, false
	}
	b, ok := boards.Find(s.text)
	switch near := nearest(s.text, boards.Names()); {
	case ok && b.Unsupported == "":
		return b, true
	case ok:
		c.wrong(s, "this board cannot be used: %s", b.Unsupported)
	case near != "":
		c.wrong(s, `did you mean %s? "tasmota-azd board list" has all names`, near)
	default:
		c.wrong(s, `is not a known board; "tasmota-azd board list" has the names`)
	}
	return boards.Board{}, false
}

// preset returns the relays of the board at, in its order, with the changes that
// the entries of relays: make.
func (c *checker) preset(b boards.Board, at scalar, entries *list[writtenRelay], gpio GPIO) []Relay {
	changes := c.changes(b, entries)
	relays := make([]Relay, len(b.Channels))
	names := map[string]string{}
	for i, ch := range b.Channels {
		relays[i] = Relay{Name: ch.Label, Pin: ch.Pin, ActiveLow: b.Active == boards.Low, MaxAge: gpio.MaxAge}
		if w := changes[i]; w == nil || !w.Name.given {
			names[ch.Label] = fmt.Sprintf("%s of the board", ch.Label)
		}
	}
	var open []string // relays whose polarity nobody knows
	for i, ch := range b.Channels {
		w := changes[i]
		if w != nil {
			c.change(w, &relays[i], names)
		}
		if b.Active == boards.Unknown && (w == nil || !w.ActiveLow.given) {
			open = append(open, ch.Label)
		}
	}
	if len(open) > 0 {
		c.wrong(at, "which level switches its relays on is not known; run \"tasmota-azd board test %s\", or write for each relay an entry with channel: and active_low: under relays: (now lacking for %s)",
			b.Name, strings.Join(open, ", "))
	}
	return relays
}

// changes finds the entry for each channel of the board, or nil.
func (c *checker) changes(b boards.Board, entries *list[writtenRelay]) []*writtenRelay {
	found := make([]*writtenRelay, len(b.Channels))
	for n := range entries.items {
		w := &entries.items[n]
		if w.Pin.given {
			c.wrong(w.Pin, "has no place beside board:, which says the pins; remove it, or replace board: by what \"tasmota-azd board show %s\" prints", b.Name)
		}
		if !w.Channel.given {
			c.missing(w.Channel, "write which relay of the board is meant, %s", channels(b))
			continue
		}
		i, ok := b.Channel(w.Channel.text)
		switch {
		case !ok:
			c.wrong(w.Channel, "is no relay of this board; it has %s", channels(b))
		case found[i] != nil:
			c.wrong(w.Channel, "is the same relay as in line %d", found[i].Channel.line)
		default:
			found[i] = w
		}
	}
	return found
}

// channels says which relays a board has: CH1, or CH1 to CH8.
func channels(b boards.Board) string {
	first, last := b.Channels[0].Label, b.Channels[len(b.Channels)-1].Label
	if first == last {
		return first
	}
	return first + " to " + last
}

// change applies what an entry says to a relay of the board.
func (c *checker) change(w *writtenRelay, r *Relay, names map[string]string) {
	if w.Name.given {
		r.Name = c.relayName(w.Name, strings.TrimSuffix(w.Name.path, ".name"), names)
	}
	c.boolean(w.ActiveLow, &r.ActiveLow)
	c.minInterval(w.MinInterval, &r.MinInterval)
	c.maxAge(w.MaxAge, &r.MaxAge)
}

func (c *checker) minInterval(s scalar, into *time.Duration) {
	c.duration(s, into, minIntervals)
}
