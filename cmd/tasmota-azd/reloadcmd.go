package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/control"
)

const (
	reloadedWithin = time.Minute
	reloadLook     = 50 * time.Millisecond
)

func reloadCommand(socket *string, stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Have the running daemon read its configuration again", Args: cobra.NoArgs,
		Long: "Sends the running daemon the signal SIGHUP, on which it reads its configuration again with the files\n" +
			"that it names, and waits for the outcome. It is what \"systemctl reload tasmota-azd\" does.\n\n" +
			"A file with mistakes changes nothing; they are printed, and the exit status is 78. Else only what is\n" +
			"different changes: no other relay moves, and the session with the hub stays, unless it would not be\n" +
			"the same any more. What only a restart can change is printed.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askReload(cmd.Context(), control.NewClient(*socket), stdout)
		},
	}
}

// A notReloaded says why the daemon goes on with the configuration that it had.
type notReloaded struct{ configuration }

func (e *notReloaded) Error() string { return "not reloaded:\n" + strings.Join(e.Faults, "\n") }

// askReload has the daemon behind c reload, and waits until it has.
func askReload(ctx context.Context, c *control.Client, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reloadedWithin, errors.New("the daemon does not say that it has reloaded"))
	defer cancel()
	var before status
	if err := c.Status(ctx, &before); err != nil {
		return blindly(err, out)
	}
	if err := syscall.Kill(before.PID, syscall.SIGHUP); err != nil {
		return fmt.Errorf("process %d: %w", before.PID, err)
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(reloadLook):
		}
		var s status
		if err := c.Status(ctx, &s); err != nil {
			return err
		}
		switch is := s.Configuration; {
		case s.PID != before.PID:
			return errors.New("the daemon was started anew meanwhile")
		case is.Reloads == before.Configuration.Reloads:
		case len(is.Faults) > 0:
			return &notReloaded{is}
		default:
			is.tell(out)
			return nil
		}
	}
}

// blindly sends the signal to the process that systemd names, if nobody can be asked.
func blindly(err error, out io.Writer) error {
	pid, wrong := strconv.Atoi(os.Getenv("MAINPID"))
	if wrong != nil {
		return err
	}
	fmt.Fprintf(out, "the daemon is told to reload, and its log says what came of it: %v\n", err)
	return syscall.Kill(pid, syscall.SIGHUP)
}

// tell prints what a reload has not changed.
func (c configuration) tell(out io.Writer) {
	fmt.Fprintf(out, "%s is in force\n", c.File)
	for _, r := range c.NeedsRestart {
		fmt.Fprintf(out, "needs a restart: %s\n", r)
	}
	if len(c.Credentials) > 0 {
		fmt.Fprintf(out, "as at the start, since systemd gives credentials then: %s\n", strings.Join(c.Credentials, ", "))
	}
}
