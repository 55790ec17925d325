// Report measures what the project promises about itself: how exposed the daemon is, what
// it takes of a machine, how well it finds faults. It runs the commands that measure, takes the
// figures from what they print, and puts the table into docs/report.md.
//
//	report [-only TEXT] [docs/report.md]
//
// With -only, the other figures of the document stay as they are.
// A figure that cannot be had is in the table too, with what is missing. The exit status
// is 1 if a figure does not reach its target.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "run only the commands that have this `text`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	all, err := run(ctx, *only)
	if err == nil && flag.NArg() > 0 {
		err = put(flag.Arg(0), all)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	for _, r := range all {
		if r.verdict == missed {
			os.Exit(1)
		}
	}
}

// run makes the measurements, one after the other, and prints each figure when it is there.
func run(ctx context.Context, only string) (all []row, err error) {
	for _, m := range measurements {
		if !strings.Contains(m.command, only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "report: %s …\n", m.command)
		output, failed := say(ctx, m.command)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if failed != nil { // its figures do not say why
			fmt.Fprintf(os.Stderr, "%s\nreport: %s: %v\n", output, m.command, failed)
		}
		for _, r := range m.rows(output, failed) {
			fmt.Printf("%s: %s  %s %s\n", r.name, r.value, r.target, r.verdict)
			all = append(all, r)
		}
	}
	return all, nil
}

// say runs a command as one types it, and returns all that it prints.
func say(ctx context.Context, command string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}
