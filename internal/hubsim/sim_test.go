package hubsim_test

import (
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
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
