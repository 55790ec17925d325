package hub_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hubsim"
)

func TestHalfOpenIsNoticed(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		must(t, c.Freeze(dev))
		c.c2d("m1", "on") // lost on the way
		start := time.Now()
		for len(c.Logins()) == 1 {
			time.Sleep(time.Second)
		}
		if took := time.Since(start); took > 90*time.Second {
			t.Errorf("noticed after %v, more than 1.5 × keep-alive", took)
		}
		if e := d.lastError(); !strings.Contains(e.Error(), "ping was not answered") {
			t.Errorf("told: %v", e)
		}
		time.Sleep(time.Minute)
		wantEqual(t, d.history(), "connected", "disconnected", "connected", "on")
	})
}

func TestHalfOpenIsNoticedSoonerBySending(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		must(t, c.Freeze(dev))
		d.say("1")
		d.say("2")
		time.Sleep(35 * time.Second)
		if e := d.lastError(); e == nil || !strings.Contains(e.Error(), "not acknowledged within 30s") {
			t.Errorf("told: %v", e)
		}
		d.say("3")
		time.Sleep(time.Minute)
		wantEqual(t, c.bodies(), `{"LWT":"Offline"}`, "1", "2", "3")
	})
}

func TestLostPubackIsSentAgain(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.DropPuback})
		for _, s := range []string{"1", "2", "3"} {
			d.say(s)
		}
		time.Sleep(time.Minute)
		// The first comes twice, as nobody can know that it had arrived. The
		// others were acknowledged and do not.
		wantEqual(t, c.bodies(), "1", "2", "3", `{"LWT":"Offline"}`, "1")
	})
}

func TestCutWhileSending(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.CutD2C})
		var want []string
		want = append(want, `{"LWT":"Offline"}`)
		for i := range 100 {
			d.say(fmt.Sprint(i))
			want = append(want, fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		wantEqual(t, c.bodies(), want...)
	})
}

func TestCutWhileReceiving(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.CutC2D})
		c.c2d("m1", "on")
		time.Sleep(10 * time.Second)
		wantEqual(t, d.history(), "connected", "disconnected", "connected", "on")
		if e := d.history(); len(c.Queue(dev)) != 0 {
			t.Errorf("the queue is not empty after %v", e)
		}
	})
}

func TestNoAnswerToConnect(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.IgnoreConnect})
		d.run()
		time.Sleep(20*time.Second + time.Millisecond)
		if e := d.lastError(); e == nil || !strings.Contains(e.Error(), "did not answer CONNECT in time") {
			t.Errorf("told: %v", e)
		}
		time.Sleep(time.Minute)
		wantEqual(t, waits(c.attempts()), 21.5)
		wantEqual(t, d.history(), "disconnected", "connected")
	})
}

// A hub that answers CONNECT late leaves less time for SUBACK: all together have
// 20 s.
func TestLimitIsForAllTogether(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		c.inject(hubsim.Fault{Kind: hubsim.Delay, Delay: 15 * time.Second}) // the CONNACK
		c.inject(hubsim.Fault{Kind: hubsim.Delay, Delay: time.Hour})        // the SUBACK
		d.run()
		time.Sleep(20*time.Second + time.Millisecond)
		if e := d.lastError(); e == nil || !strings.Contains(e.Error(), "did not answer SUBSCRIBE in time") {
			t.Errorf("told: %v", e)
		}
	})
}

// stuck is a connection whose writes hang from some time on, like one with a
// full send buffer to a host that is gone.
type stuck struct {
	net.Conn
	on   *atomic.Bool
	hole net.Conn // nobody reads its other end
}

func (s stuck) SetWriteDeadline(t time.Time) error {
	s.hole.SetWriteDeadline(t)
	return s.Conn.SetWriteDeadline(t)
}

func (s stuck) Write(p []byte) (int, error) {
	if s.on.Load() {
		return s.hole.Write(p)
	}
	return s.Conn.Write(p)
}

func (s stuck) Close() error {
	s.hole.Close()
	return s.Conn.Close()
}

func TestNothingCanBeSent(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		var on atomic.Bool
		c.wrap = func(conn net.Conn) net.Conn {
			hole, _ := net.Pipe()
			return stuck{conn, &on, hole}
		}
		must(t, c.Kick(dev)) // the next connection is wrapped
		time.Sleep(2 * time.Second)
		on.Store(true)
		for i := range 5 {
			d.say(fmt.Sprint(i)) // does not block
		}
		c.c2d("m1", "on") // still comes in, and its acknowledgement does not block either
		synctest.Wait()
		wantEqual(t, d.history(), "connected", "disconnected", "connected", "on")
		time.Sleep(11*time.Second + time.Millisecond) // one second more, as paho may hang on to a message
		if e := d.lastError(); !strings.Contains(e.Error(), "nothing could be sent for 10s") {
			t.Errorf("told: %v", e)
		}
		on.Store(false)
		time.Sleep(time.Minute)
		wantEqual(t, c.bodies()[2:], "0", "1", "2", "3", "4", "did on", "did on")
		if q := c.Queue(dev); len(q) != 0 {
			t.Errorf("queue %v", q)
		}
	})
}

// leaky puts what is written into its error, as some library might.
type leaky struct{ net.Conn }

func (l leaky) Write(p []byte) (int, error) {
	return 0, fmt.Errorf("cannot write %q", p)
}

func TestErrorsHoldNoToken(t *testing.T) {
	inBubble(t, setup{manual: true}, func(t *testing.T, c *cloud, d *device) {
		c.wrap = func(conn net.Conn) net.Conn { return leaky{conn} }
		d.run()
		synctest.Wait()
		e := d.lastError()
		if e == nil || !strings.Contains(e.Error(), "[token]") {
			t.Fatalf("told: %v", e)
		}
		for _, text := range []string{e.Error(), d.log()} {
			if strings.Contains(text, "SharedAccess") || strings.Contains(text, "sig=") {
				t.Errorf("a token is in %q", text)
			}
		}
	})
}
