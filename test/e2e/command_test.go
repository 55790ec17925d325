package e2e

import (
	"strings"
	"testing"

	"tasmota-azd/internal/hubsim"
)

func TestCloudMessageSwitchesARelay(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.keyConfig())
	b.subscribed("pump")
	if got := b.level("GPIO17") + b.level("GPIO27"); got != "01" {
		t.Errorf("levels at start %s, want 0 and, active low, 1", got)
	}
	b.command("pump", "m1", "/power", "toggle", `{"POWER1":"ON"}`)
	b.command("pump", "m2", "cmnd/anything/POWER2", "on", `{"POWER2":"ON"}`)
	b.command("pump", "m3", "power1", "", `{"POWER1":"ON"}`)
	b.command("pump", "m4", "/foo", "1", `{"Command":"Unknown","Input":"FOO 1"}`)
	b.command("pump", "m5", "/power9", "on", `{"Command":"Error","Input":"POWER9 on"}`)
	if got := b.level("GPIO17") + b.level("GPIO27"); got != "10" {
		t.Errorf("levels %s, want 1 and, active low, 0", got)
	}
	b.completed("pump")
	r := b.answer("m1")
	for name, want := range map[string]string{"content-type": "application/json", "content-encoding": "utf-8"} {
		if r.System[name] != want {
			t.Errorf("%s is %q, want %q", name, r.System[name], want)
		}
	}
	if r.Properties["topic"] != "pump/RESULT" {
		t.Errorf("topic %q", r.Properties["topic"])
	}
	b.waitLog("command done", "POWER", "m1")
}

func TestMessageWithoutTopicIsExplained(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.keyConfig())
	b.subscribed("pump")
	if _, err := b.cloud.Send("pump", hubsim.C2D{MessageID: "m1", Body: []byte("toggle")}); err != nil {
		t.Fatal(err)
	}
	b.completed("pump")
	b.waitLog("no property Topic", "/power", "m1")
	if b.moves("GPIO17")+b.moves("GPIO27") != 0 {
		t.Error("a message without a command moved a relay")
	}
}

func TestStatusTellsTheMachine(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.keyConfig())
	b.subscribed("pump")
	b.send("pump", "m1", "/status0", "")
	body := string(b.answer("m1").Body)
	for _, want := range []string{`"Topic":"pump"`, `"FriendlyName":["Pump","Gate"]`, `"MqttHost":"localhost"`, `"StatusSTS":{"Time"`} {
		if !strings.Contains(body, want) {
			t.Errorf("Status0 lacks %s: %s", want, body)
		}
	}
}

func TestBacklogRunsInOrder(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.keyConfig())
	b.subscribed("pump")
	b.send("pump", "m1", "/backlog", "power1 on;delay 5;power1 off;power2 on")
	_, err := b.cloud.WaitRecord(b.patience(), func(r hubsim.Record) bool {
		return r.System["correlation-id"] == "m1" && string(r.Body) == `{"POWER2":"ON"}`
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range b.cloud.Records() {
		if r.System["correlation-id"] == "m1" {
			got = append(got, string(r.Body))
		}
	}
	want := `{"POWER1":"ON"} {"Delay":5} {"POWER1":"OFF"} {"POWER2":"ON"}`
	if strings.Join(got, " ") != want {
		t.Errorf("answers %s, want %s", got, want)
	}
	b.completed("pump")
}
