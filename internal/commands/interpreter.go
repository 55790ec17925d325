package commands

import (
	"errors"
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	"tasmota-azd/internal/cause"
)

// Options are what an Interpreter works with. Relays and Started are needed.
type Options struct {
	Relays Relays
	Names  []string        // FriendlyName of each relay; where empty, Tasmota's default
	MaxAge []time.Duration // of commands that switch that relay; 0 or lacking: no limit

	Device   Device
	Facts    func() Facts  // asked whenever a message shows them; nil: nothing is known
	Settings Settings      // as saved; the zero value is a new device
	Backlog  Backlog       // as saved
	Period   time.Duration // telemetry.period of the file, in whole seconds; 0 is off

	Started time.Time                 // when this run of the daemon began, by the clock of Run's now
	Wall    func(time.Time) time.Time // proven time of day at that moment, in the zone to show; nil: the same
}

// An Interpreter executes commands and keeps what the language remembers:
// settings, the backlog, and when telemetry is due.
//
// It is not safe for concurrent use; the device loop owns it.
type Interpreter struct {
	relays   Relays
	names    []string
	maxAge   []time.Duration
	device   Device
	facts    func() Facts
	started  time.Time
	wall     func(time.Time) time.Time
	handlers map[string]handler

	settings Settings
	queue    queue
	tele     telemetry
	link     Link
	connects int // sessions since the start: MqttCount
}

// A call is one command being executed, and what came of it so far.
type call struct {
	Command
	now     time.Time
	noGap   bool // from a backlog that does not pause behind it
	replies []Reply
}

// A handler executes one command. It returns ErrRejected, or the error of a
// pin, and then gives no answer: execute does.
type handler func(*Interpreter, *call) error

// New returns an Interpreter, and counts a start of the device.
func New(o Options) *Interpreter {
	in := &Interpreter{
		relays:   o.Relays,
		names:    friendlyNames(o.Names, o.Relays.Len()),
		maxAge:   o.MaxAge,
		device:   o.Device,
		facts:    o.Facts,
		started:  o.Started,
		wall:     o.Wall,
		handlers: make(map[string]handler),
		settings: o.Settings.started(o.Period),
	}
	if in.facts == nil {
		in.facts = func() Facts { return Facts{} }
	}
	if in.wall == nil {
		in.wall = func(t time.Time) time.Time { return t }
	}
	in.queue.restore(o.Started, in.wall(o.Started), o.Backlog)
	for _, family := range []map[string]handler{
		backlogFamily, optionFamily, powerFamily, powerOnFamily, statusFamily, telemetryFamily,
	} {
		maps.Copy(in.handlers, family)
	}
	return in
}

// Rewire takes what another configuration says. The Relays are other ones by now, or as
// many as before; settings, backlog and session stay.
func (in *Interpreter) Rewire(now time.Time, names []string, maxAge []time.Duration, period time.Duration) {
	in.names, in.maxAge = friendlyNames(names, in.relays.Len()), maxAge
	if in.settings.under(period) && in.tele.connected {
		in.tele.due, in.tele.cause = in.nextReport(now), cause.Cause{}
	}
}

// Run executes c, which arrived at now, and what it lets out of the backlog at
// once. It always returns what Tasmota would answer; the error is for whoever
// runs the device: ErrUnknown, ErrRejected, or a pin that could not be driven.
func (in *Interpreter) Run(now time.Time, c Command) ([]Reply, error) {
	in.queue.hold(now)
	cl := &call{Command: c, now: now}
	err := in.execute(cl)
	more, later := in.drain(now)
	return append(cl.replies, more...), errors.Join(err, later)
}

// Next returns when Tick is needed next, zero for never.
func (in *Interpreter) Next() time.Time {
	next := in.tele.due
	if at := in.queue.next(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
		next = at
	}
	return next
}

// Tick does what is due at now: backlog, periodic telemetry. An error is one
// of Run's, for each command that had one.
func (in *Interpreter) Tick(now time.Time) ([]Reply, error) {
	replies, err := in.drain(now)
	return append(replies, in.telemetryDue(now)...), err
}

// Pending tells whether a command with this cause is still in the backlog.
func (in *Interpreter) Pending(c cause.Cause) bool {
	return in.queue.holds(c)
}

// Resumes returns when the backlog goes on, zero if it is empty.
func (in *Interpreter) Resumes() time.Time {
	return in.queue.next()
}

// Settings returns what must survive a restart. Two of them are equal (==) when
// there is nothing to save.
func (in *Interpreter) Settings() Settings {
	return in.settings
}

// Saving counts a save (SaveCount) and returns the settings to write.
func (in *Interpreter) Saving() Settings {
	in.settings.SaveCount++
	return in.settings
}

// execute runs one command. If it fails, the generic reply says so, also to a
// silent one (language reference, 1.5 and 1.6).
func (in *Interpreter) execute(c *call) error {
	h := in.handlers[c.Name]
	if h == nil {
		c.publish(in.answerTopic("COMMAND"), generic("Unknown", c))
		return ErrUnknown
	}
	err := ErrRejected
	if len(c.Arg) <= MaxArg {
		err = h(in, c)
	}
	switch {
	case err == ErrExpired:
		c.publish(in.answerTopic(c.Name), generic("Expired", c))
	case err != nil:
		c.publish(in.answerTopic(c.Name), generic("Error", c))
	}
	return err
}

// answer adds the command's own answer, unless it is to be silent.
func (in *Interpreter) answer(c *call, body string) {
	if !c.Silent {
		c.publish(in.answerTopic(c.Name), body)
	}
}

// answerTopic returns RESULT, or with SetOption4 the topic of its own.
func (in *Interpreter) answerTopic(own string) string {
	if in.settings.on(optionOwnTopic) {
		return own
	}
	return "RESULT"
}

// publish adds a message the command sets off.
func (c *call) publish(topic, body string) {
	c.replies = append(c.replies, Reply{Topic: topic, Body: body, Cause: c.Cause})
}

// inputLimit is how much of a command the generic replies quote, in bytes.
const inputLimit = 63

// generic returns the reply to a command that is unknown or went wrong
// (language reference, 1.5). Input is cut at 63 bytes as they stand in the
// message, never within a character or an escape sequence.
func generic(what string, c *call) string {
	input := c.Name
	if c.Index != 1 {
		input = fmt.Sprint(input, c.Index)
	}
	if arg := c.Shown(); arg != "" {
		input += " " + arg[:min(len(arg), inputLimit+utf8.UTFMax)]
	}
	var o object
	o.text("Command", what)
	o.key("Input")
	o.b = append(o.b, '"')
	o.b = appendEscaped(o.b, input, inputLimit)
	o.b = append(o.b, '"')
	return o.String()
}
