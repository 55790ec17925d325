// Command bench measures the built daemon and, in the same run, a program that does
// the same work with paho and nothing else, over real TLS on loopback. It prints what
// each takes, the ratios, and whether the targets are met.
//
// The two take turns at everything that is timed, so that what else the machine does
// meets both alike. docs/performance.md says how each figure is come by.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"time"
)

// Options say how long to measure.
type options struct {
	bin      string // where make left the programs
	uml      string // the script that boots the small kernel
	starts   int    // of each program, for the time to CONNECT
	memories int    // starts of each program, for the memory
	rounds   int    // of latency, and of rate
	single   int    // commands of a round, one at a time
	burst    int    // commands of a round, as fast as they go
	boots    int    // of the small kernel with each driver
	settle   time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "directory of the built programs (make all cross bare)")
	flag.IntVar(&o.starts, "starts", 15, "starts of each program")
	flag.IntVar(&o.memories, "memories", 3, "starts of each program to measure its memory")
	flag.IntVar(&o.rounds, "rounds", 9, "rounds of latency, and of rate")
	flag.IntVar(&o.single, "single", 200, "commands of a round of latency")
	flag.IntVar(&o.burst, "burst", 3000, "commands of a round of rate")
	flag.IntVar(&o.boots, "boots", 5, "boots of the small kernel with each driver")
	flag.StringVar(&o.uml, "uml", "test/uml/run.sh", "script that boots the small kernel")
	flag.DurationVar(&o.settle, "settle", 8*time.Second, "rest before memory is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// run measures everything, one after the other, and prints the table.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	debug.SetGCPercent(400) // the hub lives in this process; its pauses are nobody's latency
	begin := time.Now()
	s, err := newStage(o.bin)
	if err != nil {
		return err
	}
	defer func() {
		if broken := s.close(err == nil); err == nil {
			err = broken
		}
	}()
	r := report{options: o}
	for _, step := range []struct {
		name    string
		measure func(context.Context, *stage, options, *report) error
	}{
		{"sizes", measureSizes},
		{"start to CONNECT", measureStarts},
		{"idle memory", measureMemory},
		{"idle wake-ups", measureWakes},
		{"latency and rate", measureCommands},
		{"command to edge", measureEdges},
	} {
		fmt.Fprintf(os.Stderr, "bench: %s …\n", step.name)
		if err := step.measure(ctx, s, o, &r); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	r.took = time.Since(begin)
	return r.print(out)
}
