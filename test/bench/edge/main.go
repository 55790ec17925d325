// Command edge runs in the small kernel of test/uml: a hub, the daemon, and a line of
// its own. By turns it gives the daemon a command and does the bare ioctl, and prints
// when it began; the kernel's trace says when the lines moved. The bench starts it.
//
//	edge -driver gpiochip|periph|sim -commands 200
//
// It prints "begin LINE NANOSECONDS", by CLOCK_MONOTONIC as in the trace. Simulated pins
// are not in the trace: of them it prints "edge LINE NANOSECONDS" too.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/lab"
)

const (
	daemonLine = "GPIO17"
	bareLine   = "GPIO27"
	device     = "pump"
	// pause is before each command and each ioctl, so that it finds a machine at rest.
	pause = 5 * time.Millisecond
)

func main() {
	driver := flag.String("driver", "gpiochip", "as gpio.driver says it")
	commands := flag.Int("commands", 200, "how many")
	flag.Parse()
	if err := run(*driver, *commands); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		os.Exit(1)
	}
}

func run(driver string, commands int) error {
	dir, err := os.MkdirTemp("", "edge")
	if err != nil {
		return err
	}
	cloud, err := lab.NewCloud(dir, hubsim.Options{DeliverUnsubscribed: true})
	if err != nil {
		return err
	}
	line, err := newBare(bareLine)
	if err != nil {
		return err
	}
	daemon, err := start(dir, driver, cloud)
	if err != nil {
		return err
	}
	for i := range commands {
		time.Sleep(pause)
		begin := monotonic()
		if err := toggle(cloud, fmt.Sprint(i)); err != nil {
			return fmt.Errorf("%w\n%s", err, strings.Join(daemon.Log(), "\n"))
		}
		fmt.Println("begin", daemonLine, begin)
		time.Sleep(pause)
		begin = monotonic()
		if err := line.set(i%2 == 0); err != nil {
			return err
		}
		fmt.Println("begin", bareLine, begin)
	}
	if driver == "sim" {
		if err := printEdges(dir); err != nil {
			return err
		}
	}
	if _, err := daemon.Stop(); err != nil {
		return err
	}
	return cloud.Close()
}

// start starts the daemon with one relay and returns when it is connected.
func start(dir, driver string, cloud *lab.Cloud) (*lab.Daemon, error) {
	key, err := cloud.AddKeyDevice(dir, device)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `hub: {host: localhost, port: %d, device_id: %s, key_file: %s, ca_file: %s}
ntp: {servers: []}
gpio: {driver: %s, sim_dir: %s, max_per_minute: 0}
relays:
  - {name: Pump, pin: %s}
state_dir: %s
log: {level: info, format: text}
`, cloud.HubPort, device, key, cloud.CAFile, driver, dir, daemonLine, filepath.Join(dir, "state")), 0o600); err != nil {
		return nil, err
	}
	daemon, err := lab.Start("/usr/local/bin/tasmota-azd", file, nil, nil)
	if err != nil {
		return nil, err
	}
	_, err = daemon.WaitLog("connected part=hub")
	return daemon, err
}

// toggle puts a command into the hub's queue and returns when it is completed.
func toggle(cloud *lab.Cloud, id string) error {
	_, err := cloud.Send(device, hubsim.C2D{
		MessageID: id, Body: []byte("toggle"), Properties: []hubsim.Property{{Name: "Topic", Value: "/power"}},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lab.Patience)
	defer cancel()
	return cloud.Wait(ctx, func() bool { return len(cloud.Queue(device)) == 0 })
}

// printEdges prints when the simulated pin was driven, but for the first time, at the start.
func printEdges(dir string) error {
	edges, err := lab.Edges(dir)
	if err != nil {
		return err
	}
	ahead := time.Now().UnixNano() - monotonic()
	for _, e := range edges[1:] {
		fmt.Println("edge", daemonLine, e.At.UnixNano()-ahead)
	}
	return nil
}

// monotonic is the time of the kernel's trace, in nanoseconds.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // every Linux has it
	}
	return t.Nano()
}
