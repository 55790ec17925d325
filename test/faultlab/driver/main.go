// Driver is what the guest of the fault lab runs: it makes the network, starts the
// stand-in and the daemon, sends commands, brings faults about, and writes down what it saw.
//
//	driver TIMES SEED FAULT...
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/faultlab"
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
	if len(args) < 3 {
		return errors.New("usage: driver TIMES SEED FAULT...")
	}
	times, err := strconv.Atoi(args[0])
	seed, err2 := strconv.ParseUint(args[1], 10, 64)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	w, err := begin(seed)
	if err != nil {
		return err
	}
	o, err := w.play(args[2:], times)
	if err != nil {
		return err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(outDir+"/observation.json", text, 0o644)
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
	if err := configure(key); err != nil {
		return nil, err
	}
	w.daemon = startDaemon(daemonLog)
	if !w.cloud.until(time.Minute, func(r []hubsim.Record) bool { return len(r) > 0 }) {
		return nil, errors.New("the daemon says nothing")
	}
	return w, nil
}

// play brings each of the faults about so many times, while commands are sent.
func (w *world) play(names []string, times int) (o faultlab.Observation, err error) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	pace := rand.New(rand.NewPCG(w.chance.Uint64(), 0))
	go func() {
		defer close(stopped)
		w.keepSending(pace, stop)
	}()
	for range times {
		for _, name := range names {
			time.Sleep(between(w.chance, time.Second, 10*time.Second))
			if err := w.suffer(name, len(names) > 1); err != nil {
				return o, fmt.Errorf("%s: %w", name, err)
			}
			o.Recoveries = append(o.Recoveries, w.recovery())
			w.turn++
		}
	}
	o.Faults = w.turn
	close(stop)
	<-stopped
	w.recovery()
	w.daemon.retire()
	return o, w.report(&o)
}

// suffer has a fault come and go, sooner if it is one of many.
func (w *world) suffer(name string, soon bool) error {
	f, ok := faults[name]
	if !ok {
		return errors.New("there is no such fault")
	}
	if f.most == 0 {
		f.most = 2 * time.Minute
	}
	if soon {
		f.most /= 12
	}
	if f.begin != nil {
		if err := f.begin(w); err != nil {
			return err
		}
	}
	time.Sleep(between(w.chance, f.most/10, f.most))
	if f.end == nil {
		return nil
	}
	return f.end(w)
}

// report adds what came of the commands.
func (w *world) report(o *faultlab.Observation) (err error) {
	o.Commands = w.sent
	if o.Edges, err = moves(); err != nil {
		return err
	}
	if o.Records, err = causes(); err != nil {
		return err
	}
	w.cloud.mu.Lock()
	defer w.cloud.mu.Unlock()
	for _, r := range w.cloud.records {
		if id := r.System["correlation-id"]; id != "" {
			o.Answers = append(o.Answers, faultlab.Answer{Command: id, ID: r.System["message-id"], Topic: r.Properties["topic"]})
		}
	}
	return nil
}
