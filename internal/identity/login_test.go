package identity_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/identity"
	"tasmota-azd/internal/token"
)

var (
	refused = &hub.Error{Kind: hub.Refused, Code: 5}
	blocked = &hub.Error{Kind: hub.Unreachable}
	noName  = &hub.Error{Kind: hub.NoName}
)

// fixed is a bench without DPS and with two keys.
func fixed(t *testing.T) bench {
	b := newBench(t)
	b.DPS = dps.Options{}
	b.Hub = hub.Identity{Host: "h.azure-devices.net", DeviceID: "pump", Key: key(t, otherKey)}
	b.Secondary = key(t, derivedKey)
	return b
}

func after(n int, err error) hub.Trouble {
	return hub.Trouble{Failures: n, Since: time.Now(), Err: err}
}

func TestKeysFallOver(t *testing.T) {
	b := fixed(t)
	i := identity.New(*b.Options)
	primary, secondary := key(t, otherKey), key(t, derivedKey)
	signs := func(trouble hub.Trouble, want string) hub.Identity {
		t.Helper()
		id := identify(t, i, trouble)
		got := "neither"
		switch {
		case id.Key.Equal(primary):
			got = "primary"
		case id.Key.Equal(secondary):
			got = "secondary"
		}
		if got != want {
			t.Fatalf("after %+v the %s key signs, want the %s", trouble, got, want)
		}
		return id
	}
	i.Accepted(signs(hub.Trouble{}, "primary"))
	if strings.Contains(b.log.String(), "primary") {
		t.Errorf("what is as it should be is said: %s", b.log)
	}
	signs(after(1, errors.New("nobody knows me")), "primary")
	signs(after(2, &hub.Error{Kind: hub.Unreachable}), "primary")
	signs(after(3, &hub.Error{Kind: hub.Refused, Code: 3}), "primary")
	signs(after(4, &hub.Error{Kind: hub.Lost}), "primary")
	signs(after(5, refused), "secondary")
	signs(after(5, refused), "secondary") // the same failure, heard of twice
	signs(after(6, refused), "primary")
	i.Accepted(signs(after(7, refused), "secondary"))
	i.Accepted(signs(hub.Trouble{}, "secondary"))
	if n := strings.Count(b.log.String(), "level=WARN"); n != 1 || !strings.Contains(b.log.String(), "refused the primary key") {
		t.Errorf("%d warnings, want one: %s", n, b.log)
	}

	i = b.restart(t)
	i.Accepted(signs(hub.Trouble{}, "secondary"))
	if n := strings.Count(b.log.String(), "level=WARN"); n != 1 {
		t.Errorf("said again: %s", b.log)
	}
	i.Accepted(signs(after(1, refused), "primary"))
	if !strings.Contains(b.log.String(), "takes the primary key again") {
		t.Errorf("not said: %s", b.log)
	}
	i = b.restart(t)
	signs(hub.Trouble{}, "primary")

	// A remembered key that is not configured any more.
	i.Accepted(signs(after(1, refused), "secondary"))
	b.Secondary = key(t, groupKey)
	i = b.restart(t)
	signs(hub.Trouble{}, "primary")
}

// A step is one attempt: the way that is to be taken, and what becomes of it.
type step struct {
	way  hub.Way
	err  error   // nil: accepted
	took hub.Way // if accepted
}

// walk makes attempts one after the other, with a second in between.
func walk(t *testing.T, i *identity.Identities, steps ...step) {
	t.Helper()
	var trouble hub.Trouble
	for n, s := range steps {
		id := identify(t, i, trouble)
		if id.Way != s.way {
			t.Fatalf("attempt %d takes way %d, want %d", n+1, id.Way, s.way)
		}
		trouble = after(trouble.Failures+1, s.err)
		if s.err == nil {
			id.Way, trouble = s.took, hub.Trouble{}
			i.Accepted(id)
		}
		time.Sleep(time.Second)
	}
}

func TestAutoFallsBack(t *testing.T) {
	const direct, web, trial = hub.Direct, hub.WebSocket, hub.Trial
	ok := func(asked, took hub.Way) step { return step{asked, nil, took} }
	fail := func(w hub.Way, err error) step { return step{w, err, 0} }
	for _, tt := range []struct {
		name  string
		steps []step
		warns int
	}{
		{"all is well", []step{ok(direct, direct), ok(direct, direct)}, 0},
		{"blocked", []step{
			fail(direct, blocked), fail(direct, blocked), fail(direct, blocked), ok(trial, web), ok(web, web)}, 1},
		{"a refusal is no failure of the network", []step{
			fail(direct, blocked), fail(direct, blocked), fail(direct, refused), fail(direct, blocked), fail(direct, blocked), ok(direct, direct)}, 0},
		{"nor is a link that was lost, or an issuer not trusted", []step{
			fail(direct, &hub.Error{Kind: hub.Lost}), fail(direct, blocked), fail(direct, &hub.Error{Kind: hub.Lost}),
			fail(direct, blocked), ok(direct, direct)}, 0},
		{"no name server: a proxy may have one", []step{
			fail(direct, noName), fail(direct, noName), fail(direct, noName), ok(trial, web)}, 1},
		{"no network at all, then all is well", []step{
			fail(direct, noName), fail(direct, blocked), fail(direct, blocked), fail(trial, blocked), fail(trial, blocked), ok(trial, direct), ok(direct, direct)}, 0},
		{"refused over 443", []step{
			fail(direct, blocked), fail(direct, blocked), fail(direct, blocked), fail(trial, refused), fail(trial, refused), ok(trial, web), ok(web, web)}, 1},
		{"443 fails later on", []step{
			fail(direct, blocked), fail(direct, blocked), fail(direct, blocked), ok(trial, web),
			fail(web, blocked), fail(web, blocked), fail(web, blocked), ok(trial, direct), ok(direct, direct)}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := fixed(t)
				b.Secondary = token.Key{}
				walk(t, identity.New(*b.Options), tt.steps...)
				if n := strings.Count(b.log.String(), "level=WARN"); n != tt.warns {
					t.Errorf("%d warnings, want %d: %s", n, tt.warns, b.log)
				}
			})
		})
	}
}

func TestFallBackIsRememberedAndTriedAgain(t *testing.T) {
	const direct, web, trial = hub.Direct, hub.WebSocket, hub.Trial
	synctest.Test(t, func(t *testing.T) {
		b := fixed(t)
		i := identity.New(*b.Options)
		walk(t, i, step{direct, blocked, 0}, step{direct, blocked, 0}, step{direct, blocked, 0}, step{trial, nil, web})
		i = b.restart(t)
		time.Sleep(23 * time.Hour)
		walk(t, i, step{web, nil, web})
		time.Sleep(time.Hour)
		i = b.restart(t)
		walk(t, i, step{trial, nil, web}, step{web, nil, web})
		if n := strings.Count(b.log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings, want one", n)
		}
		time.Sleep(24 * time.Hour)
		walk(t, i, step{trial, nil, direct}, step{direct, nil, direct})
		if !strings.Contains(b.log.String(), "on its port for MQTT again") {
			t.Errorf("not said: %s", b.log)
		}
		walk(t, b.restart(t), step{direct, nil, direct})
	})
}

// TestClockWentBack: a trial that is due in the year 2100 is due now.
func TestClockWentBack(t *testing.T) {
	b := fixed(t)
	b.Now = func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }
	i := identity.New(*b.Options)
	walk(t, i, step{hub.Direct, blocked, 0}, step{hub.Direct, blocked, 0}, step{hub.Direct, blocked, 0}, step{hub.Trial, nil, hub.WebSocket})
	b.Now = nil
	if got := identify(t, b.restart(t), hub.Trouble{}).Way; got != hub.Trial {
		t.Errorf("way %d", got)
	}
}

func TestFixedTransport(t *testing.T) {
	for transport, want := range map[identity.Transport]hub.Way{identity.MQTT: hub.Direct, identity.WebSocket: hub.WebSocket} {
		b := fixed(t)
		i := identity.New(*b.Options) // what auto has learned
		walk(t, i, step{hub.Direct, blocked, 0}, step{hub.Direct, blocked, 0}, step{hub.Direct, blocked, 0}, step{hub.Trial, nil, hub.WebSocket})
		b.Transport = transport
		i = b.restart(t)
		for n := range 10 {
			if got := identify(t, i, after(n, blocked)).Way; got != want {
				t.Errorf("transport %d: attempt %d takes way %d", transport, n, got)
			}
		}
		i.Accepted(hub.Identity{Way: want})
		b.Transport = identity.Auto
		if got := identify(t, b.restart(t), hub.Trouble{}).Way; got != hub.Direct {
			t.Errorf("auto begins with way %d after a run without it", got)
		}
	}
}
