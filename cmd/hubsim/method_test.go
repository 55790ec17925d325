package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// listenTo subscribes to what is not a C2D message.
func listenTo(t *testing.T, conn net.Conn, filters ...string) {
	t.Helper()
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID, p.Topics, p.Qoss = 1, filters, make([]byte, len(filters))
	must(t, p.Write(conn))
	if _, ok := read(t, conn).(*packets.SubackPacket); !ok {
		t.Fatal("no SUBACK")
	}
}

func publishTo(t *testing.T, conn net.Conn, topic, body string) {
	t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = topic, []byte(body)
	must(t, p.Write(conn))
}

func TestMethodInvoke(t *testing.T) {
	c := serve(t, "--data", filepath.Join(t.TempDir(), "data"))
	c.run("device", "create", "pump")
	conn := c.connect("pump")
	listenTo(t, conn, "$iothub/methods/POST/#")
	for _, tt := range []struct {
		args         []string
		method, sent string
		answer, want string
	}{
		{[]string{"--method", "Power1", "--payload", `"toggle"`}, "Power1", `"toggle"`, `{"POWER1":"ON"}`, "{\n  \"status\": 200,\n  \"payload\": {\n    \"POWER1\": \"ON\"\n  }\n}\n"},
		{[]string{"-m", "relay1*toggle", "--timeout", "10s", "--json"}, "relay1*toggle", "null", "", `{"status":200}` + "\n"},
		{[]string{"-m", "Status", "--payload", "", "--json"}, "Status", "", "null", `{"status":200,"payload":null}` + "\n"},
	} {
		type printed struct {
			text string
			err  error
		}
		out := make(chan printed, 1)
		go func() {
			text, err := c.try(append([]string{"method", "invoke", "--device", "pump"}, tt.args...)...)
			out <- printed{text, err}
		}()
		p, ok := read(t, conn).(*packets.PublishPacket)
		if !ok {
			t.Fatalf("got %v", p)
		}
		rid, found := strings.CutPrefix(p.TopicName, "$iothub/methods/POST/"+tt.method+"/?$rid=")
		if !found || string(p.Payload) != tt.sent {
			t.Errorf("got %v", p)
		}
		publishTo(t, conn, "$iothub/methods/res/200/?$rid="+rid, tt.answer)
		if got := <-out; got.err != nil || got.text != tt.want {
			t.Errorf("%v: %q, %v, want %q", tt.args, got.text, got.err, tt.want)
		}
	}
	for want, args := range map[string][]string{
		"is no JSON": {"-m", "Power1", "--payload", "on"},
		"5s":         {"-m", "Power1", "--timeout", "1s"},
		"400":        {"-m", "a b"},
		"required":   {},
	} {
		if _, err := c.try(append([]string{"method", "invoke", "-d", "pump"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q in it", args, err, want)
		}
	}
	must(t, conn.Close())
	c.run("fault", "kick", "pump")
	if _, err := c.try("method", "invoke", "-d", "pump", "-m", "x"); err == nil || !strings.HasPrefix(err.Error(), "404103") {
		t.Errorf("gone: %v", err)
	}
	must(t, c.stop())
}

func TestFeedback(t *testing.T) {
	c := serve(t, "--data", "", "--ca-file", filepath.Join(t.TempDir(), "ca.pem"))
	c.run("device", "create", "pump")
	conn := c.connect("pump")
	subscribe(t, conn, "pump")
	c.run("c2d", "send", "-d", "pump", "--message-id", "m1", "--ack", "full")
	m, ok := read(t, conn).(*packets.PublishPacket)
	if !ok {
		t.Fatalf("got %v", m)
	}
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = m.MessageID
	must(t, ack.Write(conn))
	publish(t, conn, "pump", "", "after it")
	if got := c.run("feedback", "--device", "pump"); !strings.Contains(got, "pump    m1          Success\n") {
		t.Errorf("feedback:\n%s", got)
	}
	must(t, c.stop())
}
