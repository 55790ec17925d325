package device

import (
	"fmt"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/hub"
)

// A class says how much a message matters when the day's messages run out.
type class int

// The classes, the least first.
const (
	reports class = iota // STATE and whatever else the calendar wants
	changes              // relays that moved without being asked from the cloud
	answers
)

// share is how much of the day's messages may be spent before a class goes without, in
// percent.
var share = [...]int{reports: 80, changes: 95, answers: 100}

// warnAt is when the log warns, in percent.
const warnAt = 80

// classOf tells how much a reply matters.
func classOf(r commands.Reply) class {
	switch {
	case !kept(r):
		return reports
	case r.Cause.Door == cause.C2D || r.Cause.Door == cause.Method || r.Cause.Door == cause.Twin:
		return answers
	}
	return changes
}

// Spent is what was spent of a day's messages.
type Spent struct {
	Day      string `json:"day,omitempty"` // of UTC, such as 2026-11-25
	Messages int    `json:"messages,omitempty"`
}

// A meter counts messages as the hub does: each rounded up to whole parts of a size
// (contract, section 3.6). Without a limit it counts nothing.
type meter struct {
	limit, size int
	spent       Spent
	said        Spent     // what is saved of it
	until       time.Time // when the day ends, zero before the first message
	warned      bool
	short       bool // something was held back today
}

func newMeter(limit, size int, saved Spent) meter {
	return meter{limit: limit, size: size, spent: saved, said: saved}
}

// parts is what a message of so many bytes counts. Even an empty one counts.
func (m *meter) parts(bytes int) int { return max((bytes+m.size-1)/m.size, 1) }

// saying is what to save: once in a while, to spare the disk.
func (m *meter) saying(ending bool) Spent {
	if ending || m.spent.Day != m.said.Day || m.spent.Messages-m.said.Messages >= max(m.limit/100, 1) {
		m.said = m.spent
	}
	return m.said
}

// today makes the meter count the day of now, by the proven clock.
func (d *Device) today(now time.Time) {
	m := &d.meter
	if m.limit == 0 || !m.until.IsZero() && now.Before(m.until) {
		return
	}
	wall := d.o.Wall(now).UTC()
	midnight := time.Date(wall.Year(), wall.Month(), wall.Day()+1, 0, 0, 0, 0, time.UTC)
	m.until = now.Add(midnight.Sub(wall))
	if day := wall.Format(time.DateOnly); m.spent.Day != day {
		m.spent, m.warned, m.short = Spent{Day: day}, false, false
	}
}

// spend counts a message that came, or that leaves whatever it costs.
func (d *Device) spend(now time.Time, bytes int) {
	m := &d.meter
	if m.limit == 0 {
		return
	}
	d.today(now)
	m.spent.Messages += m.parts(bytes)
	if !m.warned && m.spent.Messages*100 >= m.limit*warnAt {
		m.warned = true
		d.o.Log.Warn("most of the day's messages are spent: what the calendar wants is no longer sent, then changes, in the end answers wait",
			"spent", m.spent.Messages, "daily_limit", m.limit, "ends_in", m.until.Sub(now).Round(time.Minute))
	}
}

// mayspend counts a message of a class if there is something left for it.
func (d *Device) mayspend(now time.Time, bytes int, c class) bool {
	m := &d.meter
	if m.limit == 0 {
		return true
	}
	d.today(now)
	if (m.spent.Messages+m.parts(bytes))*100 > m.limit*share[c] {
		if c == answers && !m.short {
			m.short = true
			d.o.Log.Warn("the day's messages are spent: answers wait until the next day of UTC begins",
				"spent", m.spent.Messages, "daily_limit", m.limit, "ends_in", m.until.Sub(now).Round(time.Minute))
		}
		return false
	}
	d.spend(now, bytes)
	return true
}

// newDay tells what the day has cost, and sends what had to wait.
func (d *Device) newDay(now time.Time) {
	old := d.meter.spent
	d.today(now)
	if d.meter.spent.Day == old.Day { // the clock was corrected meanwhile
		return
	}
	d.o.Log.Info("messages of the day", "day", old.Day, "spent", old.Messages, "daily_limit", d.meter.limit)
	d.hand(now, hub.Telemetry{
		Topic: d.topic.full(true, "QUOTA"),
		Body:  fmt.Appendf(nil, `{"Quota":{"Day":%q,"Spent":%d,"Limit":%d}}`, old.Day, old.Messages, d.meter.limit),
	}, reports)
	d.sendOwed(now)
	d.changed(now)
}
