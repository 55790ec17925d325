package device

import (
	"context"
	"errors"
	"strconv"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
)

// errOver is what a request meets when the daemon is about to end.
var errOver = errors.New("the daemon is about to end")

// do runs f in the loop, which owns everything, and returns when it has run.
func (d *Device) do(ctx context.Context, f func(now time.Time)) error {
	done := make(chan struct{})
	select {
	case d.requests <- func(now time.Time) { f(now); close(done) }:
		<-done
		return nil
	case <-d.over:
		return errOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Command runs a command that somebody on this machine wants, as a direct method
// would: the same interpreter, the same answer, the same statuses. who tells the
// callers apart. It may be called from any goroutine while Run runs.
func (d *Device) Command(ctx context.Context, name, arg, who string) (status int, body []byte, err error) {
	answered := make(chan struct{})
	answer := func(s int, b []byte) {
		status, body = s, b
		close(answered)
	}
	err = d.do(ctx, func(now time.Time) {
		d.seq++
		a := &asked{answer: answer, name: name, until: now.Add(answerWithin)}
		a.cause = cause.Cause{Door: cause.Local, ID: who + "-" + d.runID + "-" + strconv.FormatUint(d.seq, 10), Seq: d.seq}
		d.asked = append(d.asked, a)
		c := commands.Parse(name, arg)
		c.Cause = a.cause
		a.note(d.run(now, c, origin{}))
		d.answer(now)
	})
	if err != nil {
		return 0, nil, err
	}
	select {
	case <-answered: // always: at the latest when the loop ends
		return status, body, nil
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}
