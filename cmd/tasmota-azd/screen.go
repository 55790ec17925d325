package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tasmota-azd/internal/device"
)

// screen is the status for people, on one screen.
func (s status) screen(now time.Time) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "tasmota-azd %s\tprocess %d, since %s\n", s.Version, s.PID, moment(s.Started, now))
	fmt.Fprintf(w, "hub\t%s\n", s.hub(now))
	fmt.Fprintf(w, "clock\t%s\n", s.time())
	fmt.Fprintf(w, "owed to the hub\t%s\n", s.debts())
	if s.Limit > 0 {
		fmt.Fprintf(w, "messages today\t%d of %d\n", s.Spent.Messages, s.Limit)
	}
	if s.Failure != "" {
		fmt.Fprintf(w, "last failure\t%s, %s\n", s.Failure, moment(s.FailedAt, now))
	}
	s.Configuration.lines(w, now)
	fmt.Fprintf(w, "\nRELAY\tNAME\tPIN\tSTATE\tSINCE\tCAUSE\n")
	for _, r := range s.Relays {
		state := "off"
		if r.On {
			state = "ON"
		}
		if r.Fault != "" {
			state += "  " + r.Fault
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", r.Number, r.Name, r.Pin, state, moment(r.Since, now), r.Cause)
	}
	_ = w.Flush() // a Builder takes everything
	return text.String()
}

// lines tell of the configuration.
func (c configuration) lines(w io.Writer, now time.Time) {
	fmt.Fprintf(w, "configuration\t%s, read %s\n", c.File, moment(c.Read, now))
	if !c.FailedAt.IsZero() {
		fmt.Fprintf(w, "NOT RELOADED\t%s\n", moment(c.FailedAt, now))
	}
	for _, f := range c.Faults {
		fmt.Fprintf(w, "\t%s\n", f)
	}
	for _, r := range c.NeedsRestart {
		fmt.Fprintf(w, "needs a restart\t%s\n", r)
	}
}

func (s status) hub(now time.Time) string {
	if !s.Session.Connected {
		text := "not connected"
		if !s.Session.Since.IsZero() {
			text += ", since " + moment(s.Session.Since, now)
		}
		if s.Session.Why != "" {
			text += ": " + s.Session.Why
		}
		return text
	}
	text := fmt.Sprintf("connected to %s as %s, since %s", s.Session.Host, s.Device, moment(s.Session.Since, now))
	if !s.Token.RenewsAt.IsZero() {
		text += "; token renewed " + moment(s.Token.RenewsAt, now)
	}
	return text
}

func (s status) time() string {
	if !s.Clock.Proven {
		return "not proven: no connection before it is"
	}
	return fmt.Sprintf("proven by %s; the system's is slow by %v", s.Clock.Source, s.Clock.Offset.Round(time.Millisecond))
}

func (s status) debts() string {
	text := fmt.Sprintf("%d answers", s.Owed)
	if s.Backlog > 0 {
		text += fmt.Sprintf("; %d commands in the backlog", s.Backlog)
	}
	if s.Lost > 0 {
		text += fmt.Sprintf("; %d messages were dropped, for want of room", s.Lost)
	}
	return text
}

// moment is a time of day with how far away that is.
func moment(t, now time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	away, word := now.Sub(t).Round(time.Second), "ago"
	if away < 0 {
		away, word = -away, "from now"
	}
	return fmt.Sprintf("%s (%v %s)", t.Local().Format("2006-01-02 15:04:05"), away, word)
}

// story is one move of a relay for people.
func story(w device.Why) string {
	var text strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&text, "    %-12s %s\n", label, fmt.Sprintf(format, args...))
	}
	exact := func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05.000") }
	to := "off"
	if w.Edge.To {
		to = "ON"
	}
	fmt.Fprintf(&text, "%s  %s (relay %d, %s) went %s: %s\n", exact(w.Edge.Time), w.Edge.Name, w.Edge.Relay, w.Edge.Pin, to, w.Edge.Cause)
	c := w.Command
	if c.Line != "" {
		line("command", "%s", c.Line)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Properties)) {
		line("property", "%s = %s", name, c.Properties[name])
	}
	if !c.Made.IsZero() {
		line("made", "%s, as the sender says", exact(c.Made))
	}
	if !c.Arrived.IsZero() {
		line("arrived", "%s", exact(c.Arrived))
	}
	if !w.Done.IsZero() {
		line("took effect", "%s", exact(w.Done))
	}
	for _, a := range w.Answers {
		sent := "which the hub has"
		if !a.Sent {
			sent = "which waits for the hub"
		}
		line("answered", "%s %s, %s", a.Topic, a.Body, sent)
	}
	return text.String()
}

// happening is one line of events for people.
func happening(h device.Happening) string {
	at := h.Time.Local().Format("15:04:05.000")
	switch {
	case h.Session != nil && h.Session.Connected:
		return fmt.Sprintf("%s  connected to %s\n", at, h.Session.Host)
	case h.Session != nil:
		return fmt.Sprintf("%s  not connected: %s\n", at, h.Session.Why)
	case h.Cause != "":
		return fmt.Sprintf("%s  %s %s  (%s)\n", at, h.Topic, h.Body, h.Cause)
	}
	return fmt.Sprintf("%s  %s %s\n", at, h.Topic, h.Body)
}
