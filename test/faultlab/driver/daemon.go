package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/store"
	"tasmota-azd/test/faultlab"
	"tasmota-azd/test/lab"
)

const (
	configFile = "/etc/tasmota-azd.yaml"
	stateDir   = "/run/state"
	pinsDir    = "/run/pins"
	// restartAfter is the unit's RestartSec.
	restartAfter = 10 * time.Second
)

// pins are the relays, in the order of POWER1, POWER2, …
var pins = []string{"GPIO17", "GPIO27", "GPIO22", "GPIO23"}

// A daemon is the program under test. It is started again whenever it ends.
type daemon struct {
	log io.Writer

	mu      sync.Mutex
	cmd     *exec.Cmd
	retired bool
	ended   chan struct{} // closed when it is not started again
}

// configure writes the daemon's configuration.
func configure(key string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "hub: {host: %s, device_id: %s, key: %s, ca_file: %s/ca.pem}\n", hubName, deviceID, key, cloudDir)
	fmt.Fprintf(&b, "ntp: {servers: [\"%s\"]}\ngpio: {driver: sim, sim_dir: %s, on_stop: hold}\n", cloudAddress, pinsDir)
	fmt.Fprintf(&b, "state_dir: %s\nlog: {format: text}\nrelays:\n", stateDir)
	for i, p := range pins {
		fmt.Fprintf(&b, "  - {name: R%d, pin: %s}\n", i+1, p)
	}
	if err := os.WriteFile(configFile, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return script("chown pi " + configFile + "\nmkdir -p " + pinsDir + "\nchown pi " + pinsDir + "\nchmod 711 " + cloudDir)
}

// mountState makes the state directory: the second disk if there is one, with the
// options that Raspberry Pi OS has, or else a file system of 4 MB.
func mountState() error {
	mount := "mount -t tmpfs -o size=4m state "
	if _, err := os.Stat(disk); err == nil {
		mount = "mount -t ext4 -o noatime " + disk + " "
	}
	return script("mkdir -p " + stateDir + "\n" + mount + stateDir + "\nchown pi " + stateDir + "\nchmod 700 " + stateDir)
}

// startDaemon runs the daemon in its namespace, as a user without rights.
func startDaemon(log io.Writer) *daemon {
	d := &daemon{log: log, ended: make(chan struct{})}
	go d.supervise()
	return d
}

func (d *daemon) supervise() {
	defer close(d.ended)
	for d.launch() {
		d.cmd.Wait() // however it ends
		time.Sleep(restartAfter)
	}
}

func (d *daemon) launch() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.retired {
		return false
	}
	d.cmd = exec.Command("ip", "netns", "exec", "device", "su", "-s", "/bin/sh", "pi", "-c", "exec tasmota-azd run --config "+configFile)
	d.cmd.Stderr, d.cmd.Stdout = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		panic(err) // out of memory, or no such program
	}
	return true
}

// kill kills it, in whatever it is about.
func (d *daemon) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cmd.Process.Kill() // it may have ended
}

// retire ends it in good order.
func (d *daemon) retire() {
	d.mu.Lock()
	d.retired = true
	d.cmd.Process.Signal(syscall.SIGTERM)
	d.mu.Unlock()
	<-d.ended
}

// moves are the changes of the pins' levels. Each pin was low before.
func moves() ([]faultlab.Edge, error) {
	all, err := lab.Edges(pinsDir)
	if err != nil {
		return nil, err
	}
	var list []faultlab.Edge
	level := make(map[string]int)
	for _, e := range all {
		if e.Level != level[e.Pin] {
			level[e.Pin] = e.Level
			list = append(list, faultlab.Edge{Pin: e.Pin, On: e.Level == 1})
		}
	}
	return list, nil
}

// causes are the daemon's record of the changes.
func causes() ([]faultlab.Record, error) {
	s, err := store.Open(stateDir, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	_, j, err := device.Load(s)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	var list []faultlab.Record
	level := make(map[string]bool)
	for _, e := range j.Edges(edges.Most) {
		if e.From == nil && e.To == level[e.Pin] { // a start, which drove the level that was there
			continue
		}
		level[e.Pin] = e.To
		list = append(list, faultlab.Record{Edge: faultlab.Edge{Pin: e.Pin, On: e.To}, Cause: because(e.Cause)})
	}
	return list, nil
}

func because(c cause.Cause) string {
	if c.Door == cause.C2D && c.ID != "" {
		return c.ID
	}
	return "[" + c.String() + "]"
}
