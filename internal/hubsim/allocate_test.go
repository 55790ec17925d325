package hubsim_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// TestD10Polls: five polls in ten seconds, and no more.
func TestD10Polls(t *testing.T) {
	inDPS(t, hubsim.Options{DPSPolls: 100}, func(t *testing.T, c *cloud, group, single token.Key) {
		op := c.ask(register(single, "rpi-7")).OperationID
		ask := func(want int, retryAfter string) {
			t.Helper()
			a := c.ask(poll(single, "rpi-7", op))
			if a.status != want || a.header.Get("Retry-After") != retryAfter || want == 429 && a.ErrorCode != 429001 {
				t.Errorf("after %v: %+v, want %d", time.Since(bubbleStart), a, want)
			}
		}
		for range 5 {
			ask(202, "3")
			time.Sleep(time.Second)
		}
		ask(429, "5")
		time.Sleep(5*time.Second - time.Millisecond)
		ask(429, "1")
		time.Sleep(time.Millisecond)
		ask(202, "3")
		ask(429, "1")
		other := c.ask(register(group.Derive("rpi-8"), "rpi-8")).OperationID
		if a := c.ask(poll(group.Derive("rpi-8"), "rpi-8", other)); a.status != 202 {
			t.Errorf("another device: %+v", a)
		}
	})
}

// bubbleStart is when time begins in a bubble.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// TestD12Payload: what the device sends is seen by the allocation and by the
// owner, and what the allocation says is told to the device.
func TestD12Payload(t *testing.T) {
	var asked []hubsim.Allocation
	answer, failure := hubsim.Reassignment{}, error(nil)
	o := hubsim.Options{Hosts: []string{"localhost", "other"}, Allocate: func(a hubsim.Allocation) (hubsim.Reassignment, error) {
		asked = append(asked, a)
		return answer, failure
	}}
	inDPS(t, o, func(t *testing.T, c *cloud, _, single token.Key) {
		send := func(body string) (string, string) {
			r := register(single, "rpi-7")
			r.body = body
			a := c.ask(r)
			for a.status == 202 {
				a = c.ask(poll(single, "rpi-7", a.OperationID))
			}
			var in struct {
				State struct{ Payload json.RawMessage } `json:"registrationState"`
			}
			must(t, json.Unmarshal([]byte(a.text), &in))
			return a.Status, string(in.State.Payload)
		}
		const model = `{"modelId":"dtmi:com:example:TasmotaBridge;1"}`
		if status, told := send(`{"payload":` + model + `}`); status != "assigned" || told != "" {
			t.Errorf("nothing to tell: %s %s", status, told)
		}
		if a := asked[0]; a.RegistrationID != "rpi-7" || a.Hub != "localhost" || string(a.Payload) != model {
			t.Errorf("asked %+v", a)
		}
		if r := c.Registrations()[0]; string(r.Payload) != model || r.ModelID != "dtmi:com:example:TasmotaBridge;1" || r.Returned != nil {
			t.Errorf("registration %+v", r)
		}
		answer = hubsim.Reassignment{Hub: "other", Payload: json.RawMessage(`{"site":"A"}`)}
		if _, told := send(`{}`); told != `{"site":"A"}` || c.Registrations()[0].Hub != "other" || c.Registrations()[0].Payload != nil {
			t.Errorf("told %s, %+v", told, c.Registrations())
		}
		answer = hubsim.Reassignment{}
		must(t, c.Reassign("rpi-7", hubsim.Reassignment{Payload: json.RawMessage(`{"site":"B"}`)}))
		for range 2 { // it stays until something else is said
			if _, told := send(``); told != `{"site":"B"}` {
				t.Errorf("told %s", told)
			}
		}
		if a := asked[len(asked)-1]; a.Hub != "other" || a.Payload != nil {
			t.Errorf("asked %+v", a)
		}
		for name, f := range map[string]func(){
			"an error":        func() { failure = errors.New("no idea") },
			"an unknown hub":  func() { answer, failure = hubsim.Reassignment{Hub: "elsewhere"}, nil },
			"a list":          func() { answer, failure = hubsim.Reassignment{Payload: json.RawMessage(`[]`)}, nil },
			"a broken object": func() { answer, failure = hubsim.Reassignment{Payload: json.RawMessage(`{`)}, nil },
		} {
			f()
			before := c.Registrations()[0].Times
			if a := c.provision(single, "rpi-7"); a.Status != "failed" || a.State.ErrorCode != 400207 || c.Registrations()[0].Times != before {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if c.Reassign("rpi-7", hubsim.Reassignment{Payload: json.RawMessage(`1`)}) == nil {
			t.Error("a payload that is no object is taken")
		}
	})
}
