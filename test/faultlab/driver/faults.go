package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// A fault is what the driver does to the world. Begin and end may be nil.
type fault struct {
	begin, end func(*world) error
	most       time.Duration // how long it lasts at most, and a tenth of that at least; two minutes if 0
}

// faults are those of faultlab.Faults.
var faults = map[string]fault{
	"none":               {},
	"loss 5 %":           network("loss 5%"),
	"loss 20 %":          network("loss 20%"),
	"delay":              network("delay 300ms 200ms"),
	"reorder":            network("delay 50ms reorder 25%"),
	"corrupt":            network("corrupt 5%"),
	"64 kbit/s":          network("rate 64kbit"),
	"MTU black hole":     {begin: blackHole, end: endBlackHole},
	"one-way drop, up":   wall("iif n1 drop"),
	"one-way drop, down": wall("iif n0 drop"),
	"RST storm":          wall("meta l4proto tcp numgen random mod 5 == 0 reject with tcp reset"),
	"DNS lies":           {begin: lie, end: honestly},
	"hub restarts":       {begin: hubDown, end: hubUp, most: 10 * time.Second},
	"kill -9":            {begin: killSoon, most: time.Second},
	"clock steps":        {begin: step, most: 20 * time.Second},
	"disk full":          {begin: fill, end: empty},

	"read-only state directory": {begin: seal, end: unseal},
}

func network(how string) fault {
	return fault{begin: func(*world) error { return netem(how) }, end: func(*world) error { return noNetem() }}
}

func wall(rule string) fault {
	return fault{begin: func(*world) error { return firewall(rule) }, end: func(*world) error { return noFirewall() }}
}

func blackHole(w *world) error {
	if err := silence(); err != nil {
		return err
	}
	if err := mtu(576); err != nil || w.turn%2 == 0 {
		return err
	}
	return w.cloud.cut()
}

func endBlackHole(*world) error {
	if err := mtu(1500); err != nil {
		return err
	}
	return noFirewall()
}

// lie takes the lies in turn.
func lie(w *world) error {
	lies := []int32{elsewhere, wrong, noName, broken, silent}
	w.names.mood.Store(lies[w.turn%len(lies)])
	return w.cloud.cut()
}

func honestly(w *world) error {
	w.names.mood.Store(honest)
	return nil
}

func hubDown(w *world) error {
	w.cloud.kill()
	return nil
}

func hubUp(w *world) error { return w.cloud.start() }

// killSoon sends a few commands at once, and kills the daemon at any moment of them.
func killSoon(w *world) error {
	for range 1 + w.chance.IntN(6) {
		w.command()
	}
	time.Sleep(between(w.chance, 0, 60*time.Millisecond))
	w.daemon.kill()
	return nil
}

// steps of the system clock.
var steps = []time.Duration{10 * time.Minute, -time.Hour, 49 * time.Hour, -26 * 365 * 24 * time.Hour, 30 * 365 * 24 * time.Hour}

func step(w *world) error {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		return err
	}
	now.Sec += int64(steps[w.turn%len(steps)] / time.Second)
	if err := syscall.Settimeofday(&now); err != nil {
		return err
	}
	if w.turn%2 == 1 {
		w.daemon.kill()
	}
	return w.cloud.cut()
}

const ballast = stateDir + "/ballast"

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func fill(w *world) error {
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	defer f.Close()
	if n, err := io.Copy(f, zeros{}); err == nil {
		return fmt.Errorf("the disk took %d bytes and is not full", n)
	}
	return w.cloud.cut()
}

func empty(*world) error { return os.Remove(ballast) }

// seal lets no file be made in the state directory.
func seal(w *world) error {
	if w.turn%2 == 0 {
		if err := os.Chmod(stateDir, 0o500); err != nil {
			return err
		}
		return w.cloud.cut()
	}
	w.daemon.kill()
	for {
		err := syscall.Mount("", stateDir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
		if err != syscall.EBUSY { // until it has ended
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func unseal(w *world) error {
	if w.turn%2 == 0 {
		return os.Chmod(stateDir, 0o700)
	}
	return syscall.Mount("", stateDir, "", syscall.MS_REMOUNT, "")
}
