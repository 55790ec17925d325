// Package lab runs the built programs as a person would: a cloud with real TLS on
// loopback, a time server, and the daemon as a process of its own, with simulated
// pins. The end-to-end tests and the bench stand on it.
package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
	"tasmota-azd/test/gobuild"
)

// A Cloud is a hub and a provisioning service on loopback, with real TLS.
type Cloud struct {
	*hubsim.Sim
	HubPort, DPSPort int
	CAFile           string

	ca   *hubsim.CA
	dps  *http.Server
	stop context.CancelFunc
	done chan error

	stopWeb context.CancelFunc
	webDone chan error
}

// NewCloud starts a cloud that keeps its CA's certificate in dir.
func NewCloud(dir string, o hubsim.Options) (*Cloud, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	ca, err := hubsim.NewCA(o.Now())
	if err != nil {
		return nil, err
	}
	c := &Cloud{Sim: hubsim.New(o), ca: ca, CAFile: filepath.Join(dir, "cloud-ca.pem")}
	if err := os.WriteFile(c.CAFile, ca.PEM(), 0o644); err != nil {
		return nil, err
	}
	if err := c.Listen(); err != nil {
		return nil, err
	}
	return c, c.listenDPS()
}

// Listen opens the hub's port: a free one at first, later the same again.
func (c *Cloud) Listen() error {
	config, err := c.TLSConfig(c.ca)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.HubPort))
	if err != nil {
		return err
	}
	c.HubPort = ln.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithCancel(context.Background())
	c.stop, c.done = cancel, make(chan error, 1)
	go func() { c.done <- c.Serve(ctx, ln, config) }()
	return nil
}

// ListenWeb opens a port for MQTT over WebSocket, a free one for 0, and returns it.
func (c *Cloud) ListenWeb(port int) (int, error) {
	config, err := c.TLSConfig(c.ca)
	if err != nil {
		return 0, err
	}
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stopWeb, c.webDone = cancel, make(chan error, 1)
	go func() { c.webDone <- c.ServeWebSocket(ctx, ln, config) }()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// Deafen closes the hub's port; connections that stand live on.
func (c *Cloud) Deafen() error {
	c.stop()
	return <-c.done
}

func (c *Cloud) listenDPS() error {
	config, err := c.DPSConfig(c.ca)
	if err != nil {
		return err
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return err
	}
	c.DPSPort = ln.Addr().(*net.TCPAddr).Port
	c.dps = &http.Server{Handler: c.DPS(), ReadHeaderTimeout: 10 * time.Second}
	go c.dps.Serve(ln) // ends with Close
	return nil
}

// Close ends the cloud.
func (c *Cloud) Close() error {
	err := c.dps.Close()
	c.stop()
	if c.stopWeb != nil {
		c.stopWeb()
		err = errors.Join(err, <-c.webDone)
	}
	c.Sim.Close()
	return err
}

// AddKeyDevice creates a device and writes its key to a file in dir.
func (c *Cloud) AddKeyDevice(dir, id string) (keyFile string, err error) {
	text := hubsim.NewKey()
	key, err := token.ParseKey(text)
	if err != nil {
		return "", err
	}
	if err := c.AddDevice(hubsim.Device{ID: id, Key: key}); err != nil {
		return "", err
	}
	keyFile = filepath.Join(dir, id+".key")
	return keyFile, os.WriteFile(keyFile, []byte(text+"\n"), 0o600)
}

// Build compiles the command cmd/<name> into dir, with the race detector if race.
func Build(dir, pkg string, race bool) (string, error) {
	bin := filepath.Join(dir, filepath.Base(pkg))
	if race {
		return bin, gobuild.Build(bin, "tasmota-azd/"+pkg, nil, "-race")
	}
	return bin, gobuild.Build(bin, "tasmota-azd/"+pkg, []string{"CGO_ENABLED=0"})
}
