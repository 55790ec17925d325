package hub_test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
)

// doors has a hub with both its ports, and a session that stands on one of them, with a
// message that is delivered and not acknowledged, and another one behind it.
func doors(t *testing.T) (*hubsim.Sim, hub.Options) {
	t.Helper()
	ca := newAuthority(t, "Root")
	sim := hubsim.New(hubsim.Options{})
	t.Cleanup(sim.Close)
	must(t, sim.AddDevice(hubsim.Device{ID: dev, Key: key(t)}))
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "localhost", time.Now())}, ClientAuth: tls.RequestClientCert}
	o := hub.Options{
		Port:    listen(t, func(c net.Conn) { sim.ServeConn(tls.Server(c, config)) }),
		WebPort: listen(t, func(c net.Conn) { sim.ServeWebSocketConn(tls.Server(c, config)) }),
		Roots:   ca.pool(),
	}
	_, events, stop := runAs(t, o, hub.Identity{Host: "localhost", DeviceID: dev, Key: key(t)})
	t.Cleanup(stop)
	if ev := <-events; !strings.Contains(strings.ToLower(kind(ev)), "connected") {
		t.Fatalf("not connected: %+v", ev)
	}
	for range 2 {
		_, err := sim.Send(dev, hubsim.C2D{Body: []byte("x")})
		must(t, err)
		<-events
	}
	return sim, o
}

func kind(ev hub.Event) string {
	if _, ok := ev.(hub.Connected); ok {
		return "connected"
	}
	return "else"
}

// TestKnockDisturbsNobody: whatever the answer, the session stands as before, no login was
// seen, and each message is where it was.
func TestKnockDisturbsNobody(t *testing.T) {
	sim, o := doors(t)
	good := hub.Identity{Host: "localhost", DeviceID: dev, Key: key(t)}
	other := good
	other.Key = key(t).Derive("x")
	nobody := good
	nobody.DeviceID = "pump?2"
	logins, queue := sim.Logins(), sim.Queue(dev)
	for _, tt := range []struct {
		name  string
		id    hub.Identity
		fault int
		reply int // 0: let in
		words string
	}{
		{"good", good, 0, 0, ""},
		{"wrong key", other, 0, hub.Unauthorized, "the key is wrong"},
		{"unknown", nobody, 0, hub.Unauthorized, `device "pump?2"`},
		{"unknown, said so", good, hub.UnknownDevice, hub.UnknownDevice, "does not know"},
		{"quota", good, hub.QuotaExceeded, hub.QuotaExceeded, "used up"},
		{"tier", good, hub.WrongTier, hub.WrongTier, "basic"},
		{"filter", good, 403000, 403000, "IP filter"},
		{"busy", good, 429001, 429001, "busy"},
		{"something else", good, 404000, 404000, "does not answer"},
	} {
		if tt.fault != 0 {
			must(t, sim.Inject(hubsim.Fault{Kind: hubsim.RefuseRequest, Code: tt.fault}))
		}
		err := hub.NewProbe(o, tt.id).Knock(t.Context())
		e, _ := errors.AsType[*hub.Error](err)
		if tt.reply == 0 && err != nil || tt.reply != 0 && (e == nil || e.Reply != tt.reply || !strings.Contains(e.Error(), tt.words)) {
			t.Errorf("%s: %v, want %d %q", tt.name, err, tt.reply, tt.words)
		}
	}
	must(t, sim.SetQuota(hubsim.Quota{Limit: 1}))
	if e, _ := errors.AsType[*hub.Error](hub.NewProbe(o, good).Knock(t.Context())); e == nil || e.Reply != hub.QuotaExceeded {
		t.Errorf("over quota: %v", e)
	}
	after := sim.Logins()
	if len(after) != len(logins) || after[len(after)-1].End != "" {
		t.Errorf("logins: %+v", after)
	}
	still := sim.Queue(dev)
	if len(queue) != 2 || len(still) != 2 {
		t.Fatalf("%d messages before, %d after", len(queue), len(still))
	}
	for i, m := range still {
		if m.Seq != queue[i].Seq || m.Deliveries != 1 || !m.Locked {
			t.Errorf("message %d: %+v, was %+v", i, m, queue[i])
		}
	}
}

// TestProbeStepByStep: each step fails where the fault is.
func TestProbeStepByStep(t *testing.T) {
	sim, o := doors(t)
	p := hub.NewProbe(o, hub.Identity{Host: "localhost", DeviceID: dev, Key: key(t)})
	must(t, p.Reach(t.Context(), hub.Direct))
	must(t, p.Reach(t.Context(), hub.WebSocket))
	state, err := p.Greet(t.Context(), hub.Direct)
	must(t, err)
	if len(state.VerifiedChains) == 0 {
		t.Error("no chain")
	}
	o.Roots = newAuthority(t, "another").pool()
	if _, err := hub.NewProbe(o, hub.Identity{Host: "localhost"}).Greet(t.Context(), hub.Direct); !is(err, hub.Untrusted) {
		t.Errorf("unknown root: %v", err)
	}
	must(t, sim.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Count: hubsim.Always})) // which no step is to meet
	must(t, p.Knock(t.Context()))
	o.WebPort = 1
	if err := hub.NewProbe(o, hub.Identity{Host: "localhost"}).Reach(t.Context(), hub.WebSocket); !is(err, hub.Unreachable) {
		t.Errorf("closed port: %v", err)
	}
}

func is(err error, k hub.Kind) bool {
	e, ok := errors.AsType[*hub.Error](err)
	return ok && e.Kind == k
}
