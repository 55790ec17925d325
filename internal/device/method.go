package device

import (
	"encoding/json"
	"errors"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/hub"
)

const (
	// answerWithin is how long the answer of a method waits for its backlog: less
	// than the shortest time a caller can wait, which is 5 s (contract, section 5).
	answerWithin = 4 * time.Second
	// anyGap is more than the pause between two commands of a backlog can be
	// without a Delay. For a longer one no caller is kept waiting.
	anyGap = 300 * time.Millisecond
	// staleAfter is when a caller is taken to have gone, if the loop has come to a
	// method so late: it was promised an answer within 25 s.
	staleAfter = 25 * time.Second
)

// The statuses of a method (contract, section 5), and of what the twin asked for.
const (
	statusOK          = 200
	statusGoesOn      = 202 // some of it is still to come
	statusRejected    = 400
	statusUnknown     = 404
	statusUnavailable = 503
)

var errStale = errors.New("it waited so long that its caller has given up")

// An asked method has been run and not been answered.
type asked struct {
	answer  func(status int, body []byte) // to whoever asked
	name    string                        // of the method, as written
	cause   cause.Cause
	replies []commands.Reply
	status  int
	until   time.Time
}

// method runs the command that a direct method names. What it leads to is published
// as well, as by a message: who watches the telemetry sees a relay move, whoever
// moved it.
func (d *Device) method(now time.Time, m hub.Method) {
	d.spend(now, len(m.Name)+len(m.Body))
	d.seq++
	a := &asked{name: m.Name, until: now.Add(answerWithin)}
	a.answer = func(status int, body []byte) {
		d.spend(now, len(body))
		d.o.Hub.Answer(m, status, body)
	}
	a.cause = cause.Cause{Door: cause.Method, ID: m.ID + "-" + d.runID, Seq: d.seq}
	d.asked = append(d.asked, a)
	arg, err := argument(m.Body)
	if now.Sub(m.Received) > staleAfter {
		err = errStale
	}
	if err != nil {
		a.refuse(err)
		d.o.Log.Warn("method not run", "method", shorten(m.Name), "cause", a.cause.String(), "err", err)
		d.answer(now)
		return
	}
	c := commands.Parse(component(m.Name, arg))
	c.Cause = a.cause
	a.note(d.run(now, c, origin{came: m.Received}))
	d.answer(now)
}

// refuse makes the answer of a method that names no command that could be run.
func (a *asked) refuse(err error) {
	a.status = statusRejected
	if errors.Is(err, errStale) {
		a.status = statusUnavailable
	}
	body, _ := json.Marshal(struct{ Command, Input, Reason string }{"Error", shorten(a.name), err.Error()}) // texts always marshal
	a.replies = []commands.Reply{{Body: string(body)}}
}

// note takes up what came of a method's command, or of a part of its backlog.
func (a *asked) note(replies []commands.Reply, err error) {
	for _, r := range replies {
		if r.Cause == a.cause {
			a.replies = append(a.replies, r)
		}
	}
	a.status = max(a.status, status(err, a.cause))
}

// status is the outcome of a command: of several, the worst. What went wrong with
// another command's backlog is not counted.
func status(err error, why cause.Cause) int {
	worst := statusOK
	switch e := err.(type) {
	case nil:
		return worst
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			worst = max(worst, status(err, why))
		}
		return worst
	case *commands.BacklogError:
		if e.Cause != why {
			return worst
		}
		if s := status(e.Err, why); s != statusUnknown {
			return s
		}
		return statusRejected // there is a Backlog, but not all that it was given
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return status(inner, why)
		}
	}
	switch err {
	case commands.ErrUnknown:
		return statusUnknown
	case commands.ErrRejected, commands.ErrExpired:
		return statusRejected
	}
	return statusUnavailable
}

// tell gives the parts of backlogs that were run to the methods they belong to.
func (d *Device) tell(replies []commands.Reply, err error) {
	for _, a := range d.asked {
		a.note(replies, err)
	}
}

// answer answers the methods whose commands have run, and those whose backlog takes
// longer than a caller is to wait.
func (d *Device) answer(now time.Time) {
	left := d.asked[:0]
	for _, a := range d.asked {
		if d.waits(now, a) {
			left = append(left, a)
			continue
		}
		if d.o.Commands.Pending(a.cause) {
			a.status = statusGoesOn // also if the daemon ends now: the next run goes on with it
		}
		a.answer(a.status, merge(a.replies, hub.MaxMethod))
	}
	clear(d.asked[len(left):])
	d.asked = left
}

// waits reports whether more of the answer to a method is about to come.
func (d *Device) waits(now time.Time, a *asked) bool {
	return d.o.Commands.Pending(a.cause) && now.Before(a.until) && d.o.Commands.Resumes().Sub(now) < anyGap
}

// answerAll answers all methods: the daemon ends.
func (d *Device) answerAll() {
	for _, a := range d.asked {
		a.until = time.Time{}
	}
	d.answer(time.Now())
}
