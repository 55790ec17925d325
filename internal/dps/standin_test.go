package dps_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hubsim"
)

// TestStandIn meets the stand-in that everything else is tried with.
func TestStandIn(t *testing.T) {
	const scope, hub = "0ne000A0B1C", "one.azure-devices.net"
	group := key(t, "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==")
	single := key(t, "MIW3wnGLeEjhsc/FtGIZXg==")
	enrollments := []hubsim.Enrollment{
		{ID: "fleet", Group: true, Key: group, Hub: hub},
		{ID: "rpi-single", Key: single, Hub: hub},
		{ID: "rpi-off", Key: single, Hub: hub, Disabled: true},
	}
	for _, tt := range []struct {
		name, id string
		fault    hubsim.Fault
		change   func(*dps.Options)
		kind     dps.Kind // if refused
		refused  bool
		least    time.Duration
	}{
		{name: "group", id: "B827EB001122", change: func(o *dps.Options) { o.Key = group.Derive("B827EB001122") }, least: 3 * time.Second},
		{name: "individual", id: "rpi-single", least: 3 * time.Second},
		{name: "group key not derived", id: "B827EB001122", change: func(o *dps.Options) { o.Key = group }, kind: dps.Unauthorized, refused: true},
		{name: "individual key derived", id: "rpi-single", change: func(o *dps.Options) { o.Key = single.Derive("rpi-single") }, kind: dps.Unauthorized, refused: true},
		{name: "other scope", id: "rpi-single", change: func(o *dps.Options) { o.ScopeID = "0ne000ZZZZZ" }, kind: dps.Unauthorized, refused: true},
		{name: "disabled", id: "rpi-off", kind: dps.Disabled, refused: true},
		{name: "throttled", id: "rpi-single", fault: hubsim.Fault{Kind: hubsim.RefuseRegister, Code: 429, Delay: 20 * time.Second}, least: 23 * time.Second},
		{name: "busy poll", id: "rpi-single", fault: hubsim.Fault{Kind: hubsim.RefusePoll, Code: 503, Count: 2}, least: 9 * time.Second},
		{name: "not found", id: "rpi-single", fault: hubsim.Fault{Kind: hubsim.RefuseRegister, Code: 404}, kind: dps.NotEnrolled, refused: true},
		{name: "no hub", id: "rpi-single", fault: hubsim.Fault{Kind: hubsim.FailRegister, Code: 400208}, kind: dps.Failed, refused: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := hubsim.New(hubsim.Options{Hosts: []string{hub}, ScopeID: scope, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
				defer sim.Close()
				for _, e := range enrollments {
					if err := sim.AddEnrollment(e); err != nil {
						t.Fatal(err)
					}
				}
				if tt.fault.Kind != "" {
					if err := sim.Inject(tt.fault); err != nil {
						t.Fatal(err)
					}
				}
				o := options(t, roundTrip(func(r *http.Request) (*http.Response, error) {
					w := httptest.NewRecorder()
					sim.DPS().ServeHTTP(w, r)
					return w.Result(), nil
				}))
				o.ScopeID, o.RegistrationID, o.Key = scope, tt.id, single
				if tt.change != nil {
					tt.change(&o)
				}
				start := time.Now()
				got, err := dps.Register(t.Context(), o)
				if tt.refused {
					if e, ok := errors.AsType[*dps.Error](err); !ok || e.Kind != tt.kind {
						t.Errorf("Register: %+v, %v, want kind %v", got, err, tt.kind)
					}
					return
				}
				if err != nil || got.Hub != hub || got.DeviceID != tt.id {
					t.Errorf("Register: %+v, %v", got, err)
				}
				if d := time.Since(start); d < tt.least || d > tt.least+10*time.Second {
					t.Errorf("it took %v, want %v and little more", d, tt.least)
				}
			})
		})
	}
}
