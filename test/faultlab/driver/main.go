// Driver is what the guest of the fault lab runs: it makes the network, starts the
// stand-in and the daemon, sends commands, brings faults about, and writes down what it saw.
//
//	driver faults SEED FAULT...   each of them once, named as often as need be
//	driver wear COMMANDS          a day, and what was written to the disk in it
//	driver cut SEED               until the power is cut
//	driver remains COMMANDS       what is left after that
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/lab"
)

// outDir goes to the host at the end.
const outDir = "/out"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: driver faults|wear|cut|remains NUMBER [FAULT...]")
	}
	number, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "faults":
		return suffer(number, args[2:])
	case "wear":
		return wear(number)
	case "cut":
		return cut(uint64(number))
	case "remains":
		return remains(number)
	}
	return fmt.Errorf("what is %q?", args[0])
}

// begin returns when the daemon has said hello.
func begin(seed uint64) (*world, error) {
	w := newWorld(seed)
	if err := os.MkdirAll(outDir, 0o755); err != nil {
		return nil, err
	}
	if err := script(wires); err != nil {
		return nil, err
	}
	if err := os.WriteFile("/etc/resolv.conf", []byte("nameserver "+cloudAddress+"\n"), 0o644); err != nil {
		return nil, err
	}
	var err error
	if w.names, err = serveNames(cloudAddress + ":53"); err != nil {
		return nil, err
	}
	began := time.Now()
	steady := func() time.Time { return began.Round(0).Add(time.Since(began)) } // the clock steps
	if _, err := lab.ServeTime(cloudAddress+":123", steady); err != nil {
		return nil, err
	}
	cloudLog, err := os.Create(outDir + "/hubsim.log")
	if err != nil {
		return nil, err
	}
	daemonLog, err := os.Create(outDir + "/daemon.log")
	if err != nil {
		return nil, err
	}
	if w.cloud, err = startCloud(cloudLog); err != nil {
		return nil, err
	}
	key, err := w.cloud.device()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(configure(key), mountState()); err != nil {
		return nil, err
	}
	w.daemon = startDaemon(daemonLog)
	if !w.cloud.until(time.Minute, func(r []hubsim.Record) bool { return len(r) > 0 }) {
		return nil, errors.New("the daemon says nothing")
	}
	return w, nil
}
