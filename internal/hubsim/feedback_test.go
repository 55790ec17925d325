package hubsim_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hubsim"
)

// outcomes is the feedback seen, as text.
func (c *cloud) outcomes() string {
	var all []string
	for _, f := range c.Feedback() {
		all = append(all, f.MessageID+" "+f.Status)
	}
	return strings.Join(all, ", ")
}

func (c *cloud) order(id, ack string, ttl time.Duration) {
	c.t.Helper()
	_, err := c.Send(dev, hubsim.C2D{MessageID: id, Ack: ack, TTL: ttl})
	must(c.t, err)
}

func TestH36Success(t *testing.T) {
	ahead := func() time.Time { return time.Now().Add(3 * time.Minute) }
	inBubble(t, hubsim.Options{Now: ahead}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		cl.subscribe(1, c2d)
		for _, ack := range []string{"", "none", "negative", "positive", "full"} {
			c.order("of "+ack, ack, time.Hour)
			m := cl.message()
			cl.quiet(time.Second)
			if got := c.outcomes(); strings.Contains(got, "of "+ack+" ") {
				t.Errorf("before the PUBACK: %s", got)
			}
			cl.puback(m.MessageID)
			synctest.Wait()
		}
		if got := c.outcomes(); got != "of positive Success, of full Success" {
			t.Errorf("got %s", got)
		}
		f := c.Feedback()[1]
		if f.Seq != 2 || f.Device != dev || f.Generation == "" || !f.Time.Equal(ahead()) {
			t.Errorf("got %+v", f)
		}
		_, got := c.call("GET", "/v1/feedback?device="+dev, "")
		want := fmt.Sprintf(`{"seq":2,"enqueuedTimeUtc":"2000-01-01T00:03:05Z","originalMessageId":"of full","deviceId":"rpi-0001","deviceGenerationId":%q,"statusCode":"Success"}]`, f.Generation)
		if !strings.HasSuffix(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if _, got := c.call("GET", "/v1/feedback?device=nobody", ""); got != "[]" {
			t.Errorf("got %s", got)
		}
	})
}

// TestH36Expired: the end comes with the time to live, whether the device is
// there or not, and whoever waits is told.
func TestH36Expired(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect(longToken)
		cl.subscribe(1, c2d)
		c.order("unacknowledged", "negative", time.Minute)
		cl.message()
		cl.disconnect()
		for _, ack := range []string{"", "none", "positive", "full"} {
			c.order("of "+ack, ack, 2*time.Minute)
		}
		start := time.Now()
		must(t, c.Wait(t.Context(), func() bool { return len(c.Feedback()) == 2 }))
		if after := time.Since(start); after != 2*time.Minute-time.Second && after != 2*time.Minute {
			t.Errorf("after %v", after)
		}
		if got := c.outcomes(); got != "unacknowledged Expired, of full Expired" {
			t.Errorf("got %s", got)
		}
		c.order("deleted", "full", time.Minute)
		must(t, c.DeleteDevice(dev))
		time.Sleep(time.Hour)
		if got := c.outcomes(); strings.Contains(got, "deleted") {
			t.Errorf("got %s", got)
		}
	})
}

// TestH36Restart: what was queued before a restart still ends in time.
func TestH36Restart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir, hubsim.Options{})
		must(t, c.CreateDevice(dev, "", keyText))
		c.order("short", "full", time.Minute)
		c.order("long", "full", time.Hour)
		c.Close()
		time.Sleep(2 * time.Minute)
		c = open(t, dir, hubsim.Options{})
		synctest.Wait()
		if got := c.outcomes(); got != "short Expired" {
			t.Errorf("got %s", got)
		}
		time.Sleep(time.Hour)
		if got := c.outcomes(); got != "short Expired, long Expired" {
			t.Errorf("got %s", got)
		}
	})
}
