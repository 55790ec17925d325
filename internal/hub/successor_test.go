package hub_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
)

// late is a connection from which packets leave late, each after its own delay. A
// write returns at once, as one to a kernel does.
type late struct {
	net.Conn
	delay time.Duration
	way   chan []byte
}

func newLate(conn net.Conn, delay time.Duration) *late {
	l := &late{conn, delay, make(chan []byte, 100)}
	go func() {
		for p := range l.way {
			time.Sleep(l.delay)
			if p == nil {
				break
			}
			l.Conn.Write(p)
		}
		l.Conn.Close()
	}()
	return l
}

func (l *late) Write(p []byte) (int, error) {
	l.way <- append([]byte{}, p...)
	return len(p), nil
}

// Close ends reading at once; what is on its way still arrives.
func (l *late) Close() error {
	l.way <- nil
	return l.Conn.SetReadDeadline(time.Unix(1, 0))
}

// The hub must have read the DISCONNECT before it gets the next CONNECT, or else it
// publishes the will. Nothing keeps two connections in order: here the older one is
// slow, and the newer one fast.
func TestDisconnectIsNotOvertaken(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		delays := []time.Duration{time.Second, 0, 400 * time.Millisecond, 100 * time.Millisecond, 0}
		c.wrap = func(conn net.Conn) net.Conn {
			defer func() { delays = delays[1:] }()
			return newLate(conn, delays[0])
		}
		d.run()
		time.Sleep(4 * renewAt)
		time.Sleep(time.Minute)
		synctest.Wait()
		all := c.Logins()
		if len(all) != 5 {
			t.Fatalf("%d logins", len(all))
		}
		for _, l := range all[:4] {
			if l.Code != 0 || l.End != "the device sent DISCONNECT" {
				t.Errorf("login %+v", l)
			}
		}
		if len(c.Records()) != 0 {
			t.Error("the will was sent")
		}
		if strings.Contains(d.log(), "WARN") {
			t.Error("something went wrong")
		}
	})
}

// What takes long happens while the old session stands.
func TestRenewalIsPrepared(t *testing.T) {
	var c *cloud
	s := setup{manual: true}
	s.options.Dial = func(ctx context.Context, host string, port int) (net.Conn, error) {
		time.Sleep(7 * time.Second)
		return c.Dial(ctx, host, port)
	}
	inBubble(t, s, func(t *testing.T, cloud *cloud, d *device) {
		c = cloud
		d.run()
		time.Sleep(renewAt + 7*time.Second + 3*time.Second) // the renewal is due and dials
		c.c2d("m1", "on")
		synctest.Wait()
		wantEqual(t, c.bodies(), "did on")
		time.Sleep(5 * time.Second)
		wantEqual(t, d.history(), "connected", "on", "disconnected (renewal)", "connected (renewal)")
		all := c.Logins()
		if len(all) != 2 || all[1].Time.Sub(all[0].Ended) != 0 || !strings.Contains(d.log(), "gap_ms=0") {
			t.Errorf("logins %+v", all)
		}
	})
}

// A session lives on if there is no way to the next one.
func TestNoSuccessor(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.down.Store(true)
		time.Sleep(5 * time.Minute)
		c.c2d("m1", "on")
		synctest.Wait()
		wantEqual(t, d.history(), "connected", "on")
		if n := strings.Count(d.log(), "the session cannot be renewed yet"); n < 2 || n > 5 {
			t.Errorf("%d warnings", n)
		}
		c.down.Store(false)
		time.Sleep(5 * time.Minute)
		wantEqual(t, d.history(), "connected", "on", "disconnected (renewal)", "connected (renewal)")
	})
}

// A session that ends while its successor is sought is lost like any other.
func TestLostWithoutSuccessor(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.down.Store(true)
		time.Sleep(20 * time.Minute) // the hub has ended it: the token has expired
		wantEqual(t, d.history()[:2], "connected", "disconnected")
		c.down.Store(false)
		time.Sleep(5 * time.Minute)
		if n := len(c.Logins()); n != 2 {
			t.Errorf("%d logins", n)
		}
	})
}

// A connection that ends before it is used is made anew, without a word. Here a
// method holds up the renewal.
func TestSuccessorDies(t *testing.T) {
	var held hub.Method
	s := setup{method: func(_ *device, m hub.Method) { held = m }}
	var c *cloud
	var all []net.Conn
	s.options.Dial = func(ctx context.Context, host string, port int) (net.Conn, error) {
		conn, err := c.Dial(ctx, host, port)
		all = append(all, conn)
		return conn, err
	}
	s.manual = true
	inBubble(t, s, func(t *testing.T, cloud *cloud, d *device) {
		c = cloud
		d.run()
		time.Sleep(renewAt - time.Second)
		called := c.invoke("x", "1")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(all) != 2 || len(c.Logins()) != 1 {
			t.Fatalf("%d connections and %d logins, the test tests nothing", len(all), len(c.Logins()))
		}
		all[1].Close() // as if the hub had
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(all) != 3 {
			t.Errorf("%d connections", len(all))
		}
		d.Client.Answer(held, 200, []byte("2"))
		wantOutcome(t, called, "200 2 <nil> after 10s")
		time.Sleep(time.Second)
		wantEqual(t, d.history(), "connected", "x", "disconnected (renewal)", "connected (renewal)")
		if strings.Contains(d.log(), "WARN") || len(all) != 3 {
			t.Errorf("%d connections, and a warning?", len(all))
		}
	})
}

// One that turns out to be dead when it is used is replaced at once.
func TestSuccessorIsDead(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		var dialed int
		c.wrap = func(conn net.Conn) net.Conn {
			if dialed++; dialed != 2 {
				return conn
			}
			return broken{conn}
		}
		d.run()
		time.Sleep(renewAt + time.Minute)
		wantEqual(t, d.history(), "connected", "disconnected (renewal)", "connected (renewal)")
		if n := len(c.Logins()); n != 2 || dialed != 3 || strings.Contains(d.log(), "WARN") {
			t.Errorf("%d logins, %d connections", n, dialed)
		}
	})
}

// broken is a connection that ends with the first packet.
type broken struct{ net.Conn }

func (b broken) Write([]byte) (int, error) {
	b.Close()
	return 0, net.ErrClosed
}

// A hub that does not close its side holds a renewal up for three seconds.
func TestHubDoesNotClose(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		var first atomic.Pointer[lossy]
		c.wrap = func(conn net.Conn) net.Conn {
			l := newLossy(conn)
			first.CompareAndSwap(nil, l)
			return l
		}
		d.run()
		time.Sleep(renewAt - time.Millisecond)
		first.Load().noIn.Store(true)
		time.Sleep(4 * time.Second)
		wantEqual(t, d.history(), "connected", "disconnected (renewal)", "connected (renewal)")
		all := c.Logins()
		if gap := all[1].Time.Sub(all[0].Ended); gap != 3*time.Second {
			t.Errorf("%v between the sessions", gap)
		}
		if !strings.Contains(d.log(), "the hub did not end the old session") {
			t.Error("the log does not say so")
		}
	})
}

// Stopping while a successor waits or is sought leaves nothing behind.
func TestStopWithSuccessor(t *testing.T) {
	s := setup{method: func(*device, hub.Method) {}}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.invoke("x", "1") // never answered
		time.Sleep(5 * time.Second)
		d.stop()
		synctest.Wait()
		if n := c.Logins(); len(n) != 1 || n[0].End != "the device sent DISCONNECT" {
			t.Errorf("logins %+v", n)
		}
	})
}
