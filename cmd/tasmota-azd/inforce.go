package main

import (
	"sync"
	"time"

	"tasmota-azd/internal/config"
)

// inForce is the configuration that the daemon goes by, and what became of the last
// attempt to read another one.
type inForce struct {
	source
	wall func(time.Time) time.Time

	mu      sync.Mutex
	cfg     config.Config
	read    time.Time // when it was read
	reloads int       // attempts since the start
	failed  time.Time // when the last of them failed, zero if it did not
	faults  []string  // why
	broken  bool      // it was the file
	waits   []string  // what a restart would change
}

// A configuration is what `tasmota-azd status` tells of the file.
type configuration struct {
	File         string    `json:"file"`
	Read         time.Time `json:"read"` // when that was read which is in force
	Reloads      int       `json:"reloads"`
	FailedAt     time.Time `json:"failed_at,omitzero"`      // the last reload; zero if it was a success
	Faults       []string  `json:"faults,omitempty"`        // why, each mistake with file and line
	Broken       bool      `json:"broken,omitempty"`        // the file has mistakes
	NeedsRestart []string  `json:"needs_restart,omitempty"` // changes that only a restart brings
	Credentials  []string  `json:"credentials,omitempty"`   // keys that systemd gave, which only a restart changes
}

// config is the one in force.
func (f *inForce) config() config.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cfg
}

func (f *inForce) status() configuration {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := configuration{
		File: f.path, Read: f.wall(f.read), Reloads: f.reloads, Faults: f.faults, Broken: f.broken,
		NeedsRestart: f.waits, Credentials: f.cfg.Credentials,
	}
	if !f.failed.IsZero() {
		c.FailedAt = f.wall(f.failed)
	}
	return c
}

// take notes that cfg is in force from now on.
func (f *inForce) take(cfg config.Config, read time.Time, waits []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reloads++
	f.cfg, f.read, f.waits = cfg, read, waits
	f.failed, f.faults, f.broken = time.Time{}, nil, false
}

// refuse notes that what was before stays in force.
func (f *inForce) refuse(at time.Time, faults []string, broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reloads++
	f.failed, f.faults, f.broken = at, faults, broken
}
