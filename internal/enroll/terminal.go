package enroll

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Terminal asks an owner who sits there.
type Terminal struct {
	in    *os.File
	lines *bufio.Reader
	out   io.Writer
}

// OpenTerminal returns the terminal that in is, or false if it is none.
func OpenTerminal(in io.Reader, out io.Writer) (*Terminal, bool) {
	f, ok := in.(*os.File)
	if !ok {
		return nil, false
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil, false
	}
	return &Terminal{f, bufio.NewReaderSize(f, MaxSecret), out}, true
}

// Ask asks for something; an empty answer is the usual one.
func (t *Terminal) Ask(ctx context.Context, question, usual string) (string, error) {
	if usual != "" {
		question += " [" + usual + "]"
	}
	fmt.Fprint(t.out, question+": ")
	answer, err := t.line(ctx)
	if answer == "" {
		answer = usual
	}
	return answer, err
}

// Secret asks for a secret, which the terminal does not show.
func (t *Terminal) Secret(ctx context.Context, question string) (Secret, error) {
	shown, err := unix.IoctlGetTermios(int(t.in.Fd()), unix.TCGETS)
	if err != nil {
		return Secret{}, err
	}
	hidden := *shown
	hidden.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETSF, &hidden); err != nil {
		return Secret{}, err
	}
	fmt.Fprint(t.out, question+": ")
	text, err := t.line(ctx)
	fmt.Fprintln(t.out)
	if err := unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETSF, shown); err != nil {
		return Secret{}, err
	}
	if err != nil {
		return Secret{}, err
	}
	return Recognise(text)
}

// line reads a line, or ends with ctx: whoever presses Ctrl-C is not to be left with a
// terminal that shows nothing.
func (t *Terminal) line(ctx context.Context) (string, error) {
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() { // it may outlive this call, until the program ends
		text, err := t.lines.ReadString('\n')
		got <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case a := <-got:
		if errors.Is(a.err, io.EOF) {
			return "", errors.New("the answers ended")
		}
		return strings.TrimSpace(a.text), a.err
	}
}
