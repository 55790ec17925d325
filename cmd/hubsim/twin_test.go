package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

const newTwin = `{
  "deviceId": "pump",
  "status": "enabled",
  "connectionState": "Connected",
  "properties": {
    "desired": {
      "$version": 1
    },
    "reported": {
      "$version": 1
    }
  }
}
`

func TestTwin(t *testing.T) {
	c := serve(t, "--data", filepath.Join(t.TempDir(), "data"))
	c.run("device", "create", "pump")
	conn := c.connect("pump")
	listenTo(t, conn, "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#")
	if got := c.run("twin", "show", "--device", "pump"); got != newTwin {
		t.Errorf("twin show: %s", got)
	}
	got := c.run("twin", "update", "-d", "pump", "--desired", `{"TelePeriod":60}`, "--json")
	want := `"desired":{"$version":2,"TelePeriod":60},"reported":{"$version":1}}}` + "\n"
	if !strings.HasSuffix(got, want) {
		t.Errorf("twin update: %s", got)
	}
	p, ok := read(t, conn).(*packets.PublishPacket)
	if !ok || p.TopicName != "$iothub/twin/PATCH/properties/desired/?$version=2" || string(p.Payload) != `{"$version":2,"TelePeriod":60}` {
		t.Errorf("got %v", p)
	}
	c.run("fault", "add", "refuse-twin", "--code", "429")
	for _, answer := range []string{"429/?$rid=1", "204/?$rid=1&$version=2"} {
		publishTo(t, conn, "$iothub/twin/PATCH/properties/reported/?$rid=1", `{"fw":"14"}`)
		if p, ok := read(t, conn).(*packets.PublishPacket); !ok || p.TopicName != "$iothub/twin/res/"+answer {
			t.Errorf("got %v", p)
		}
	}
	if got := c.run("twin", "show", "-d", "pump", "--json"); !strings.Contains(got, `"reported":{"$version":2,"fw":"14"}`) {
		t.Errorf("twin show: %s", got)
	}
	for want, args := range map[string][]string{
		"is no JSON":    {"update", "-d", "pump", "--desired", "{a:1}"},
		"not an object": {"update", "-d", "pump", "--desired", "[]"},
		"required":      {"update", "-d", "pump"},
		"404001":        {"show", "-d", "nobody"},
	} {
		if _, err := c.try(append([]string{"twin"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q in it", args, err, want)
		}
	}
	must(t, c.stop())
}
