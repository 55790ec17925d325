package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

// lossy is a connection whose network carries nothing any more, in one direction or
// both, and tells nobody.
type lossy struct {
	net.Conn
	noIn, noOut atomic.Bool
	closed      chan struct{}
	once        sync.Once
}

func newLossy(conn net.Conn) *lossy { return &lossy{Conn: conn, closed: make(chan struct{})} }

func (l *lossy) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	for l.noIn.Load() {
		if err != nil { // the end does not come through either
			<-l.closed
			return 0, net.ErrClosed
		}
		n, err = l.Conn.Read(p)
	}
	return n, err
}

func (l *lossy) Write(p []byte) (int, error) {
	if l.noOut.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}

func (l *lossy) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// A link that is dead in one direction, or in both, is found out within 1.5 × the
// keep-alive, whoever is talking.
func TestDeadDirectionsAreNoticed(t *testing.T) {
	deaf := func(l *lossy) { l.noIn.Store(true) }
	dumb := func(l *lossy) { l.noOut.Store(true) }
	both := func(l *lossy) { deaf(l); dumb(l) }
	for _, keepAlive := range []time.Duration{10 * time.Second, 20 * time.Second, time.Minute, 4 * time.Minute, 1177 * time.Second} {
		for fault, die := range map[string]func(*lossy){"in": deaf, "out": dumb, "both": both} {
			for _, talk := range []string{"nobody", "device", "hub"} {
				t.Run(fmt.Sprint(keepAlive, " ", fault, " ", talk), func(t *testing.T) {
					noticed(t, keepAlive, die, talk)
				})
			}
		}
	}
}

func noticed(t *testing.T, keepAlive time.Duration, die func(*lossy), talk string) {
	s := setup{manual: true}
	s.options.KeepAlive = keepAlive
	s.options.TokenTTL = 24 * time.Hour
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		var link *lossy
		c.wrap = func(conn net.Conn) net.Conn {
			link = newLossy(conn)
			return link
		}
		d.run()
		// The worst moment is just after a ping, or a message, that was answered.
		for range 120 {
			step(c, d, talk, keepAlive/10)
		}
		time.Sleep(keepAlive / 100)
		die(link)
		died := time.Now()
		for d.lastError() == nil {
			if time.Since(died) > keepAlive*3/2 {
				t.Fatalf("not noticed within %v", keepAlive*3/2)
			}
			step(c, d, talk, keepAlive/10)
		}
		if e := d.lastError(); !strings.Contains(e.Error(), "the link is dead") {
			t.Errorf("it was not the device that found out: %v", e)
		}
		c.down.Store(true)
	})
}

// step lets one side talk, and time pass.
func step(c *cloud, d *device, talk string, pause time.Duration) {
	switch talk {
	case "device":
		d.say("tick")
	case "hub": // whose queue may be full of what is not acknowledged
		c.Send(dev, hubsim.C2D{Body: []byte("tick")})
	}
	time.Sleep(pause)
	synctest.Wait()
}

// An idle device is pinged for once per keep-alive, as the owner chose it, and one
// that is busy and answered not at all.
func TestPings(t *testing.T) {
	for _, tt := range []struct {
		every time.Duration // the device talks
		want  int           // pings in an hour
	}{{time.Hour, 59}, {50 * time.Second, 0}, {90 * time.Second, 40}} {
		inBubble(t, setup{options: hub.Options{TokenTTL: 24 * time.Hour}}, func(t *testing.T, c *cloud, d *device) {
			for at := time.Duration(0); at < time.Hour; at += tt.every {
				time.Sleep(min(tt.every, time.Hour-at) - time.Millisecond)
				d.say("tick")
				time.Sleep(time.Millisecond)
			}
			pings := 0
			for _, p := range c.sent() {
				if p == "PINGREQ" {
					pings++
				}
			}
			if pings != tt.want {
				t.Errorf("%d pings in an hour with a message each %v, want %d", pings, tt.every, tt.want)
			}
		})
	}
}

// The same over TCP: a proxy that goes on in one direction only.
func TestDeadDirectionOverTCP(t *testing.T) {
	for _, fault := range []string{"to the device", "to the hub"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			sim := hubsim.New(hubsim.Options{})
			defer sim.Close()
			must(t, sim.AddDevice(hubsim.Device{ID: dev, Key: key(t)}))
			port := listen(t, sim.ServeConn)
			var toDevice, toHub atomic.Bool // dead
			proxy := listen(t, func(device net.Conn) {
				up, err := net.Dial("tcp", fmt.Sprint("localhost:", port))
				must(t, err)
				go carry(device, up, &toDevice)
				carry(up, device, &toHub)
			})
			ended := runOver(t, proxy, 2*time.Second)
			died := time.Now()
			if fault == "to the hub" {
				toHub.Store(true)
			} else {
				toDevice.Store(true)
			}
			err := <-ended
			if took := time.Since(died); took > 3*time.Second {
				t.Errorf("noticed after %v, more than 1.5 × keep-alive", took)
			}
			if !strings.Contains(fmt.Sprint(err), "ping was not answered") {
				t.Errorf("told: %v", err)
			}
		})
	}
}

// carry copies until the end, and drops what comes while dead is set.
func carry(to, from net.Conn, dead *atomic.Bool) {
	defer to.Close()
	p := make([]byte, 4096)
	for {
		n, err := from.Read(p)
		if err != nil {
			return
		}
		if !dead.Load() {
			if _, err := to.Write(p[:n]); err != nil {
				return
			}
		}
	}
}

// runOver connects a device to a port without TLS, and returns when it is online. The
// channel says why its first session ended.
func runOver(t *testing.T, port int, keepAlive time.Duration) <-chan error {
	t.Helper()
	client := hub.New(hub.Options{
		Identify: func(context.Context, hub.Trouble) (hub.Identity, error) {
			return hub.Identity{Host: "localhost", DeviceID: dev, Key: key(t)}, nil
		},
		Port: port, KeepAlive: keepAlive,
		Dial: func(ctx context.Context, host string, port int) (net.Conn, error) {
			return hub.TCPDialer(keepAlive).DialContext(ctx, "tcp", fmt.Sprint(host, ":", port))
		},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	ctx, stop := context.WithCancel(t.Context())
	events, gone := make(chan hub.Event), make(chan struct{})
	go func() {
		client.Run(ctx, events)
		close(gone)
	}()
	t.Cleanup(func() { stop(); <-gone })
	if ev, ok := (<-events).(hub.Connected); !ok {
		t.Fatal("not connected: ", ev)
	}
	ended := make(chan error, 1)
	go func() {
		for {
			select {
			case ev := <-events:
				if ev, ok := ev.(hub.Disconnected); ok && len(ended) == 0 {
					ended <- ev.Err
				}
			case <-gone:
				return
			}
		}
	}()
	return ended
}

// The kernel gives up on bytes that nobody takes.
func TestTCPUserTimeout(t *testing.T) {
	t.Parallel()
	port := listen(t, func(net.Conn) {}) // which reads nothing
	conn, err := hub.TCPDialer(2*time.Second).Dial("tcp", fmt.Sprint("localhost:", port))
	must(t, err)
	defer conn.Close()
	start := time.Now()
	_, err = io.Copy(conn, endless{})
	if !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("writing ended with %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("after %v", took)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
