package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/control"
	"tasmota-azd/internal/device"
)

// defaultSocket is where the unit's RuntimeDirectory= puts it.
const defaultSocket = "/run/tasmota-azd/" + control.Socket

// askCommands are those that talk to the running daemon.
func askCommands(stdout io.Writer) []*cobra.Command {
	var socket string
	var asJSON, watch bool
	last := 5
	client := func() *control.Client { return control.NewClient(socket) }
	show := &cobra.Command{
		Use: "status", Short: "Show how the running daemon fares", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return watchStatus(cmd.Context(), client(), stdout)
			}
			return showStatus(cmd.Context(), client(), stdout, asJSON)
		},
	}
	show.Flags().BoolVarP(&watch, "watch", "w", false, "show it again every second, until Ctrl-C")
	command := &cobra.Command{
		Use: "cmd COMMAND [ARGUMENT]", Short: "Run a command, as one from the cloud would", Args: cobra.RangeArgs(1, 2),
		Example: "  tasmota-azd cmd Power1 toggle\n  tasmota-azd cmd Status 0",
		RunE: func(cmd *cobra.Command, args []string) error {
			r := control.Request{Command: args[0]}
			if len(args) > 1 {
				r.Payload = args[1]
			}
			return runCommand(cmd.Context(), client(), r, stdout, asJSON)
		},
	}
	why := &cobra.Command{
		Use: "why RELAY", Short: "Tell why a relay moved", Args: cobra.ExactArgs(1),
		Long:    "Tell the last moves of a relay, each with its whole chain: who wanted it, by which\ndoor, when it was sent, arrived, took effect and was answered.",
		Example: "  tasmota-azd why relay1\n  tasmota-azd why Pump --last 20",
		RunE: func(cmd *cobra.Command, args []string) error {
			return tellWhy(cmd.Context(), client(), args[0], last, stdout, asJSON)
		},
	}
	why.Flags().IntVarP(&last, "last", "n", last, "how many moves, 256 at most")
	events := &cobra.Command{
		Use: "events", Short: "Show what happens, as it happens, until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return follow(cmd.Context(), client(), stdout, asJSON) },
	}
	events.Flags().BoolP("follow", "f", true, "go on; there is no other way")
	numbers := &cobra.Command{
		Use: "metrics", Short: "Print the daemon's numbers in Prometheus's text format", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := client().Metrics(cmd.Context())
			if err == nil {
				_, err = stdout.Write(text)
			}
			return err
		},
	}
	level := &cobra.Command{
		Use: "log-level [LEVEL]", Short: "Show or change how much the running daemon logs", Args: cobra.MaximumNArgs(1),
		Long:    "Show how much the running daemon logs, or change it until it ends: debug, info,\nwarn or error. For good it is log.level in the configuration.",
		Example: "  tasmota-azd log-level debug", ValidArgs: control.Levels,
		RunE: func(cmd *cobra.Command, args []string) error {
			is, err := client().LogLevel(cmd.Context(), strings.Join(args, ""))
			if err == nil {
				_, err = fmt.Fprintln(stdout, is)
			}
			return err
		},
	}
	again := reloadCommand(&socket, stdout)
	for _, c := range []*cobra.Command{numbers, level, again} {
		c.Flags().StringVar(&socket, "socket", defaultSocket, "the daemon's control socket")
	}
	all := []*cobra.Command{show, command, why, events}
	for _, c := range all {
		c.Flags().StringVar(&socket, "socket", defaultSocket, "the daemon's control socket")
		c.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	}
	return append(all, numbers, level, again)
}

// printJSON prints v for programs.
func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func showStatus(ctx context.Context, c *control.Client, out io.Writer, asJSON bool) error {
	if asJSON {
		var raw json.RawMessage
		if err := c.Status(ctx, &raw); err != nil {
			return err
		}
		return printJSON(out, raw)
	}
	var s status
	if err := c.Status(ctx, &s); err != nil {
		return err
	}
	_, err := io.WriteString(out, s.screen(time.Now()))
	return err
}

// watchStatus shows it anew every second. A daemon that is away for a moment, as in a
// restart, is said and not the end.
func watchStatus(ctx context.Context, c *control.Client, out io.Writer) error {
	for {
		var text strings.Builder
		if err := showStatus(ctx, c, &text, false); err != nil {
			fmt.Fprintln(&text, err)
		}
		if _, err := io.WriteString(out, "\x1b[H\x1b[2J"+text.String()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// errAnswer is the end of a command that was not run: its answer is printed already.
var errAnswer = errors.New("the command was not run, or not wholly")

func runCommand(ctx context.Context, c *control.Client, r control.Request, out io.Writer, asJSON bool) error {
	a, err := c.Command(ctx, r)
	switch {
	case err != nil:
		return err
	case asJSON:
		err = printJSON(out, a)
	default:
		_, err = fmt.Fprintf(out, "%s\n", a.Body)
	}
	if err == nil && a.Status >= 400 {
		err = fmt.Errorf("%w (%d)", errAnswer, a.Status)
	}
	return err
}

func tellWhy(ctx context.Context, c *control.Client, relay string, last int, out io.Writer, asJSON bool) error {
	if asJSON {
		var raw json.RawMessage
		if err := c.Why(ctx, relay, last, &raw); err != nil {
			return err
		}
		return printJSON(out, raw)
	}
	var moves []device.Why
	if err := c.Why(ctx, relay, last, &moves); err != nil {
		return err
	}
	if len(moves) == 0 {
		fmt.Fprintln(out, "no move of this relay is on record")
	}
	for _, w := range moves {
		if _, err := io.WriteString(out, story(w)); err != nil {
			return err
		}
	}
	return nil
}

func follow(ctx context.Context, c *control.Client, out io.Writer, asJSON bool) error {
	err := c.Events(ctx, func(line []byte) error {
		if asJSON {
			_, err := fmt.Fprintf(out, "%s\n", line)
			return err
		}
		var h device.Happening
		if err := json.Unmarshal(line, &h); err != nil {
			return err
		}
		_, err := io.WriteString(out, happening(h))
		return err
	})
	if err == nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "the daemon has ended")
	}
	return err
}
