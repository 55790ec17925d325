package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// hangupSettles is how long a terminal may take to be gone after its SIGHUP: the kernel
// and shells send the signal first.
const hangupSettles = 200 * time.Millisecond

// hasTerminal tells whether somebody started this process by hand: it has a terminal, and
// is to end with it. nohup(1) says that it is not; a service has none.
func hasTerminal() bool { return !signal.Ignored(syscall.SIGHUP) && terminal() }

// terminal tells whether this process has a terminal (tty(4)).
func terminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = f.Close() // it was opened to see whether it may be
	return true
}

// hungUp tells of a SIGHUP that came a moment ago, to a process that had a terminal,
// whether it means that the terminal is gone.
func hungUp(ctx context.Context) bool {
	select {
	case <-time.After(hangupSettles):
		return !terminal()
	case <-ctx.Done():
		return false
	}
}
