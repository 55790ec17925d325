package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"tasmota-azd/internal/hubsim"
)

const (
	control  = "http://127.0.0.1:8880/v1"
	cloudDir = "/run/cloud"
	deviceID = "pump"
)

// A cloud is the stand-in as a process, and what it got from the device.
type cloud struct {
	cmd *exec.Cmd
	log io.Writer

	mu      sync.Mutex
	last    uint64 // number of the last record
	records []hubsim.Record
	first   map[string]time.Time // when the first answer to a command came
	more    chan struct{}        // closed and replaced when there is one more
}

func startCloud(log io.Writer) (*cloud, error) {
	c := &cloud{log: log, first: make(map[string]time.Time), more: make(chan struct{})}
	if err := c.start(); err != nil {
		return nil, err
	}
	go c.watch() // until the guest ends
	return c, nil
}

// start returns when everything listens.
func (c *cloud) start() error {
	const ready = "/run/cloud.json"
	os.Remove(ready) // the first time there is none
	c.cmd = exec.Command("hubsim", "serve", "--listen", cloudAddress, "--hub", hubName, "--websocket-port", "443",
		"--data", cloudDir, "--ready-file", ready, "--deliver-unsubscribed", "--steady-clock")
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if err := c.cmd.Start(); err != nil {
		return err
	}
	for range 600 {
		if _, err := os.Stat(ready); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("hubsim does not listen")
}

func (c *cloud) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait() // ends with the signal
}

// device makes the device and returns its key.
func (c *cloud) device() (key string, err error) {
	if err := post("/devices", map[string]string{"deviceId": deviceID}); err != nil {
		return "", err
	}
	res, err := http.Get(control + "/devices/" + deviceID + "/keys")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var keys struct{ Key string }
	err = json.NewDecoder(res.Body).Decode(&keys)
	return keys.Key, err
}

// cut has the hub reset the device's connection, if there is one.
func (c *cloud) cut() error {
	err := post("/devices/"+deviceID+"/reset", nil)
	if err != nil && strings.Contains(err.Error(), "404") {
		return nil
	}
	return err
}

// send queues a command. An error means that it is not known whether the hub has it.
func (c *cloud) send(id, topic, body string) error {
	return post("/devices/"+deviceID+"/messages", map[string]string{"topic": topic, "body": body, "messageId": id})
}

func post(path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	res, err := http.Post(control+path, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s: %s", path, res.Status, answer)
	}
	return err
}

// watch collects what the device sends, for ever.
func (c *cloud) watch() {
	for ; ; time.Sleep(100 * time.Millisecond) {
		res, err := http.Get(fmt.Sprintf("%s/events?follow=true&since=%d", control, c.last))
		if err != nil {
			continue // it is being restarted
		}
		for d := json.NewDecoder(res.Body); ; {
			var r hubsim.Record
			if d.Decode(&r) != nil {
				break
			}
			c.take(r)
		}
		res.Body.Close()
	}
}

func (c *cloud) take(r hubsim.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = r.Seq
	c.records = append(c.records, r)
	if id := r.System["correlation-id"]; id != "" && c.first[id].IsZero() {
		c.first[id] = time.Now()
	}
	close(c.more)
	c.more = make(chan struct{})
}

// until waits for a condition about all that was sent.
func (c *cloud) until(most time.Duration, done func([]hubsim.Record) bool) bool {
	end := time.After(most)
	for {
		c.mu.Lock()
		records, more := c.records, c.more
		c.mu.Unlock()
		if done(records) {
			return true
		}
		select {
		case <-more:
		case <-end:
			return false
		}
	}
}
