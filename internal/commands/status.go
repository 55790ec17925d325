package commands

import (
	"strconv"
	"time"
)

var statusFamily = map[string]handler{
	"STATUS": (*Interpreter).status,
}

// timeFormat is how Tasmota writes a time.
const timeFormat = "2006-01-02T15:04:05"

// A moment is what the parts of one message are made from, so that they agree.
type moment struct {
	wall   time.Time
	uptime time.Duration
	facts  Facts
}

func (in *Interpreter) moment(now time.Time) moment {
	return moment{wall: in.wall(now), uptime: max(now.Sub(in.started), 0), facts: in.facts()}
}

// A section is one object of Status.
type section struct {
	topic string // "STATUS5"
	key   string // "StatusNET"
	write func(*Interpreter, *object, moment)
}

// sections are what Status 0 sends, in this order (language reference, 4).
var sections = []section{
	{"STATUS", "Status", (*Interpreter).writeStatus},
	{"STATUS1", "StatusPRM", (*Interpreter).writePRM},
	{"STATUS2", "StatusFWR", (*Interpreter).writeFWR},
	{"STATUS3", "StatusLOG", (*Interpreter).writeLOG},
	{"STATUS4", "StatusMEM", (*Interpreter).writeMEM},
	{"STATUS5", "StatusNET", (*Interpreter).writeNET},
	{"STATUS6", "StatusMQT", (*Interpreter).writeMQT},
	{"STATUS7", "StatusTIM", (*Interpreter).writeTIM},
	{"STATUS10", "StatusSNS", (*Interpreter).writeSNS},
	{"STATUS11", "StatusSTS", (*Interpreter).writeState},
}

// sensors repeats STATUS10 under the number it had in older firmware.
var sensors = section{"STATUS8", "StatusSNS", (*Interpreter).writeSNS}

// status publishes one section, or with 0 all, each by itself; Status0 puts
// them into one message. None of it is an answer on RESULT.
func (in *Interpreter) status(c *call) error {
	n, ok := c.number()
	switch {
	case c.Index == 0:
		c.publish("STATUS0", in.sectionBody(in.moment(c.now), sections...))
	case !ok:
		in.publishSections(c, sections[0])
	case n == 0:
		in.publishSections(c, sections...)
	case n < 0: // publishes nothing (language reference, 11)
	case n == 8:
		in.publishSections(c, sensors)
	default:
		return in.publishSection(c, "STATUS"+strconv.Itoa(n))
	}
	return nil
}

func (in *Interpreter) publishSection(c *call, topic string) error {
	for _, s := range sections {
		if s.topic == topic {
			in.publishSections(c, s)
			return nil
		}
	}
	return ErrRejected
}

// publishSections sends each of the sections by itself.
func (in *Interpreter) publishSections(c *call, all ...section) {
	m := in.moment(c.now)
	for _, s := range all {
		c.publish(s.topic, in.sectionBody(m, s))
	}
}

// sectionBody writes sections into one object.
func (in *Interpreter) sectionBody(m moment, all ...section) string {
	var o object
	for _, s := range all {
		o.open(s.key)
		s.write(in, &o, m)
		o.close()
	}
	return o.String()
}
