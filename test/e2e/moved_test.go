package e2e

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/identity"
	"tasmota-azd/internal/store"
	"tasmota-azd/internal/token"
)

// oneRelay is a bank of one relay that notes who moved it.
type oneRelay struct {
	on    bool
	moves []string
}

func (r *oneRelay) Len() int        { return 1 }
func (r *oneRelay) On(int) bool     { return r.on }
func (r *oneRelay) Fault(int) error { return nil }

func (r *oneRelay) Set(_ int, on bool, why cause.Cause) error {
	if r.on != on {
		r.moves = append(r.moves, why.String())
	}
	r.on = on
	return nil
}

// direct hands HTTP requests to a handler without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, req)
	return rec.Result(), nil
}

// TestHubMoves plays, in a bubble where a quarter of an hour takes no time, an IoT
// hub that is taken out of service: it refuses the device, DPS assigns another, and
// a command sent there takes effect. All parts are the daemon's own.
func TestHubMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := hubsim.New(hubsim.Options{Hosts: []string{"old.example", "new.example"}})
		defer sim.Close()
		key, err := token.ParseKey(hubsim.NewKey())
		if err != nil {
			t.Fatal(err)
		}
		if err := sim.AddEnrollment(hubsim.Enrollment{ID: "pump", Key: key, Hub: "old.example"}); err != nil {
			t.Fatal(err)
		}
		relay := &oneRelay{}
		stop := startParts(t, sim, key, relay)
		defer stop()

		time.Sleep(time.Minute)
		synctest.Wait()
		send(t, sim, "m1")
		if got := hosts(sim, 0); !slices.Equal(got, []string{"old.example"}) {
			t.Fatalf("logins at %q", got)
		}
		if err := errors.Join(
			sim.Reassign("pump", hubsim.Reassignment{Hub: "new.example"}),
			sim.Inject(hubsim.Fault{Kind: hubsim.RefuseConnect, Code: 5, Count: hubsim.Always}),
			sim.Kick("pump"),
		); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for sim.Registrations()[0].Times < 2 {
			time.Sleep(time.Second)
			if time.Since(begin) > 2*time.Hour {
				t.Fatal("DPS is not asked again")
			}
		}
		if asked := time.Since(begin); asked < 15*time.Minute {
			t.Errorf("DPS was asked after %v, want no sooner than 15 minutes", asked)
		}
		sim.ClearFaults(hubsim.RefuseConnect)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		send(t, sim, "m2")
		if got := hosts(sim, 0); got[len(got)-1] != "new.example" {
			t.Errorf("accepted logins at %q, want the last at the new hub", got)
		}
		if want := []string{"c2d m1", "c2d m2"}; !slices.Equal(relay.moves, want) {
			t.Errorf("moves by %q, want %q", relay.moves, want)
		}
		time.Sleep(time.Second) // the answer leaves before the state is saved and the message acknowledged
		synctest.Wait()
		if q := sim.Queue("pump"); len(q) != 0 {
			t.Errorf("%d messages not acknowledged", len(q))
		}
	})
}

// startParts runs the daemon's parts against sim, over net.Pipe, until stop.
func startParts(t *testing.T, sim *hubsim.Sim, key token.Key, relay *oneRelay) (stop func()) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	st, err := store.Open(t.TempDir(), log)
	if err != nil {
		t.Fatal(err)
	}
	state, j, err := device.Load(st)
	if err != nil {
		t.Fatal(err)
	}
	ids := identity.New(identity.Options{
		DPS: dps.Options{
			Endpoint: "dps.example", ScopeID: "0ne00000001", RegistrationID: "pump", Key: key,
			Transport: direct{sim.DPS()},
		},
		Store: st, Log: log,
	})
	client := hub.New(hub.Options{
		Identify: ids.Identify,
		Will:     func(id string) hub.Telemetry { return device.Will("%topic%/", id) },
		Dial: func(context.Context, string, int) (net.Conn, error) {
			here, there := net.Pipe()
			go sim.ServeConn(there)
			return here, nil
		},
		Log: log,
	})
	relays := device.Noted(relay, j, []string{"GPIO17"})
	dev := device.New(device.Options{
		Hub:      client,
		Commands: commands.New(commands.Options{Relays: relays, Period: 300 * time.Second, Started: time.Now()}),
		Relays:   relays, Pins: []string{"GPIO17"}, Store: st, State: state, Journal: j, FullTopic: "%topic%/", Log: log,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	events := make(chan hub.Event)
	go func() { done <- client.Run(ctx, events) }()
	go func() { done <- dev.Run(ctx, events) }()
	return func() {
		cancel()
		if err := errors.Join(<-done, <-done, j.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	}
}

// send toggles the relay and waits until that is answered.
func send(t *testing.T, sim *hubsim.Sim, id string) {
	t.Helper()
	_, err := sim.Send("pump", hubsim.C2D{MessageID: id, Body: []byte("toggle"), Properties: []hubsim.Property{{Name: "Topic", Value: "/power"}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := sim.WaitRecord(ctx, func(r hubsim.Record) bool { return r.System["correlation-id"] == id }); err != nil {
		t.Fatalf("no answer to %s: %v", id, err)
	}
}

// hosts are the hubs of the CONNECTs that were answered with a code.
func hosts(sim *hubsim.Sim, code int) []string {
	var all []string
	for _, l := range sim.Logins() {
		if l.Code == code {
			all = append(all, l.Host)
		}
	}
	return all
}
