package commands

import (
	"errors"
	"slices"
	"strings"
	"time"

	"tasmota-azd/internal/cause"
)

var backlogFamily = map[string]handler{
	"BACKLOG": (*Interpreter).backlog,
	"DELAY":   (*Interpreter).delay,
}

// A queue holds the commands of the backlog that are still to come.
type queue struct {
	items []item
	bytes int       // of all commands in items
	due   time.Time // not before then runs the next one
}

// An item is a command in the backlog.
type item struct {
	Command
	noGap bool // the next one need not wait for it
}

// A Backlog is what is left of it, in the form that outlives the daemon. Tasmota's
// does not; but whoever sent "Power1 on;Delay 600;Power1 off" means the last word.
type Backlog struct {
	Commands []Queued      `json:"commands,omitempty"`
	Due      time.Time     `json:"due,omitzero"`  // proven time at which the first one runs
	Wait     time.Duration `json:"wait,omitzero"` // how long that was when it was saved: no wait is longer
}

// A Queued is a command of a Backlog.
type Queued struct {
	Command
	NoGap bool `json:"nogap,omitempty"` // the next one need not wait for it
}

// Equal tells whether there is nothing to save.
func (b Backlog) Equal(o Backlog) bool {
	return slices.Equal(b.Commands, o.Commands) && (len(b.Commands) == 0 || b.Due.Equal(o.Due))
}

// Backlog returns what is left of it at now.
func (in *Interpreter) Backlog(now time.Time) (b Backlog) {
	for _, it := range in.queue.items {
		b.Commands = append(b.Commands, Queued{it.Command, it.noGap})
	}
	if len(b.Commands) > 0 {
		b.Due = in.wall(in.queue.due).UTC().Truncate(time.Millisecond)
		b.Wait = max(in.queue.due.Sub(now), 0)
	}
	return b
}

// restore goes on with a backlog at now, which is wall by the clock on the wall. Time
// that passed meanwhile counts, if the clock tells it.
func (q *queue) restore(now, wall time.Time, b Backlog) {
	for _, c := range b.Commands[:min(len(b.Commands), maxQueued)] {
		q.items = append(q.items, item{c.Command, c.NoGap})
		q.bytes += len(c.Name) + len(c.Arg)
	}
	q.due = now.Add(min(max(b.Due.Sub(wall), 0), max(b.Wait, 0)))
}

// What a queue takes. Tasmota has no bound, its documentation says 30 commands.
const (
	maxQueued      = 256
	maxQueuedBytes = MaxArg
)

// externalHold is how long a command from elsewhere keeps the backlog waiting
// (language reference, 11: the newest firmware's SetOption166).
const externalHold = 100 * time.Millisecond

// backlog queues commands, or without any forgets those that are queued
// (language reference, 1.6). The lowest bit of the index asks for pauses, the
// next one for silence.
func (in *Interpreter) backlog(c *call) error {
	if c.Arg == "" {
		in.answer(c, in.queue.abort())
		return nil
	}
	items := backlogItems(c.Arg)
	for i := range items {
		it := &items[i]
		it.noGap = it.noGap || c.Index&1 == 0
		it.Silent = it.Silent || c.Index&2 != 0
		it.Cause, it.Age = c.Cause, c.Age
		it.Arg = it.Shown() // the backlog is kept on disk, and no command needs a secret
	}
	return in.queue.add(c.now, items)
}

// backlogItems takes the argument of Backlog apart.
func backlogItems(text string) []item {
	var items []item
	noGap := false
	for text != "" && len(items) <= maxQueued {
		var s string
		s, text = cutItem(text)
		s = flatten(s)
		switch {
		case s == "" || hasWord(s, "reset"):
		case hasWord(s, "nodelay"):
			noGap = true
		default:
			name, arg, _ := strings.Cut(s, " ")
			items = append(items, item{Command: Parse(name, arg), noGap: noGap})
			noGap = false
		}
	}
	return items
}

// cutItem cuts text at the first semicolon that is not within braces.
func cutItem(text string) (item, rest string) {
	depth := 0
	for i, r := range []byte(text) {
		switch {
		case r == '{':
			depth++
		case r == '}' && depth > 0:
			depth--
		case r == ';' && depth == 0:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// flatten trims an item and takes leading words Backlog away. Of "Backlog0 x"
// it leaves "0 x", as Tasmota does.
func flatten(s string) string {
	s = strings.Trim(s, blanks)
	for hasWord(s, "backlog") {
		s = strings.TrimLeft(s[len("backlog"):], blanks)
	}
	return s
}

// hasWord tells whether s begins with word, in any letter case.
func hasWord(s, word string) bool {
	return len(s) >= len(word) && strings.EqualFold(s[:len(word)], word)
}

// drain runs what the backlog has due at now.
func (in *Interpreter) drain(now time.Time) (replies []Reply, err error) {
	for !in.queue.next().IsZero() && !in.queue.due.After(now) {
		it := in.queue.take()
		in.queue.due = now.Add(in.gap())
		c := &call{Command: it.Command, now: now, noGap: it.noGap}
		if e := in.execute(c); e != nil {
			err = errors.Join(err, &BacklogError{Name: it.Name, Cause: it.Cause, Err: e})
		}
		if it.noGap {
			in.queue.due = now
		}
		replies = append(replies, c.replies...)
	}
	return replies, err
}

func (in *Interpreter) gap() time.Duration {
	return time.Duration(in.settings.option(optionGap)) * time.Millisecond
}

// delay makes the backlog wait and tells for how long, in tenths of a second.
// Where there is no pause behind the command it has no effect.
func (in *Interpreter) delay(c *call) error {
	remaining := 1
	if !c.noGap {
		in.setDelay(c)
		remaining = int(max(in.queue.due.Sub(c.now), 0) / (100 * time.Millisecond))
	}
	var o object
	o.number("Delay", remaining)
	in.answer(c, o.String())
	return nil
}

func (in *Interpreter) setDelay(c *call) {
	n, ok := c.number()
	switch {
	case ok && n == -1:
		second := time.Second - time.Duration(in.wall(c.now).Nanosecond())
		in.queue.due = c.now.Add(second)
	case ok && n == 1:
		in.queue.due = c.now.Add(in.gap())
	case ok && 2 <= n && n <= 3600:
		in.queue.due = c.now.Add(time.Duration(n) * 100 * time.Millisecond)
	}
}

// add queues all of items or none. An empty queue starts at once.
func (q *queue) add(now time.Time, items []item) error {
	size := 0
	for _, it := range items {
		size += len(it.Name) + len(it.Arg)
	}
	if len(q.items)+len(items) > maxQueued || q.bytes+size > maxQueuedBytes {
		return ErrRejected
	}
	if len(q.items) == 0 {
		q.due = now
	}
	q.items = append(q.items, items...)
	q.bytes += size
	return nil
}

// take removes the first item.
func (q *queue) take() item {
	it := q.items[0]
	q.items[0] = item{}
	q.items = q.items[1:]
	q.bytes -= len(it.Name) + len(it.Arg)
	if len(q.items) == 0 {
		q.items = nil
	}
	return it
}

// abort empties the queue and returns the answer to that.
func (q *queue) abort() string {
	if len(q.items) == 0 {
		return `{"Backlog":"Empty"}`
	}
	q.items, q.bytes = nil, 0
	return `{"Backlog":"Aborted"}`
}

// hold keeps the queue waiting because something else was executed at now. It
// never shortens a wait.
func (q *queue) hold(now time.Time) {
	if at := now.Add(externalHold); at.After(q.due) {
		q.due = at
	}
}

// next returns when the first item is due, zero if there is none.
func (q *queue) next() time.Time {
	if len(q.items) == 0 {
		return time.Time{}
	}
	return q.due
}

func (q *queue) holds(c cause.Cause) bool {
	for _, it := range q.items {
		if it.Cause == c {
			return true
		}
	}
	return false
}
