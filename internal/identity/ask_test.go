package identity_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/identity"
)

// reached is how often DPS was asked.
func (b bench) reached() int { return len(b.cloud.requests) }

// assigned is a bench that has had its assignment for long.
func assigned(t *testing.T) (bench, *identity.Identities) {
	t.Helper()
	b := newBench(t)
	i := identity.New(*b.Options)
	identify(t, i, hub.Trouble{})
	b.cloud.requests = nil
	time.Sleep(2 * time.Hour)
	return b, i
}

func TestWhenDPSIsAskedAgain(t *testing.T) {
	for _, tt := range []struct {
		name     string
		failures int
		lasting  time.Duration
		asked    int
	}{
		{"no trouble", 0, 0, 0},
		{"few but long", 9, 24 * time.Hour, 0},
		{"many but short", 100, 21 * time.Minute, 0}, // the place of rpi-0001 is 0.43
		{"many and long", 10, 22 * time.Minute, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, i := assigned(t)
				identify(t, i, hub.Trouble{Failures: tt.failures, Since: time.Now().Add(-tt.lasting)})
				if b.reached() != tt.asked {
					t.Errorf("DPS was asked %d times, want %d", b.reached(), tt.asked)
				}
			})
		})
	}
	t.Run("no trouble has no beginning", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, i := assigned(t)
			identify(t, i, hub.Trouble{})
			if b.reached() != 0 {
				t.Error("DPS was asked")
			}
		})
	})
}

// TestAtMostOnceAnHour: a day of a hub that refuses, tried every minute.
func TestAtMostOnceAnHour(t *testing.T) {
	for name, fail := range map[string]func(*http.Request) (*http.Response, error){
		"same hub":     nil,
		"not enrolled": answers(404, "", ""),
		"disabled":     answers(200, "", `{"status":"disabled"}`),
		"throttled":    answers(429, "600", ""),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, i := assigned(t)
				b.cloud.fail = fail
				start := time.Now()
				for n := 1; time.Since(start) < 24*time.Hour; n++ {
					if got := identify(t, i, hub.Trouble{Failures: n, Since: start}); got.Host != "one.azure-devices.net" {
						t.Fatalf("hub %s", got.Host)
					}
					time.Sleep(time.Minute)
				}
				if n := b.reached(); n < 23 || n > 24 {
					t.Errorf("DPS was asked %d times in a day, want about 24", n)
				}
				for n, r := range b.cloud.requests[1:] {
					if gap := r.at.Sub(b.cloud.requests[n].at); gap < time.Hour {
						t.Fatalf("asked again after %v", gap)
					}
				}
				if first := b.cloud.requests[0].at.Sub(start); first != 22*time.Minute {
					t.Errorf("first asked after %v", first)
				}
			})
		})
	}
}

// TestFreshAssignmentCounts: a device that just registered does not register
// again within the hour because its hub does not let it in yet.
func TestFreshAssignmentCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		i := identity.New(*b.Options)
		start := time.Now()
		identify(t, i, hub.Trouble{})
		for n := 1; n < 59; n++ {
			time.Sleep(time.Minute)
			identify(t, i, hub.Trouble{Failures: n, Since: start})
		}
		if b.reached() != 1 {
			t.Errorf("DPS was asked %d times", b.reached())
		}
	})
}

func TestAskedAgainSoonerIfItDidNotHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, i := assigned(t)
		b.cloud.fail = func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }
		start := time.Now().Add(-time.Hour)
		for range 60 {
			identify(t, i, hub.Trouble{Failures: 10, Since: start})
			time.Sleep(time.Minute)
		}
		if n := b.reached(); n != 12 {
			t.Errorf("asked %d times in an hour, want 12", n)
		}
		if !strings.Contains(b.log.String(), "no route to host") || !strings.Contains(b.log.String(), "the known hub stands") {
			t.Errorf("not said: %s", b.log)
		}
	})
}

func TestMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, i := assigned(t)
		b.cloud.hub, b.cloud.id = "two.azure-devices.net", "RPI-0001"
		trouble := hub.Trouble{Failures: 12, Since: time.Now().Add(-time.Hour)}
		want := hub.Identity{Host: "two.azure-devices.net", DeviceID: "RPI-0001", Key: key(t, derivedKey)}
		same(t, identify(t, i, trouble), want)
		same(t, identify(t, i, trouble), want)
		same(t, identify(t, b.restart(t), hub.Trouble{}), want)
		if b.reached() != 1 {
			t.Errorf("DPS was asked %d times", b.reached())
		}
	})
}

// TestKnownHubStands: whatever DPS does, a device with an assignment keeps it,
// also over a restart, and does not wait long.
func TestKnownHubStands(t *testing.T) {
	for name, fail := range map[string]func(*http.Request) (*http.Response, error){
		"does not answer": func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
		"never decides":   answers(202, "3", `{"operationId":"1","status":"assigning"}`),
		"down":            answers(503, "", ""),
		"unauthorized":    answers(401, "", ""),
		"deleted":         answers(404, "", `{"errorCode":404201}`),
		"failed":          answers(200, "", `{"status":"failed","registrationState":{"errorCode":400208}}`),
		"nonsense":        answers(200, "", `{"status":"assigned","registrationState":{"assignedHub":"","deviceId":""}}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, i := assigned(t)
				b.cloud.fail = fail
				start := time.Now()
				want := hub.Identity{Host: "one.azure-devices.net", DeviceID: "rpi-0001", Key: key(t, derivedKey)}
				same(t, identify(t, i, hub.Trouble{Failures: 12, Since: start.Add(-time.Hour)}), want)
				if d := time.Since(start); d > time.Minute {
					t.Errorf("the hub had to wait %v", d)
				}
				n := b.reached()
				same(t, identify(t, b.restart(t), hub.Trouble{}), want)
				if n == 0 || b.reached() != n {
					t.Errorf("DPS was asked %d times, and %d after the restart", n, b.reached()-n)
				}
			})
		})
	}
}

// TestRetryWithoutAssignment: it goes on for ever, at a pace that depends on
// whose trouble it is.
func TestRetryWithoutAssignment(t *testing.T) {
	unreachable := func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }
	for _, tt := range []struct {
		name        string
		fail        func(*http.Request) (*http.Response, error)
		first       time.Duration // the longest first pause
		least, most time.Duration // of any pause
		says        string
	}{
		{"unreachable", unreachable, 2 * time.Second, time.Second, 5 * time.Minute, "cannot be reached"},
		{"throttled", answers(429, "1200", ""), 1210 * time.Second, 1200 * time.Second, 1500 * time.Second, "too much to do"},
		{"wrong key", answers(401, "", ""), 30 * time.Minute, 15 * time.Minute, 30 * time.Minute, "dps.key_file"},
		{"not enrolled", answers(404, "", ""), 30 * time.Minute, 15 * time.Minute, 30 * time.Minute, "no enrollment"},
		{"disabled", answers(200, "", `{"status":"disabled"}`), 30 * time.Minute, 15 * time.Minute, 30 * time.Minute, "is disabled"},
		{"asks for patience", answers(400, "7200", ""), 135 * time.Minute, 2 * time.Hour, 135 * time.Minute, "HTTP 400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.cloud.fail, b.cloud.until = tt.fail, time.Now().Add(48*time.Hour)
				if got := identify(t, identity.New(*b.Options), hub.Trouble{}); got.Host != "one.azure-devices.net" {
					t.Errorf("hub %s", got.Host)
				}
				if time.Now().Before(b.cloud.until) {
					t.Error("an assignment before its time")
				}
				r := b.cloud.requests
				for n := 1; n < len(r); n++ {
					gap := r[n].at.Sub(r[n-1].at)
					if gap < tt.least || gap > tt.most || n == 1 && gap > tt.first {
						t.Errorf("pause %d: %v", n, gap)
					}
				}
				if !strings.Contains(b.log.String(), tt.says) || !strings.Contains(b.log.String(), "retry_in=") {
					t.Errorf("not said %q: %s", tt.says, b.log)
				}
			})
		})
	}
}

// TestPauseGrows: the pauses of a long outage reach minutes, and differ.
func TestPauseGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cloud.fail = func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }
		ctx, cancel := context.WithTimeout(t.Context(), 48*time.Hour)
		defer cancel()
		if _, err := identity.New(*b.Options).Identify(ctx, hub.Trouble{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v", err)
		}
		if n := b.reached(); n < 48*60/5 || n > 2*48*60/5*3 {
			t.Errorf("%d requests in two days", n)
		}
		different := map[time.Duration]bool{}
		for n, r := range b.cloud.requests[1:] {
			different[r.at.Sub(b.cloud.requests[n].at)] = true
		}
		if len(different) < b.reached()/2 {
			t.Errorf("%d different pauses of %d", len(different), b.reached())
		}
	})
}

func TestEndsWithContext(t *testing.T) {
	errStop := errors.New("stop")
	for name, prepare := range map[string]func(bench){
		"asking": func(b bench) {
			b.cloud.fail = func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
		},
		"waiting for DPS":        func(b bench) { b.cloud.fail = answers(401, "", "") },
		"waiting for an adapter": func(b bench) { b.DPS.RegistrationID, b.Sys = "", machine() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				prepare(b)
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second/2, func() { cancel(errStop) })
				start := time.Now()
				got, err := identity.New(*b.Options).Identify(ctx, hub.Trouble{})
				if err != errStop || time.Since(start) != time.Second/2 || !got.Key.IsZero() {
					t.Errorf("%+v, %v after %v, want the cause at once", got, err, time.Since(start))
				}
				if name == "asking" && strings.Contains(b.log.String(), "level=WARN") {
					t.Errorf("the end is no trouble: %s", b.log)
				}
			})
		})
	}
	t.Run("asking again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, i := assigned(t)
			b.cloud.fail = func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second/2, func() { cancel(errStop) })
			if _, err := i.Identify(ctx, hub.Trouble{Failures: 10, Since: time.Now().Add(-time.Hour)}); err != errStop {
				t.Errorf("error %v, want the cause", err)
			}
			if strings.Contains(b.log.String(), "level=WARN") {
				t.Errorf("the end is no trouble: %s", b.log)
			}
		})
	})
}
