package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/lab"
)

// A stage is the cloud and the two programs that are compared.
type stage struct {
	bin    string
	dir    string
	cloud  *lab.Cloud
	time   *lab.TimeServer
	daemon *contender
	bare   *contender

	started []*process
}

// newStage starts the cloud and writes what the programs need to reach it.
func newStage(bin string) (*stage, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	s := &stage{bin: bin, dir: dir}
	if s.cloud, err = lab.NewCloud(dir, hubsim.Options{DeliverUnsubscribed: true}); err != nil {
		return nil, err
	}
	if s.time, err = lab.NewTimeServer(0); err != nil {
		return nil, err
	}
	if s.daemon, err = s.newDaemon(); err != nil {
		return nil, err
	}
	s.bare, err = s.newBare()
	return s, err
}

// both returns the contenders in the order in which they take their turns.
func (s *stage) both() []*contender { return []*contender{s.daemon, s.bare} }

// close ends the programs that still run, and the cloud. The files go too, unless
// something went wrong.
func (s *stage) close(fine bool) error {
	var err error
	for _, p := range s.started {
		if p.runs() {
			err = errors.Join(err, p.kill())
		}
	}
	err = errors.Join(err, s.cloud.Close(), s.time.Close())
	if !fine {
		fmt.Fprintf(os.Stderr, "bench: the programs' logs are in %s\n", s.dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// A contender is one of the programs, at home in a directory of its own.
type contender struct {
	stage   *stage
	device  string // its id at the hub, and the name of its directory
	program string
	args    []string
}

func (s *stage) newDaemon() (*contender, error) {
	c, key, err := s.newContender("daemon", "tasmota-azd")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(c.dir(), "config.yaml")
	c.args = []string{"run", "--config", file}
	return c, os.WriteFile(file, fmt.Appendf(nil, `hub:
  host: localhost
  port: %d
  device_id: %s
  key_file: %s
  ca_file: %s
ntp:
  servers: ["%s"]
gpio: {driver: sim, sim_dir: %s, max_per_minute: 0}
relays:
  - {name: Pump, pin: GPIO17}
state_dir: %s
log: {level: info, format: text}
`, s.cloud.HubPort, c.device, key, s.cloud.CAFile, s.time.Addr, c.pins(), filepath.Join(c.dir(), "state")), 0o600)
}

func (s *stage) newBare() (*contender, error) {
	c, keyFile, err := s.newContender("bare", "bare")
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	c.args = []string{"-port", fmt.Sprint(s.cloud.HubPort), "-device", c.device,
		"-key", string(key[:len(key)-1]), "-ca", s.cloud.CAFile, "-pins", c.pins()}
	return c, nil
}

// newContender makes the directory and the device of a program.
func (s *stage) newContender(device, program string) (*contender, string, error) {
	c := &contender{stage: s, device: device, program: filepath.Join(s.bin, program)}
	if _, err := os.Stat(c.program); err != nil {
		return nil, "", fmt.Errorf("%w: run make bench, which builds it", err)
	}
	if err := os.Mkdir(c.dir(), 0o755); err != nil {
		return nil, "", err
	}
	key, err := s.cloud.AddKeyDevice(c.dir(), device)
	return c, key, err
}

func (c *contender) dir() string  { return filepath.Join(c.stage.dir, c.device) }
func (c *contender) pins() string { return filepath.Join(c.dir(), "pins") }

// send queues a toggle with a message id.
func (c *contender) send(id string) error {
	_, err := c.stage.cloud.Send(c.device, hubsim.C2D{
		MessageID: id, Body: []byte("toggle"), Properties: []hubsim.Property{{Name: "Topic", Value: "/power"}},
	})
	return err
}

// wait waits until cond holds, which is asked after each event at the hub.
func (c *contender) wait(ctx context.Context, what string, cond func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lab.Patience, fmt.Errorf("%s did not come within %v", what, lab.Patience))
	defer cancel()
	if err := c.stage.cloud.Wait(ctx, cond); err != nil {
		return fmt.Errorf("%s: %w", c.device, err)
	}
	return nil
}

// online waits for a CONNECT that was accepted after a time, and returns when.
func (c *contender) online(ctx context.Context, since time.Time) (time.Time, error) {
	var at time.Time
	err := c.wait(ctx, "a CONNECT", func() bool {
		for _, l := range c.stage.cloud.Logins() {
			if l.Device == c.device && l.Code == 0 && l.Time.After(since) {
				at = l.Time
				return true
			}
		}
		return false
	})
	return at, err
}

// completed waits until the hub has nothing left for the device.
func (c *contender) completed(ctx context.Context) error {
	return c.wait(ctx, "the last PUBACK", func() bool { return len(c.stage.cloud.Queue(c.device)) == 0 })
}
