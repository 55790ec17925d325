package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"tasmota-azd/test/faultlab"
)

// suffer brings the faults about one after the other, and writes down what it saw.
func suffer(seed int, names []string) error {
	w, err := begin(uint64(seed))
	if err != nil {
		return err
	}
	o, err := w.play(names)
	if err != nil {
		return err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(outDir+"/observation.json", text, 0o644)
}

// play brings the faults about, while commands are sent.
func (w *world) play(names []string) (o faultlab.Observation, err error) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	pace := rand.New(rand.NewPCG(w.chance.Uint64(), 0))
	go func() {
		defer close(stopped)
		w.keepSending(pace, stop)
	}()
	for _, name := range names {
		time.Sleep(between(w.chance, time.Second, 10*time.Second))
		if err := w.fault(name, slices.ContainsFunc(names, func(n string) bool { return n != name })); err != nil {
			return o, fmt.Errorf("%s: %w", name, err)
		}
		o.Recoveries = append(o.Recoveries, w.recovery())
		w.turn++
	}
	o.Faults = w.turn
	close(stop)
	<-stopped
	w.recovery()
	w.daemon.retire()
	return o, w.report(&o)
}

// fault has a fault come and go, sooner if it is one of many.
func (w *world) fault(name string, soon bool) error {
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
	for i, c := range w.sent {
		if came := w.cloud.first[c.ID]; !came.IsZero() {
			o.Waits = append(o.Waits, max(0, came.Sub(w.at[i])))
		}
	}
	for _, r := range w.cloud.records {
		if id := r.System["correlation-id"]; id != "" {
			o.Answers = append(o.Answers, faultlab.Answer{Command: id, ID: r.System["message-id"], Topic: r.Properties["topic"]})
		}
	}
	return nil
}
