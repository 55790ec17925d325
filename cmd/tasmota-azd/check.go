package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/doctor"
)

func checkCommand(path *string, stdout io.Writer) *cobra.Command {
	var socket, only string
	var asJSON, list bool
	cmd := &cobra.Command{
		Use: "check", Short: "Find out what keeps the device from working, and what to do", Args: cobra.NoArgs,
		Long: "Looks at the configuration, its keys, the user of the service, the GPIO lines and who holds them, the clock,\n" +
			"the network, certificates, DPS, the hub, the disk, the saved state and the unit. Each check says what it found,\n" +
			"and if something is wrong what to do. A check that needs another one is not made if that failed, so one fault\n" +
			"has one name.\n\n" +
			"It works before the first start and beside a running daemon: it moves no relay, ends no session, takes no\n" +
			"message and changes no file. With sudo it sees everything; to any other user it says what it could not see.\n" +
			"Before the first start with DPS it registers the device, as that start would.\n\n" +
			"The exit status is 0 without a fault, 1 with one, and 78 if the configuration has mistakes or names pins that\n" +
			"the machine has not.",
		Example: "  sudo tasmota-azd check\n  sudo -u tasmota-azd tasmota-azd check --only file --config new.yaml\n  sudo tasmota-azd check --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list {
				return listChecks(stdout)
			}
			o := examination(*path, socket)
			o.Only = strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
			return examine(cmd.Context(), o, stdout, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&socket, "socket", defaultSocket, "the daemon's control socket")
	f.BoolVar(&asJSON, "json", false, "print JSON, for programs")
	f.BoolVar(&list, "list", false, "name all checks, and make none")
	f.StringVar(&only, "only", "", "make only these checks, or groups of checks, with commas between them, and those that they need")
	return cmd
}

// examination is that of the daemon with a configuration, all of it.
func examination(path, socket string) doctor.Options {
	return doctor.Options{Config: path, Credentials: granted(), StateDir: stateDir, Sockets: []string{socket}, Version: version}
}

func listChecks(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "GROUP\tCHECK\tMAKES SURE THAT\n")
	for _, c := range doctor.Checks() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Group, c.Name, c.What)
	}
	return w.Flush()
}

// errFaults is the end of an examination that found some: they are printed already.
var errFaults = errors.New("something keeps the device from working")

// examine makes the checks and prints what they found.
func examine(ctx context.Context, o doctor.Options, out io.Writer, asJSON bool) error {
	s := &sheet{out: out, terminal: !asJSON && onTerminal(out)}
	if s.terminal {
		o.Waiting = s.waiting
	}
	say := s.say
	var all []doctor.Result
	if asJSON {
		say = func(r doctor.Result) { s.count(r); all = append(all, r) }
	}
	mistake := doctor.Run(ctx, o, say)
	if err := context.Cause(ctx); err != nil { // Ctrl-C, and what was found then means nothing
		return err
	}
	if asJSON {
		if err := printJSON(out, map[string]any{"checks": all, "faults": s.faults, "warnings": s.warnings}); err != nil {
			return err
		}
	} else if s.all > 0 {
		fmt.Fprintf(out, "\n%d checks: %d faults, %d warnings, %d in order, %d not made\n", s.all, s.faults, s.warnings, s.good, s.all-s.faults-s.warnings-s.good)
	}
	switch {
	case mistake != nil:
		return mistake
	case s.faults > 0:
		return errFaults
	}
	return nil
}

func onTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A sheet prints results as they come, group by group.
type sheet struct {
	out      io.Writer
	terminal bool
	group    string

	all, good, warnings, faults int
}

func (s *sheet) count(r doctor.Result) {
	s.all++
	switch r.Outcome {
	case doctor.OK:
		s.good++
	case doctor.Warning:
		s.warnings++
	case doctor.Fault:
		s.faults++
	}
}

// clean takes back what a terminal was told meanwhile.
const clean = "\r\x1b[K"

func (s *sheet) waiting(name string) { fmt.Fprintf(s.out, "%s   ...    %s", clean, name) }

var outcomes = map[doctor.Outcome]string{doctor.OK: "ok", doctor.Warning: "WARNING", doctor.Fault: "FAULT", doctor.Skipped: "-"}

func (s *sheet) say(r doctor.Result) {
	s.count(r)
	var text strings.Builder
	if s.terminal {
		text.WriteString(clean)
	}
	if r.Group != s.group {
		s.group = r.Group
		fmt.Fprintf(&text, "%s\n", r.Group)
	}
	fmt.Fprintf(&text, "  %-8s %-13s %s\n", outcomes[r.Outcome], r.Name, r.Found)
	if r.Remedy != "" {
		fmt.Fprintf(&text, "%25s-> %s\n", "", r.Remedy)
	}
	_, _ = io.WriteString(s.out, text.String()) // whoever does not read on needs no more
}
