// Weigh tells what a process at rest takes, in one line: "resident 11.6 MiB, anonymous
// 5.2 MiB, 0.35 wake-ups a second".
//
//	weigh PID REST FOR
//
// It lets the process be for the time REST, and then watches it for the time FOR.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"tasmota-azd/test/procfs"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "weigh:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: weigh PID REST FOR")
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	rest, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	watch, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	time.Sleep(rest)
	return weigh(pid, watch)
}

func weigh(pid int, watch time.Duration) error {
	memory, err := procfs.MemoryOf(pid)
	if err != nil {
		return err
	}
	before, err := procfs.SleepsOf(pid)
	if err != nil {
		return err
	}
	began := time.Now()
	time.Sleep(watch)
	after, err := procfs.SleepsOf(pid)
	if err != nil {
		return err
	}
	const mib = 1 << 20
	fmt.Printf("resident %.1f MiB, anonymous %.1f MiB, %.2f wake-ups a second\n",
		float64(memory.Resident)/mib, float64(memory.Anonymous)/mib, float64(after-before)/time.Since(began).Seconds())
	return nil
}
