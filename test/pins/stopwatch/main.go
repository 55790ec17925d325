// Stopwatch runs a program and tells how long after its start texts first came on its
// stderr, a line each: "relays stand: 61.4ms". It ends the program after the last one.
//
//	stopwatch TEXT... -- PROGRAM [ARGUMENT]...
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "stopwatch:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	i := slices.Index(args, "--")
	if i < 1 || i+1 == len(args) {
		return errors.New("usage: stopwatch TEXT... -- PROGRAM [ARGUMENT...]")
	}
	texts, args := args[:i], args[i+1:]
	cmd := exec.Command(args[0], args[1:]...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(stderr); len(texts) > 0 && lines.Scan(); {
		if strings.Contains(lines.Text(), texts[0]) {
			fmt.Printf("%s: %v\n", texts[0], time.Since(begin))
			texts = texts[1:]
		}
	}
	if len(texts) > 0 {
		return fmt.Errorf("%q did not come: %w", texts, cmd.Wait())
	}
	if err := cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		return err
	}
	return cmd.Wait()
}
