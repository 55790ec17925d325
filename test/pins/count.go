package pins

import "time"

// What a pin does, or is to do.
const (
	Free = "free" // it is an input: it drives nothing
	Low  = "0"
	High = "1"
)

// A Move is one thing that happened to a line: it was to be otherwise from now on
// (Want), or what it does was set. Setting what it does already is no edge.
type Move struct {
	At   time.Duration
	Line string
	To   string // Free, Low or High
	Want bool
}

// Count tells what became of all lines. The moves are in the order of time; the end
// is when watching ended. What happens to a line before it was first wanted to be
// something does not count.
//
// Each Want asks for one edge, if the line is not so already. In the time until the
// next Want of that line, any other edge is unexpected, or by the kernel: a line that
// is let go, and comes back to where it was wanted.
func Count(moves []Move, end time.Duration) Counts {
	var c Counts
	lines := map[string]*line{}
	for _, m := range moves {
		l := lines[m.Line]
		if l == nil {
			l = &line{does: Free}
			lines[m.Line] = l
		}
		switch {
		case m.Want:
			l.wanted(m, &c)
		case m.To != l.does:
			l.moved(m, &c)
		}
	}
	for _, l := range lines {
		l.right(end, &c)
	}
	return c
}

// A line is how it stands with one line.
type line struct {
	does, want string
	there      bool // it was as it is wanted
	wrong      bool // it is otherwise without having been asked
	since      time.Duration
}

func (l *line) wanted(m Move, c *Counts) {
	l.right(m.At, c)
	l.want, l.there = m.To, l.does == m.To
	if !l.there {
		c.Commanded++
	}
}

func (l *line) moved(m Move, c *Counts) {
	l.right(m.At, c)
	was := l.does
	l.does = m.To
	if l.want == "" {
		return
	}
	c.Seen++
	switch {
	case m.To == l.want && !l.there:
		l.there = true // that was asked for
	case m.To == Free, m.To == l.want && was == Free:
		c.Kernel++
	default:
		c.Unexpected++
	}
	l.wrong, l.since = m.To != l.want, m.At
}

// right ends the time that a line was wrong.
func (l *line) right(at time.Duration, c *Counts) {
	longest := &c.Wrong
	if l.does == Free {
		longest = &c.LetGo
	}
	if l.wrong {
		*longest = max(*longest, at-l.since)
	}
	l.wrong = false
}
