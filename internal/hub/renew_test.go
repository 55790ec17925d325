package hub_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

func TestTokenRenewed(t *testing.T) {
	for _, tt := range []struct {
		chance float64
		at     time.Duration
	}{{1e-12, tokenTTL * 75 / 100}, {0.5, renewAt}, {1, tokenTTL * 85 / 100}} {
		t.Run(fmt.Sprint(tt.at), func(t *testing.T) {
			inBubble(t, setup{chance: tt.chance}, func(t *testing.T, c *cloud, d *device) {
				time.Sleep(tt.at - time.Second)
				if n := len(c.Logins()); n != 1 {
					t.Errorf("%d logins, the token was renewed too early", n)
				}
				time.Sleep(time.Second + time.Millisecond)
				synctest.Wait()
				all := c.Logins()
				if len(all) != 2 || all[0].End != "the device sent DISCONNECT" {
					t.Fatalf("logins %+v", all)
				}
				if left := time.Until(all[1].Expiry); left > tokenTTL || left < tokenTTL-2*time.Second {
					t.Errorf("the new token counts for %v", left)
				}
				wantEqual(t, d.history(), "connected", "disconnected (renewal)", "connected (renewal)")
				if strings.Contains(d.log(), "WARN") || strings.Count(d.log(), `msg="token renewed" gap_ms=0`) != 1 {
					t.Error("a renewal is one line at INFO")
				}
				if len(c.Records()) != 0 {
					t.Error("the will was sent")
				}
			})
		})
	}
}

// The device is slow: renewal waits for its acknowledgement, and what comes
// meanwhile is left to the next session.
func TestRenewalWaitsForAcks(t *testing.T) {
	s := setup{handle: keep}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.c2d("m1", "first")
		time.Sleep(2 * time.Second) // the renewal has begun
		c.c2d("m2", "second")
		time.Sleep(time.Second)
		wantEqual(t, d.history(), "connected", "first")
		d.answer(d.message(0))
		d.Ack(d.message(0))
		synctest.Wait()
		wantEqual(t, d.history(), "connected", "first", "disconnected (renewal)", "connected (renewal)", "second")
		wantEqual(t, c.bodies(), "did first")
		if q := c.Queue(dev); len(q) != 1 || string(q[0].Body) != "second" {
			t.Errorf("queue %+v", q)
		}
		d.Ack(d.message(1))
	})
}

// A device that does not acknowledge delays a renewal by five seconds at most;
// the message comes again.
func TestRenewalDoesNotWaitForEver(t *testing.T) {
	s := setup{handle: keep}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.c2d("m1", "first")
		time.Sleep(6*time.Second - 2*time.Millisecond)
		if n := len(c.Logins()); n != 1 {
			t.Errorf("%d logins, too early", n)
		}
		time.Sleep(4 * time.Millisecond)
		wantEqual(t, d.history(), "connected", "first", "disconnected (renewal)", "connected (renewal)", "first")
		d.Ack(d.message(0)) // of the session that is over
		synctest.Wait()
		if len(c.Queue(dev)) != 1 {
			t.Error("the acknowledgement of an old session counted")
		}
		d.Ack(d.message(1))
		synctest.Wait()
		if len(c.Queue(dev)) != 0 {
			t.Error("the message is not completed")
		}
	})
}

func TestRenewalWaitsForPubacks(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.inject(hubsim.Fault{Kind: hubsim.DelayPuback, Delay: 3 * time.Second})
		d.say("1")
		time.Sleep(1500 * time.Millisecond)
		d.say("2") // held back until the new session
		time.Sleep(time.Second)
		wantEqual(t, c.bodies(), "1")
		time.Sleep(time.Second)
		wantEqual(t, c.bodies(), "1", "2")
		if n := len(c.Logins()); n != 2 {
			t.Errorf("%d logins", n)
		}
	})
}

func TestRenewalWithoutPuback(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.inject(hubsim.Fault{Kind: hubsim.DropPuback})
		d.say("1")
		d.say("2")
		time.Sleep(10 * time.Second)
		wantEqual(t, c.bodies(), "1", "2", "1")
		if all := c.Logins(); len(all) != 2 || all[0].End != "the device sent DISCONNECT" {
			t.Errorf("logins %+v", all)
		}
	})
}

// If the next session does not come about, the renewal has become a fault.
func TestRenewalFails(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(47 * time.Minute)
		c.inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 3, Count: 2})
		d.Send(hub.Telemetry{Body: []byte("arrives"), Perishable: true})
		time.Sleep(61 * time.Second)
		d.Send(hub.Telemetry{Body: []byte("perishes"), Perishable: true})
		time.Sleep(3 * time.Minute) // as the hub turns the device away
		wantEqual(t, d.history(), "connected", "disconnected (renewal)", "disconnected", "disconnected", "connected")
		wantEqual(t, c.bodies(), "arrives")
		if strings.Contains(d.log(), "token renewed") || strings.Count(d.log(), "not available at the moment (CONNACK 3)") != 2 {
			t.Error("the log does not say what happened")
		}
	})
}

// The link is lost while a renewal waits: that is a loss.
func TestLostWhileRenewing(t *testing.T) {
	s := setup{handle: keep}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(renewAt - time.Second)
		c.c2d("m1", "on")
		time.Sleep(2 * time.Second)
		must(t, c.Kick(dev))
		time.Sleep(10 * time.Second)
		wantEqual(t, d.history(), "connected", "on", "disconnected", "connected", "on")
	})
}

// A token of a few seconds, as tests use it, is renewed as well.
func TestShortToken(t *testing.T) {
	s := setup{manual: true, chance: 1, handle: keep}
	s.options.TokenTTL = 5 * time.Second
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		time.Sleep(999 * time.Millisecond) // and expires after little more than four
		d.run()
		synctest.Wait()
		c.c2d("m1", "never acknowledged") // and holds up no renewal for long
		time.Sleep(time.Minute)
		if n := len(c.Logins()); n < 15 || n > 18 {
			t.Errorf("%d logins in a minute", n)
		}
		if strings.Contains(d.log(), "WARN") {
			t.Error("something went wrong")
		}
	})
}

// A day with three commands and states in each half minute, dealt with in three
// seconds, some of them in the middle of a renewal: all arrive once and in order,
// and nothing piles up.
func TestDayOfRenewals(t *testing.T) {
	var chance float64
	s := setup{sim: hubsim.Options{Keep: 200}, manual: true, deaf: true}
	inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
		d.SetChance(func() float64 { // every renewal at another time
			_, chance = math.Modf(chance*7 + 0.13)
			return chance
		})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		commands := 0
		work := make(chan hub.Message, 10)
		go func() {
			for m := range work {
				time.Sleep(time.Until(m.Received.Add(3 * time.Second)))
				d.answer(m)
				d.Ack(m)
			}
		}()
		go func() {
			defer close(work)
			for {
				select {
				case ev := <-d.events:
					if m, ok := ev.(hub.Message); ok {
						if want := fmt.Sprint("command ", commands); string(m.Body) != want {
							t.Errorf("%s instead of %s", m.Body, want)
						}
						commands++
						work <- m
					}
				case <-ctx.Done():
					return
				}
			}
		}()
		d.run()
		synctest.Wait()
		var read uint64
		var fresh []hubsim.Record
		next := map[string]int{}
		var early footprint
		for i := range 24 * 360 {
			c.c2d(fmt.Sprint(i), fmt.Sprint("command ", i))
			d.say(fmt.Sprint("state ", i))
			time.Sleep(time.Second)
			if i%3 == 2 {
				time.Sleep(27 * time.Second)
			}
			fresh, read = c.RecordsSince(read)
			for _, r := range fresh {
				what := strings.TrimRight(string(r.Body), "0123456789")
				if want := fmt.Sprint(what, next[what]); string(r.Body) != want {
					t.Errorf("%s instead of %s", r.Body, want)
				}
				next[what]++
			}
			if i == 720 {
				early = measure(t)
			}
		}
		if commands != 24*360 || next["did command "] != commands || next["state "] != commands || len(next) != 2 {
			t.Errorf("%d commands, and at the hub %v", commands, next)
		}
		all := c.Logins()
		if len(all) < 25 {
			t.Errorf("%d logins in a day", len(all))
		}
		for _, l := range all[:len(all)-1] {
			if l.Code != 0 || l.End != "the device sent DISCONNECT" {
				t.Errorf("login %+v", l)
			}
		}
		if strings.Contains(d.log(), "WARN") {
			t.Error("something went wrong")
		}
		late := measure(t)
		t.Logf("after two hours %+v, after a day %+v", early, late)
		if late.goroutines != early.goroutines || late.heap > early.heap+256<<10 {
			t.Errorf("grown from %+v to %+v", early, late)
		}
	})
}
