package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"time"

	"tasmota-azd/internal/device"
	"tasmota-azd/internal/store"
	"tasmota-azd/test/faultlab"
)

// cut has a relay switched all the time, and cuts the power at some moment. Before
// that it prints which commands were answered, and how long ago.
func cut(seed uint64) error {
	w, err := begin(seed)
	if err != nil {
		return err
	}
	end := time.Now().Add(between(w.chance, 3*time.Second, 6*time.Second))
	heard := make(map[string]time.Time)
	for time.Now().Before(end) {
		w.toggle()
		heard[w.sent[0].ID] = time.Now()
	}
	ages := make(map[string]time.Duration)
	for id, at := range heard {
		ages[id] = time.Since(at)
	}
	if err := json.NewEncoder(os.Stdout).Encode(ages); err != nil {
		return err
	}
	time.Sleep(100 * time.Millisecond) // until that has left
	return exec.Command("halt", "-f", "-n").Run()
}

// remains prints what a start would find, and which of so many commands it would
// recognise.
func remains(commands int) error {
	if err := mountState(); err != nil {
		return err
	}
	s, err := store.Open(stateDir, nil)
	if err != nil {
		return err
	}
	state, j, err := device.Load(s)
	if err != nil {
		return err
	}
	left := faultlab.Remains{On: state.Relays[pins[0]]}
	if _, cut := state.Cut(pins[0]); cut { // a toggle that will run when it comes again
		left.On = !left.On
	}
	for n := range commands {
		id := toggleID(n + 1)
		if _, ok := j.Known(id, time.Now()); ok {
			left.Known = append(left.Known, id)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(left)
}
