package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
)

// invoke calls a method and checks what its caller is told.
func (b *bench) invoke(name, payload, want string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	a, err := b.cloud.Invoke(ctx, "pump", hubsim.Call{Method: name, Payload: []byte(payload), ConnectTimeout: 30 * time.Second})
	if got := fmt.Sprintf("%d %s", a.Status, a.Body); got != want || err != nil {
		b.t.Errorf("%s %s: answered %s (%v), want %s", name, payload, got, err, want)
	}
}

// desire changes the twin from the cloud.
func (b *bench) desire(patch string) {
	b.t.Helper()
	if _, err := b.cloud.UpdateTwin("pump", []byte(patch)); err != nil {
		b.t.Fatal(err)
	}
}

// reported waits until a part of what the device reports is as wanted.
func (b *bench) reported(want string, path ...string) {
	b.t.Helper()
	var got string
	err := b.cloud.Wait(b.patience(), func() bool {
		tw, err := b.cloud.Twin("pump")
		b.check(err)
		var v any
		b.check(json.Unmarshal(tw.Reported.JSON, &v))
		for _, name := range path {
			inner, _ := v.(map[string]any)
			v = inner[name]
		}
		text, err := json.Marshal(v)
		b.check(err)
		got = string(text)
		return got == want
	})
	if err != nil {
		b.t.Errorf("the device reports %v as %s, want %s: %v", path, got, want, err)
	}
}

func TestMethods(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.keyConfig())
	b.subscribed("pump")
	b.invoke("Power1", `"on"`, `200 {"POWER1":"ON"}`)
	b.invoke("power2", `true`, `200 {"POWER2":"ON"}`)
	if got := b.level("GPIO17") + b.level("GPIO27"); got != "10" {
		t.Errorf("levels %s, want 1 and, active low, 0", got)
	}
	b.invoke("Power0", `0`, `200 {"POWER1":"OFF","POWER2":"OFF"}`)
	b.invoke("relay2*toggle", ``, `200 {"POWER2":"ON"}`)
	b.invoke("power", `null`, `200 {"POWER1":"OFF"}`)
	b.invoke("foo", `{"a":1}`, `404 {"Command":"Unknown","Input":"FOO {\"a\":1}"}`)
	b.invoke("power3", `"on"`, `400 {"Command":"Error","Input":"POWER3 on"}`)
	b.invoke("Backlog", `"power1 on;power1 off"`, `200 [{"POWER1":"ON"},{"POWER1":"OFF"}]`)
	b.invoke("Backlog", `"delay 20;power1 on"`, `202 {"Delay":20}`)
	if _, err := b.cloud.WaitRecord(b.patience(), func(r hubsim.Record) bool {
		return r.System["dt-subject"] == "relay1" && string(r.Body) == `{"POWER1":"ON"}`
	}); err != nil {
		t.Errorf("what went on after the answer was not published for the component: %v", err)
	}
	b.waitLog("command done", "command=POWER", `cause="method `)
}

func TestTwin(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	config := b.keyConfig()
	d := b.start(config)
	b.subscribed("pump")
	b.reported(`"Pump"`, "relays", "1", "name")
	b.reported(`{"boots":1,"sessions":1}`, "counters")
	b.desire(`{"relays":{"1":{"power":"ON"},"2":{"power":"TOGGLE"}},"settings":{"TelePeriod":60},"relay2":{"__t":"c","on":true}}`)
	b.reported(`{"ac":200,"ad":"ok","av":2,"value":"ON"}`, "relays", "1", "ack")
	b.reported(`"twin 2"`, "relays", "1", "cause")
	b.reported(`400`, "relays", "2", "ack", "ac")
	b.reported(`{"ac":200,"ad":"ok","av":2,"value":true}`, "relay2", "on")
	b.reported(`{"ac":200,"ad":"ok","av":2,"value":60}`, "settings", "ack", "TelePeriod")
	if got := b.level("GPIO17") + b.level("GPIO27"); got != "10" {
		t.Errorf("levels %s, want 1 and, active low, 0", got)
	}
	tw, err := b.cloud.Twin("pump")
	if err != nil || !strings.Contains(string(tw.Reported.JSON), `"since":"20`) {
		t.Errorf("it is not said since when: %s", tw.Reported.JSON)
	}

	// What was applied is not applied again, also after a kill; what was written
	// meanwhile is.
	b.command("pump", "m1", "/power0", "off", `{"POWER1":"OFF"}`)
	b.completed("pump")
	b.check(d.Kill())
	b.desire(`{"relays":{"2":{"power":"ON"}}}`)
	moved := b.moves("GPIO17")
	b.start(config)
	b.reported(`{"ac":200,"ad":"ok","av":3,"value":"ON"}`, "relays", "2", "ack")
	b.reported(`{"boots":2,"sessions":1}`, "counters")
	if got := b.level("GPIO17") + b.level("GPIO27"); got != "00" || b.moves("GPIO17") != moved {
		t.Errorf("levels %s, want 0 and, active low, 0; GPIO17 moved %d times, %d before the kill", got, b.moves("GPIO17"), moved)
	}
}

// The model is announced to the hub and to DPS.
func TestModelIsAnnounced(t *testing.T) {
	b := newBench(t, hubsim.Options{}, 0)
	b.start(b.dpsConfig())
	b.subscribed("board-7")
	logins := b.cloud.Logins()
	if got := logins[len(logins)-1].ModelID; got != "dtmi:tasmotaAzd:Relays2;1" {
		t.Errorf("announced %q", got)
	}
}
