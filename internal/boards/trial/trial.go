// Package trial finds out which relay a pin moves, and which level closes it:
// it clicks one relay after the other and asks the person in front of the board.
//
// No pin is touched before that person has typed yes for it. At every end, the
// interrupted ones included, each pin that was touched is left at the level that
// opens its relay, as far as that is known by then.
package trial

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tasmota-azd/internal/boards"
)

// A Pin is a pin that may be driven. The first Drive makes it an output.
type Pin interface {
	Drive(high bool) error
}

// Options say what to try, and with whom.
type Options struct {
	Entries []boards.Entry // as they are configured; none may lack its pin
	Pins    []Pin          // one for each entry
	In      io.Reader      // answers, one a line
	Out     io.Writer

	Settle time.Duration // before the click, default 1 s
	Pulse  time.Duration // the click, default 700 ms
}

// A Finding is what was learnt about the pin of one entry.
type Finding struct {
	Tested bool            // it was clicked, and the question answered
	Relay  int             // index of the entry whose relay clicked, -1 for none
	Active boards.Polarity // which level closes that relay
}

// The ends of a trial before its time.
var (
	ErrInterrupted = errors.New("interrupted; the relays that were tried are off")
	ErrNoAnswer    = errors.New("there is nobody to answer; the relays that were tried are off")
)

// Run tries one entry after the other. The findings, one for each entry, are
// those there are, with an error too. Its goroutine ends with the first line, or
// the end, of o.In that comes after Run.
func Run(ctx context.Context, o Options) (findings []Finding, err error) {
	if o.Settle == 0 {
		o.Settle = time.Second
	}
	if o.Pulse == 0 {
		o.Pulse = 700 * time.Millisecond
	}
	over := make(chan struct{})
	defer close(over)
	t := &trial{
		Options: o, ctx: ctx, lines: read(o.In, over),
		findings: make([]Finding, len(o.Entries)),
		touched:  make([]bool, len(o.Entries)), closes: make([]bool, len(o.Entries)),
	}
	defer func() { err = errors.Join(err, t.rest()) }()
	t.introduce()
	for i := range o.Entries {
		if err := t.try(i); errors.Is(err, errEnd) {
			break
		} else if err != nil {
			return t.findings, err
		}
	}
	return t.findings, nil
}

// read hands over the lines of in until over is closed.
func read(in io.Reader, over <-chan struct{}) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			select {
			case lines <- strings.TrimSpace(s.Text()):
			case <-over:
				return
			}
		}
	}()
	return lines
}

// errEnd says that the rest is not to be tried.
var errEnd = errors.New("ended by its user")

// A trial is what is known while it lasts.
type trial struct {
	Options
	ctx      context.Context
	lines    <-chan string
	findings []Finding
	touched  []bool // pins that were driven
	closes   []bool // the level that closes the relay, as far as known: true is high
}

func (t *trial) introduce() {
	t.say("This clicks %d relays, one after the other, each for %v. Beforehand, take off their\n"+
		"terminals whatever must not run, and watch the lights of the board. Ctrl-C ends it; a relay\n"+
		"that is on is switched off first.\n", len(t.Entries), t.Pulse)
	for i, e := range t.Entries {
		t.say("\n  %2d  %s on %s", i+1, e.Name, e.Pin)
		t.closes[i] = e.Active != boards.Low
	}
	t.say("\n")
}

// try clicks the relay of one entry and asks what happened.
func (t *trial) try(i int) error {
	t.say("\n%s on %s, %d of %d\n", t.Entries[i].Name, t.Entries[i].Pin, i+1, len(t.Entries))
	for {
		switch answer, err := t.ask("  Type yes to click it, skip to leave it out, end to end here: "); {
		case err != nil:
			return err
		case answer == "skip":
			return nil
		case answer == "end":
			return errEnd
		case answer != "yes":
			continue
		}
		if err := t.click(i); err != nil {
			return err
		}
		if heard, again, err := t.heard(i); err != nil {
			return err
		} else if !again {
			return t.note(i, heard)
		}
	}
}

// click switches the relay on for a moment.
func (t *trial) click(i int) error {
	t.touched[i] = true
	t.say("  One moment … ")
	for _, step := range []struct {
		high bool
		wait time.Duration
	}{{!t.closes[i], t.Settle}, {t.closes[i], t.Pulse}, {!t.closes[i], 0}} {
		if err := t.Pins[i].Drive(step.high); err != nil {
			return fmt.Errorf("%s on %s: %w", t.Entries[i].Name, t.Entries[i].Pin, err)
		}
		select {
		case <-t.ctx.Done():
			return ErrInterrupted
		case <-time.After(step.wait):
		}
	}
	t.say("clicked.\n")
	return nil
}

// heard asks which relay clicked: its index, or -1; or whether to click again.
func (t *trial) heard(i int) (relay int, again bool, err error) {
	for {
		answer, err := t.ask(fmt.Sprintf("  Which relay clicked? Enter for %s, else its name or number, none, or again: ", t.Entries[i].Name))
		switch n, ok := t.index(answer); {
		case err != nil:
			return 0, false, err
		case answer == "":
			return i, false, nil
		case answer == "none":
			return -1, false, nil
		case answer == "again":
			return 0, true, nil
		case ok:
			return n, false, nil
		}
		t.say("  There is no relay %q in the list above.\n", answer)
	}
}

// index finds an entry by its name or, if none bears it, by its number.
func (t *trial) index(text string) (int, bool) {
	for i, e := range t.Entries {
		if strings.EqualFold(e.Name, text) {
			return i, true
		}
	}
	n, err := strconv.Atoi(text)
	return n - 1, err == nil && 1 <= n && n <= len(t.Entries)
}

// note writes down which relay clicked, and asks for its polarity.
func (t *trial) note(i, heard int) error {
	if heard < 0 {
		t.findings[i] = Finding{Tested: true, Relay: -1, Active: boards.Unknown}
		return nil
	}
	for {
		switch answer, err := t.ask("  Is that relay on now, with its light lit? yes or no: "); {
		case err != nil:
			return err
		case answer == "yes": // so what was thought to open it closes it
			t.closes[i] = !t.closes[i]
		case answer != "no":
			continue
		}
		t.findings[i] = Finding{Tested: true, Relay: heard, Active: boards.Low}
		if t.closes[i] {
			t.findings[i].Active = boards.High
		}
		return t.Pins[i].Drive(!t.closes[i])
	}
}

// rest opens the relay of every pin that was touched.
func (t *trial) rest() error {
	var errs []error
	for i, touched := range t.touched {
		if touched {
			errs = append(errs, t.Pins[i].Drive(!t.closes[i]))
		}
	}
	return errors.Join(errs...)
}

// ask returns the next line.
func (t *trial) ask(question string) (string, error) {
	t.say("%s", question)
	select {
	case <-t.ctx.Done():
		t.say("\n")
		return "", ErrInterrupted
	case line, ok := <-t.lines:
		if !ok {
			t.say("\n")
			return "", ErrNoAnswer
		}
		return line, nil
	}
}

// say writes to the person. Whoever does not see it will not answer either.
func (t *trial) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.Out, format, args...)
}
