package hubsim_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// TestWholeWay goes once from the sender to the device and back.
func TestWholeWay(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		if got := cl.subscribe(1, c2d); len(got) != 1 || got[0] != 1 {
			t.Fatalf("SUBACK %v", got)
		}
		_, err := c.Send(dev, hubsim.C2D{MessageID: "m1", Properties: []hubsim.Property{{Name: "Topic", Value: "/power"}}, Body: []byte("toggle")})
		must(t, err)
		m := cl.message()
		want := "devices/rpi-0001/messages/devicebound/%24.mid=m1&%24.to=%2Fdevices%2Frpi-0001%2Fmessages%2Fdevicebound&Topic=%2Fpower"
		if m.TopicName != want || string(m.Payload) != "toggle" || m.Qos != 1 || m.Dup {
			t.Errorf("got %v", m)
		}
		cl.publish(5, "devices/rpi-0001/messages/events/topic=a%2FRESULT", `{"POWER":"ON"}`)
		if r := c.record(`{"POWER":"ON"}`); r.Properties["topic"] != "a/RESULT" || r.Device != dev {
			t.Errorf("got %+v", r)
		}
		if p := cl.next(); p.Details().MessageID != 5 {
			t.Errorf("got %v", p)
		}
		if q := c.Queue(dev); len(q) != 1 || !q[0].Locked || q[0].Deliveries != 1 {
			t.Errorf("queue %+v", q)
		}
		cl.puback(m.MessageID)
		cl.quiet(2 * time.Second)
		if q := c.Queue(dev); len(q) != 0 {
			t.Errorf("queue %+v", q)
		}
		cl.disconnect()
	})
}

// TestCloseEndsEverything: whatever state a connection is in, Close ends it,
// and returns when no goroutine of the Sim is left; the bubble sees to that.
func TestCloseEndsEverything(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		for id := range 4 {
			must(t, c.AddDevice(hubsim.Device{ID: fmt.Sprint("d", id), Key: key(t, keyText)}))
		}
		as := func(id string) func(*connectPacket) {
			return func(p *connectPacket) {
				p.ClientIdentifier, p.Username = id, "localhost/"+id+"/?api-version=2021-04-12"
				p.Password = []byte(token.Hub(key(t, keyText), "localhost", id, time.Now().Add(time.Hour)))
			}
		}
		all := []*client{c.dial(), c.connect(), c.connect(as("d0")), c.connect(as("d1"))}
		all[1].subscribe(1, c2d)
		c.c2d("locked")
		all[1].message()
		must(t, c.Freeze("d0"))
		must(t, c.Inject(hubsim.Fault{Kind: hubsim.Delay, Delay: time.Hour}))
		all[3].send(packets.NewControlPacket(packets.Pingreq))
		for _, kind := range []hubsim.FaultKind{hubsim.HalfOpen, hubsim.IgnoreConnect} {
			must(t, c.Inject(hubsim.Fault{Kind: kind}))
			cl := c.dial()
			cl.send(hello())
			all = append(all, cl)
		}
		waited := make(chan error)
		go func() { waited <- c.Wait(t.Context(), func() bool { return false }) }()
		synctest.Wait()
		c.Close()
		c.Close()
		for _, cl := range all {
			cl.closed()
		}
		if err := <-waited; err == nil {
			t.Error("Wait has no error")
		}
		c.dial().closed()
	})
}

// TestTwoHubs: one listener plays several hubs, told apart by the username.
func TestTwoHubs(t *testing.T) {
	inBubble(t, hubsim.Options{Hosts: []string{"LocalHost", "127.0.0.1"}}, func(t *testing.T, c *cloud) {
		must(t, c.AddDevice(hubsim.Device{ID: "there", Hub: "127.0.0.1", Key: key(t, keyText)}))
		for hub, want := range map[string]int{"127.0.0.1": 0, "localhost": 5} {
			got := c.try(func(p *connectPacket) {
				p.ClientIdentifier, p.Username = "there", hub+"/there/?api-version=2021-04-12"
				p.Password = []byte(token.Hub(key(t, keyText), hub, "there", time.Now().Add(time.Hour)))
			})
			if got != want {
				t.Errorf("at %s: %d, want %d", hub, got, want)
			}
		}
		for _, d := range []hubsim.Device{{ID: "x", Hub: "elsewhere"}, {ID: "there"}, {ID: "a+b"}, {ID: ""}} {
			if c.AddDevice(d) == nil {
				t.Errorf("%+v is taken", d)
			}
		}
	})
}
