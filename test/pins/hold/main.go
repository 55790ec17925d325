// Hold works GPIO lines by hand, with the daemon's own driver: on a real board, in
// the kernel of test/uml, on the Raspberry Pi of test/rpi-emu.
//
//	hold list                      chips and lines
//	hold find SPEC...              which line that is, and what stands in its way
//	hold run SPEC STEP...          take steps with one line, then end
//	hold serve SPEC=LEVEL[,LEVEL]...
//	                               as a systemd service: see serve.go
//
// A LEVEL is high or low; SPEC is GPIO17, P1_11, gpiochip0:17. Steps:
//
//	open=LEVEL[,LEVEL]     request the line with that level, and the level that is off (low)
//	take[=LEVEL]           request it with the level that it has, and the level that is off
//	high, low, level       drive, read
//	configure=LEVEL,LEVEL  change level and off level at once
//	adopt=NAME             adopt the line's file under that name of systemd's store
//	reopen=LEVEL,LEVEL     take it again after its chip came back
//	release, close         let it go: off, or as it is
//	sleep=100ms, sh=CMD    wait, run a command
//	pause                  until SIGTERM or SIGINT
//
// A step that fails is told on stdout with the type of the error, and the next one
// is taken; the exit status is 1 then.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"tasmota-azd/internal/relay/gpiochip"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hold:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("list, find, run or serve?")
	}
	chips, err := gpiochip.List()
	if err != nil {
		fmt.Println(describe(err))
	}
	switch verb, rest := args[0], args[1:]; {
	case verb == "list":
		list(chips)
		return err
	case verb == "find":
		return find(chips, rest)
	case verb == "run" && len(rest) > 1:
		return steps(chips, rest[0], rest[1:])
	case verb == "serve":
		return serve(chips, rest)
	}
	return fmt.Errorf("what is %q?", strings.Join(args, " "))
}

func list(chips []gpiochip.Chip) {
	for _, c := range chips {
		fmt.Printf("%s %s %s %d lines %v\n", c.Path, c.Name, c.Label, len(c.Lines), c.Aliases)
		for offset, line := range c.Lines {
			if line.Name != "" || line.Flags.IsUsed() {
				fmt.Printf("  %d %q %q used=%t output=%t\n", offset, line.Name, line.Consumer, line.Flags.IsUsed(), line.Flags.IsOutput())
			}
		}
	}
}

func find(chips []gpiochip.Chip, specs []string) error {
	var places []gpiochip.Place
	var failed bool
	for _, spec := range specs {
		p, err := gpiochip.Match(chips, spec)
		if err != nil {
			fmt.Println(describe(err))
			failed = true
			continue
		}
		fmt.Printf("%v on %s\n", p, p.Chip)
		places = append(places, p)
	}
	if err := gpiochip.Check(chips, places...); err != nil {
		fmt.Println(describe(err))
		failed = true
	}
	if failed {
		return errors.New("not all lines are to be had")
	}
	return nil
}

// describe puts the type before the text of the driver's errors, for each of several.
func describe(err error) string {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		var texts []string
		for _, e := range list.Unwrap() {
			texts = append(texts, describe(e))
		}
		return strings.Join(texts, "\n")
	}
	if name, ok := strings.CutPrefix(fmt.Sprintf("%T", err), "*gpiochip."); ok {
		return name + ": " + err.Error()
	}
	return err.Error()
}
