package device

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/twin"
)

// handle deals with one hub event that was taken at now.
func (d *Device) handle(now time.Time, ev hub.Event) {
	if d.session.note(d.o.Wall(now), ev) {
		d.watch.tell(Happening{Time: d.o.Wall(now), Session: new(d.session.Session)})
	}
	switch ev := ev.(type) {
	case hub.Connected:
		d.queue.connected(now, ev)
		if !ev.Renewal {
			d.shadow.sessions++
		}
		d.soon(now) // settings such as BootCountSince may have changed
		d.topic = newTopics(d.o.FullTopic, ev.DeviceID)
		d.o.Status("connected to " + ev.Host + " as " + ev.DeviceID)
		d.publish(now, nil, d.o.Commands.Connected(now, commands.Link{
			Host: ev.Host, Port: ev.Port, DeviceID: ev.DeviceID, User: ev.User, KeepAlive: ev.KeepAlive,
		}))
		d.tellLosses()
	case hub.Disconnected:
		d.queue.disconnected(d.o.Wall(now), ev)
		d.o.Commands.Disconnected()
		d.shadow.forget()
		if !ev.Renewal {
			d.o.Status("not connected, trying again: " + ev.Err.Error())
		}
	case hub.Message:
		d.message(now, ev)
	case hub.Twin, hub.Desired, hub.Reported:
		d.twinEvent(now, ev)
	case hub.Method:
		d.method(now, ev)
	}
}

// maxID is the longest message id there is, in bytes (contract, section 3.3). One
// that is longer is not remembered.
const maxID = 128

// message runs the command that a cloud-to-device message carries. The message is
// acknowledged when what it led to is noted.
func (d *Device) message(now time.Time, m hub.Message) {
	age := d.queue.age(now, d.o.Wall(now), m)
	d.spend(now, m.Size())
	w := waiting{message: m, until: now.Add(ackAfter)}
	topic, arg, ok := named(m)
	past, known := d.o.Journal.Known(m.ID, d.o.Wall(now))
	switch {
	case !ok:
		d.o.Log.Warn("message ignored: it has no property Topic, so it names no command; "+
			"send the application property Topic with a command such as /power, and its argument such as toggle as the body",
			"mid", m.ID)
	case known:
		d.o.Log.Info("message came again and is not run again", "mid", m.ID, "topic", topic)
		w.command.Cause = past.Cause
		if !d.o.Commands.Pending(past.Cause) {
			d.answerAgain(now, past)
		}
	default:
		w.command = commands.Parse(topic, arg)
		d.seq++
		w.command.Cause = cause.Cause{Door: cause.C2D, Seq: d.seq}
		w.command.Age = age
		if len(m.ID) <= maxID {
			w.command.Cause.ID = strings.Clone(m.ID) // it outlives the packet, of which it is a part
		}
		d.unacked = append(d.unacked, w)
		d.run(now, w.command, originOf(m))
		return
	}
	d.unacked = append(d.unacked, w)
	d.acknowledge(now)
}

// answerAgain sends the answers to a message that came again, unless they are still
// to be sent.
func (d *Device) answerAgain(now time.Time, past journal.Past) {
	for _, a := range past.Answers {
		if !d.o.Journal.Owes(a.Number) {
			d.sendAgain(now, a, 0)
		}
	}
}

// run runs one command, sends its answers, acknowledges its message unless more of it is
// in the backlog, and then writes its line in the log.
func (d *Device) run(now time.Time, c commands.Command, from origin) ([]commands.Reply, error) {
	replies, err := d.o.Commands.Run(now, c)
	d.publish(now, []journal.Command{d.command(now, c, from)}, replies)
	d.acknowledge(now)
	attrs := []slog.Attr{
		slog.String("command", c.Name), slog.Int("index", c.Index), slog.String("arg", shorten(c.Shown())),
		slog.String("cause", c.Cause.String()), slog.String("result", result(replies)),
		slog.Duration("took", time.Since(now)),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	level := d.level(err)
	d.counts.done(c.Cause.Door, from.since(now), level)
	d.o.Log.LogAttrs(context.Background(), level, "command done", attrs...)
	d.fail(now, err, c.Cause)
	return replies, err
}

// level is how loud the log is about the outcome of a command: an error if a pin
// has failed, whatever else went wrong beside it.
func (d *Device) level(err error) slog.Level {
	switch {
	case err == nil:
		return slog.LevelInfo
	case d.dealtWith(err):
		return slog.LevelWarn
	}
	return slog.LevelError
}

// dealtWith reports whether all that went wrong is the sender's affair: a mistake,
// or more than a relay can bear.
func (d *Device) dealtWith(err error) bool {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !d.dealtWith(err) })
	case interface{ Unwrap() error }:
		return d.dealtWith(e.Unwrap())
	}
	return err == commands.ErrUnknown || err == commands.ErrRejected || err == commands.ErrExpired || err != nil && err == d.o.HeldBack
}

// publish notes what came of commands, and then hands the replies to the hub.
func (d *Device) publish(now time.Time, ran []journal.Command, replies []commands.Reply) {
	answers := d.note(now, d.outcome(now, ran, replies))
	for _, r := range replies {
		d.tellReply(now, r)
		t := hub.Telemetry{
			Topic: d.topic.full(r.Tele, r.Topic), Body: []byte(r.Body), CorrelationID: correlation(r.Cause),
			Component: twin.Component(r.Relay), Perishable: r.Periodic,
		}
		if kept(r) {
			t.ID, t.Number, t.Created = d.o.Journal.ID(answers[0].Number), answers[0].Number, answers[0].At
			answers = answers[1:]
		}
		d.hand(now, t, classOf(r))
	}
}

// hand gives a message to the hub, unless the day's messages are spent. What is kept
// in the journal is sent when the next day begins.
func (d *Device) hand(now time.Time, t hub.Telemetry, c class) {
	if !d.mayspend(now, t.Size(), c) {
		return
	}
	if t.Number != 0 {
		d.handed = t.Number
	}
	d.o.Hub.Send(t)
}

// tellLosses tells the cloud how many messages were dropped while there was no
// session, as the hub's queue had no room for them.
func (d *Device) tellLosses() {
	if d.lost == 0 {
		return
	}
	d.o.Log.Warn("messages were dropped while there was no session", "messages", d.lost)
	d.o.Hub.Send(hub.Telemetry{Topic: d.topic.full(true, "OUTBOX"), Body: fmt.Appendf(nil, `{"Outbox":{"Lost":%d}}`, d.lost)})
	d.lost = 0
}

// sendAgain hands an answer to the hub that was given one before, under the same id.
func (d *Device) sendAgain(now time.Time, a journal.Answer, number uint64) {
	d.hand(now, hub.Telemetry{
		Topic: a.Topic, Body: []byte(a.Body), CorrelationID: a.CorrelationID, Component: a.Component,
		ID: d.o.Journal.ID(a.Number), Number: number, Created: a.At, Late: true,
	}, answers)
}

// result is what the log says of a command's answers: the last one, which is the
// one that tells the outcome.
func result(replies []commands.Reply) string {
	if len(replies) == 0 {
		return "no answer"
	}
	return shorten(replies[len(replies)-1].Body)
}

// shorten cuts a text from outside to what a log line can bear.
func shorten(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s[:len(s)-1] + "…"
}

// correlation is the id that ties an answer to the message it answers. The caller of
// a method has its answer, and knows no id.
func correlation(c cause.Cause) string {
	if c.Door != cause.C2D {
		return ""
	}
	return c.ID
}
