package hub_test

import (
	"bytes"
	"context"
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
	"tasmota-azd/internal/token"
)

const (
	hubName = "contoso.azure-devices.net"
	dev     = "rpi-0001"
	keyText = "jNz5mAED7S6cwBfdwDO7vWozxrhf3BqeqABjaumHObY="

	// The life of a token, and when it is renewed if chance is in the middle. Not
	// an hour: pings are sent at whole minutes, and the stand-in that fails to answer
	// one because the device has left does not see its DISCONNECT.
	tokenTTL = 3601 * time.Second
	renewAt  = tokenTTL * 8 / 10
)

func key(t testing.TB) token.Key {
	k, err := token.ParseKey(keyText)
	must(t, err)
	return k
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cloud is an IoT hub with the device rpi-0001, reached through pipes.
type cloud struct {
	*hubsim.Sim
	t    *testing.T
	down atomic.Bool             // nothing listens
	wrap func(net.Conn) net.Conn // spoils the device's end
	when []time.Duration         // of each attempt to connect, since the start
	zero time.Time
	mu   sync.Mutex
}

func (c *cloud) Dial(context.Context, string, int) (net.Conn, error) {
	c.mu.Lock()
	c.when = append(c.when, time.Since(c.zero))
	c.mu.Unlock()
	if c.down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	here, there := net.Pipe()
	go c.ServeConn(there)
	if c.wrap != nil {
		here = c.wrap(here)
	}
	return here, nil
}

func (c *cloud) attempts() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.when
}

// c2d sends a message with an id.
func (c *cloud) c2d(id, body string) {
	c.t.Helper()
	_, err := c.Send(dev, hubsim.C2D{MessageID: id, Body: []byte(body), Properties: []hubsim.Property{{Name: "Topic", Value: "/power"}}})
	must(c.t, err)
}

func (c *cloud) inject(f hubsim.Fault) {
	c.t.Helper()
	must(c.t, c.Inject(f))
}

// bodies are those of the D2C messages so far, in order.
func (c *cloud) bodies() []string {
	synctest.Wait()
	var all []string
	for _, r := range c.Records() {
		all = append(all, string(r.Body))
	}
	return all
}

// sent lists the packets from the device.
func (c *cloud) sent() []string {
	var all []string
	for _, p := range c.Packets() {
		if p.In {
			all = append(all, p.Type)
		}
	}
	return all
}

// device is a Client with a loop that takes its events.
type device struct {
	*hub.Client
	t      *testing.T
	stop   func() // ends Run and waits for it
	handle func(hub.Message)
	method func(hub.Method)
	events chan hub.Event

	mu   sync.Mutex
	seen []hub.Event
	logs bytes.Buffer
}

// setup is what a test changes before the device starts.
type setup struct {
	options hub.Options
	sim     hubsim.Options
	chance  float64                    // default 0.5: renewal at 80 %
	handle  func(*device, hub.Message) // default: answer, then acknowledge
	method  func(*device, hub.Method)  // default: none comes
	deaf    bool                       // nobody takes events
	manual  bool                       // the test calls run itself
}

// inBubble runs f with a connected device and its cloud, where time takes no
// time. It then stops the device; the bubble sees whether anything is left.
func inBubble(t *testing.T, s setup, f func(t *testing.T, c *cloud, d *device)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.sim.Hosts = []string{hubName}
		c := &cloud{Sim: hubsim.New(s.sim), t: t, zero: time.Now()}
		defer c.Close()
		must(t, c.AddDevice(hubsim.Device{ID: dev, Key: key(t)}))
		d := newDevice(t, c, s)
		if !s.manual {
			d.run()
			synctest.Wait()
		}
		f(t, c, d)
		if d.stop != nil {
			d.stop()
		}
		if strings.Contains(d.log(), "SharedAccessSignature") {
			t.Error("a token is in the log")
		}
	})
}

func newDevice(t *testing.T, c *cloud, s setup) *device {
	d := &device{t: t, events: make(chan hub.Event)}
	o := s.options
	if o.Identify == nil {
		k := key(t)
		o.Identify = func(context.Context, hub.Trouble) (hub.Identity, error) {
			return hub.Identity{Host: hubName, DeviceID: dev, Key: k}, nil
		}
	}
	if o.Dial == nil {
		o.Dial = c.Dial
	}
	if o.TokenTTL == 0 {
		o.TokenTTL = tokenTTL
	}
	o.ClientType = "test/1"
	if o.Will == nil {
		o.Will = func(string) hub.Telemetry {
			return hub.Telemetry{Topic: "rpi-0001/LWT", Body: []byte(`{"LWT":"Offline"}`)}
		}
	}
	o.Log = slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), lockedWriter{d}), nil))
	d.Client = hub.New(o)
	if s.chance == 0 {
		s.chance = 0.5
	}
	d.SetChance(func() float64 { return s.chance })
	d.handle = func(m hub.Message) {
		d.answer(m)
		d.Ack(m)
	}
	if s.handle != nil {
		d.handle = func(m hub.Message) { s.handle(d, m) }
	}
	d.method = func(m hub.Method) { s.method(d, m) }
	if !s.deaf {
		loopCtx, stopLoop := context.WithCancel(context.Background())
		t.Cleanup(stopLoop)
		go d.loop(loopCtx)
	}
	return d
}

// run starts Run; stop ends it.
func (d *device) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, d.events) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("Run returned %v", err)
		}
	})
	d.t.Cleanup(d.stop)
}

func (d *device) loop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-d.events:
			d.mu.Lock()
			d.seen = append(d.seen, ev)
			d.mu.Unlock()
			switch ev := ev.(type) {
			case hub.Message:
				d.handle(ev)
			case hub.Method:
				d.method(ev)
			}
		}
	}
}

// answer sends what a command would.
func (d *device) answer(m hub.Message) {
	d.Send(hub.Telemetry{Topic: dev + "/RESULT", Body: fmt.Appendf(nil, "did %s", m.Body), CorrelationID: m.ID})
}

// say sends a message that answers nothing.
func (d *device) say(body string) {
	d.Send(hub.Telemetry{Topic: dev + "/STATE", Body: []byte(body)})
}

// keep is for setup.handle: the test acknowledges.
func keep(*device, hub.Message) {}

// message returns message i of those that were handed over.
func (d *device) message(i int) hub.Message {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []hub.Message
	for _, ev := range d.seen {
		if m, ok := ev.(hub.Message); ok {
			all = append(all, m)
		}
	}
	return all[i]
}

// history is what the device was told, in short.
func (d *device) history() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for _, ev := range d.seen {
		switch ev := ev.(type) {
		case hub.Connected:
			all = append(all, short("connected", ev.Renewal))
		case hub.Disconnected:
			all = append(all, short("disconnected", ev.Renewal))
		case hub.Message:
			all = append(all, string(ev.Body))
		case hub.Method:
			all = append(all, ev.Name)
		}
	}
	return all
}

func short(what string, renewal bool) string {
	if renewal {
		return what + " (renewal)"
	}
	return what
}

// lastError is that of the last Disconnected.
func (d *device) lastError() error {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.seen) - 1; i >= 0; i-- {
		if ev, ok := d.seen[i].(hub.Disconnected); ok {
			return ev.Err
		}
	}
	return nil
}

func (d *device) log() string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logs.String()
}

type lockedWriter struct{ d *device }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return w.d.logs.Write(p)
}
