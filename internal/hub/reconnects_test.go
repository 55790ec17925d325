package hub_test

import (
	"context"
	"crypto/tls"
	"flag"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

// reconnects is how often the tests below connect anew. The short form finds what
// grows with each connection as well.
var reconnects = flag.Int("reconnects", 300, "connections in the tests of what piles up")

// footprint is what the test process holds, the stand-in included.
type footprint struct {
	goroutines, files int
	heap              uint64
}

// measure settles and looks. It is for the inside of a bubble.
func measure(t *testing.T) footprint {
	synctest.Wait()
	return look(t)
}

func look(t *testing.T) footprint {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// flat compares what was held after a sixth of the work with what is held at its end.
func flat(t *testing.T, early, late footprint) {
	t.Helper()
	t.Logf("early %+v, late %+v", early, late)
	if late.goroutines > early.goroutines || late.files > early.files || late.heap > early.heap+256<<10 {
		t.Errorf("grown from %+v to %+v", early, late)
	}
}

// Sessions that are lost, in every way there is, one after the other.
func TestManyLosses(t *testing.T) {
	s := setup{chance: 1e-12, sim: hubsim.Options{Keep: 100}}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		lose := []func(string) error{c.Kick, c.Reset, c.Freeze}
		var early footprint
		for i := range *reconnects {
			d.say("state")
			c.c2d("", "on")
			synctest.Wait()
			must(t, lose[i%len(lose)](dev))
			time.Sleep(2 * time.Minute)
			d.forget()
			if i == *reconnects/6 {
				early = measure(t)
			}
		}
		flat(t, early, measure(t))
		if all := c.Logins(); all[len(all)-1].Seq != uint64(*reconnects+1) {
			t.Errorf("%d logins", all[len(all)-1].Seq)
		}
	})
}

// forget drops what the device was told and has logged.
func (d *device) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = nil
	d.logs.Reset()
}

// Renewals over TCP and TLS, each as soon as the last is over: no descriptor stays.
func TestManyRenewalsOverTLS(t *testing.T) {
	ca := newAuthority(t, "Root")
	sim := hubsim.New(hubsim.Options{Keep: 100})
	defer sim.Close()
	must(t, sim.AddDevice(hubsim.Device{ID: dev, Key: key(t)}))
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())}}
	port := listen(t, func(c net.Conn) { sim.ServeConn(tls.Server(c, config)) })
	client := hub.New(hub.Options{
		Identify: func(context.Context, hub.Trouble) (hub.Identity, error) {
			return hub.Identity{Host: "localhost", DeviceID: dev, Key: key(t)}, nil
		},
		Port: port, Roots: ca.pool(), Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	var resting atomic.Bool
	client.SetChance(func() float64 {
		if resting.Load() {
			return 0.5
		}
		return -7.5 // a renewal is due at once, as 0.75 - 7.5/10 is 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, ended := make(chan hub.Event), make(chan error)
	go func() { ended <- client.Run(ctx, events) }()
	go func() {
		for ctx.Err() == nil {
			select {
			case <-events:
			case <-ctx.Done():
			}
		}
	}()
	logins := func(n int) {
		must(t, sim.Wait(ctx, func() bool {
			all := sim.Logins()
			return len(all) > 0 && all[len(all)-1].Seq >= uint64(n)
		}))
	}
	logins(*reconnects / 6)
	resting.Store(true)
	early := settled(t)
	resting.Store(false)
	must(t, sim.Kick(dev))
	logins(*reconnects)
	resting.Store(true)
	flat(t, early, settled(t))
	cancel()
	must(t, <-ended)
	kicked := 0
	for _, l := range sim.Logins() {
		switch {
		case l.Code != 0:
			t.Errorf("login %+v", l)
		case l.End == "closed by request":
			kicked++
		case l.End != "" && l.End != "the device sent DISCONNECT":
			t.Errorf("login %+v", l)
		}
	}
	if kicked > 1 {
		t.Errorf("%d sessions were lost", kicked)
	}
}

// settled waits until nothing comes or goes any more.
func settled(t *testing.T) footprint {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for f, same := look(t), 0; ; {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatal("the process does not come to rest")
		}
		before := f
		if f = look(t); f.goroutines != before.goroutines || f.files != before.files {
			same = 0
		} else if same++; same == 5 {
			return f
		}
	}
}
