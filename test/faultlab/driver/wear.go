package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"tasmota-azd/test/faultlab"
)

// disk is where the state directory is, if the guest has a second disk.
const disk = "/dev/ubdb"

// wear runs the daemon for a day in which so many commands come, and prints what was
// written to its disk.
func wear(commands int) error {
	w, err := begin(0)
	if err != nil {
		return err
	}
	rest() // after the start
	before, err := written()
	if err != nil {
		return err
	}
	began := time.Now()
	pause := 24 * time.Hour / time.Duration(commands+1)
	for n := range commands {
		time.Sleep(time.Until(began.Add(time.Duration(n+1) * pause)))
		w.toggle()
	}
	time.Sleep(time.Until(began.Add(24 * time.Hour)))
	rest()
	after, err := written()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(faultlab.Wear{
		Commands: commands, For: time.Since(began),
		Bytes: after.Bytes - before.Bytes, Writes: after.Writes - before.Writes,
	})
}

// rest is longer than the kernel keeps what it has to write.
func rest() { time.Sleep(time.Minute) }

// toggle has one relay switched, and waits until that is answered.
func (w *world) toggle() {
	w.sent, w.at = w.sent[:0], w.at[:0] // one at a time, and no end to them
	w.toggles++
	w.post(faultlab.Command{ID: toggleID(w.toggles), Pin: pins[0]}, "/power1", "toggle")
	w.answered()
}

func toggleID(n int) string { return fmt.Sprintf("t-%06d", n) }

// written is what the disk was told to write since the start (block/stat in the
// kernel's documentation).
func written() (faultlab.Wear, error) {
	text, err := os.ReadFile("/sys/block/ubdb/stat")
	if err != nil {
		return faultlab.Wear{}, err
	}
	f := strings.Fields(string(text))
	if len(f) < 7 {
		return faultlab.Wear{}, fmt.Errorf("/sys/block/ubdb/stat: %q", text)
	}
	writes, err := strconv.Atoi(f[4])
	if err != nil {
		return faultlab.Wear{}, err
	}
	sectors, err := strconv.ParseInt(f[6], 10, 64)
	return faultlab.Wear{Writes: writes, Bytes: 512 * sectors}, err
}
