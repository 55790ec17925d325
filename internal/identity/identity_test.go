package identity_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/identity"
	"tasmota-azd/internal/store"
	"tasmota-azd/internal/token"
)

const (
	groupKey = "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw=="
	// derived from it for "rpi-0001", by Microsoft's SDK
	derivedKey = "CRQ0hUxmqNk2dV85hCQssHadu9IaqYAkp+iOFRto2dE="
	otherKey   = "MIW3wnGLeEjhsc/FtGIZXg=="
)

// A cloud is a DPS that assigns hub, or does what fail says, for ever or until
// a time.
type cloud struct {
	hub, id  string
	fail     func(*http.Request) (*http.Response, error)
	until    time.Time
	requests []request

	fits   token.Key // what it takes when it is asked after an operation that never was
	probes int
}

type request struct {
	at            time.Time
	path          string
	authorization string
}

func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/operations/4.0000") {
		c.probes++
		if _, err := token.Verify(c.fits, r.Header.Get("Authorization")); err != nil {
			return respond(401, "", "")
		}
		return respond(404, "", "")
	}
	c.requests = append(c.requests, request{time.Now(), r.URL.Path, r.Header.Get("Authorization")})
	if c.fail != nil && (c.until.IsZero() || time.Now().Before(c.until)) {
		return c.fail(r)
	}
	return respond(200, "", fmt.Sprintf(`{"status":"assigned","registrationState":{"assignedHub":%q,"deviceId":%q}}`, c.hub, c.id))
}

func respond(status int, retryAfter, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retryAfter}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// answers makes a cloud fail with one answer.
func answers(status int, retryAfter, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return respond(status, retryAfter, body) }
}

// A bench is a device with a state directory and a DPS.
type bench struct {
	*identity.Options
	cloud *cloud
	dir   string
	log   *bytes.Buffer
}

// newBench is set for DPS with a group key; a test changes what it likes.
func newBench(t *testing.T) bench {
	t.Helper()
	log := &bytes.Buffer{}
	c := &cloud{hub: "one.azure-devices.net", id: "rpi-0001"}
	b := bench{
		cloud: c,
		dir:   t.TempDir(),
		log:   log,
		Options: &identity.Options{
			DPS: dps.Options{
				ScopeID:        "0ne000A0B1C",
				RegistrationID: "rpi-0001",
				Key:            key(t, groupKey),
				Transport:      c,
			},
			Group: true,
			Sys:   machine("eth0"),
			Log:   slog.New(slog.NewTextHandler(io.MultiWriter(log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
	}
	b.Store = b.open(t)
	return b
}

// open takes the state directory until the test ends or restarts.
func (b bench) open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(b.dir, b.Log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // restart may have closed it
	return s
}

// restart makes the identities of the next run of the daemon.
func (b bench) restart(t *testing.T) *identity.Identities {
	t.Helper()
	_ = b.Store.Close()
	b.Store = b.open(t)
	return identity.New(*b.Options)
}

func key(t testing.TB, text string) token.Key {
	t.Helper()
	k, err := token.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func identify(t *testing.T, i *identity.Identities, trouble hub.Trouble) hub.Identity {
	t.Helper()
	got, err := i.Identify(t.Context(), trouble)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// same compares what cannot be compared with ==.
func same(t *testing.T, got, want hub.Identity) {
	t.Helper()
	if got.Host != want.Host || got.DeviceID != want.DeviceID || !got.Key.Equal(want.Key) {
		t.Errorf("identity %+v (key %s), want %+v (key %s)", got, got.Key.Fingerprint(), want, want.Key.Fingerprint())
	}
}

func TestFixed(t *testing.T) {
	for _, tt := range []struct{ name, configured, want string }{
		{"configured", "myfirstTasmotaDevice", "myfirstTasmotaDevice"},
		{"MAC address", "", "B827EB001122"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.DPS = dps.Options{}
			b.Hub = hub.Identity{Host: "h.azure-devices.net", DeviceID: tt.configured, Key: key(t, otherKey)}
			i := identity.New(*b.Options)
			want := hub.Identity{Host: "h.azure-devices.net", DeviceID: tt.want, Key: key(t, otherKey)}
			same(t, identify(t, i, hub.Trouble{}), want)
			same(t, identify(t, i, hub.Trouble{Failures: 100, Since: time.Now().Add(-24 * time.Hour)}), want)
			if len(b.cloud.requests) != 0 {
				t.Error("DPS was asked")
			}
		})
	}
}

func TestRegistrationID(t *testing.T) {
	for _, tt := range []struct{ name, registrationID, deviceID, want string }{
		{"its own", "Reg-1", "Dev-1", "Reg-1"},
		{"of the device", "", "Dev-1", "Dev-1"},
		{"MAC address", "", "", "B827EB001122"},
	} {
		for _, group := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, group %v", tt.name, group), func(t *testing.T) {
				b := newBench(t)
				b.Group, b.DPS.RegistrationID, b.Hub.DeviceID = group, tt.registrationID, tt.deviceID
				b.cloud.id = "Assigned" // may differ from what was asked for
				want := hub.Identity{Host: "one.azure-devices.net", DeviceID: "Assigned", Key: key(t, groupKey)}
				if group {
					want.Key = want.Key.Derive(tt.want)
				}
				same(t, identify(t, identity.New(*b.Options), hub.Trouble{}), want)
				if got := b.cloud.requests[0].path; got != "/0ne000A0B1C/registrations/"+tt.want+"/register" {
					t.Errorf("asked for %s", got)
				}
				if _, err := token.Verify(want.Key, b.cloud.requests[0].authorization); err != nil {
					t.Errorf("signed with another key: %v", err)
				}
			})
		}
	}
}

func TestGroupKeyIsDerivedAsAzureDoes(t *testing.T) {
	b := newBench(t)
	same(t, identify(t, identity.New(*b.Options), hub.Trouble{}),
		hub.Identity{Host: "one.azure-devices.net", DeviceID: "rpi-0001", Key: key(t, derivedKey)})
}

// TestNextRunAsksNobody: with an assignment, neither a restart nor a reconnect
// registers, even with DPS down.
func TestNextRunAsksNobody(t *testing.T) {
	b := newBench(t)
	want := identify(t, identity.New(*b.Options), hub.Trouble{})
	for range 3 {
		b.cloud.fail = func(*http.Request) (*http.Response, error) { return nil, errors.New("DPS is down") }
		i := b.restart(t)
		for range 5 {
			same(t, identify(t, i, hub.Trouble{}), want)
		}
	}
	if n := len(b.cloud.requests); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// TestOtherQuestion: an assignment is only used for the configuration that it
// was made for.
func TestOtherQuestion(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *identity.Options){
		"scope":      func(_ *testing.T, o *identity.Options) { o.DPS.ScopeID = "0ne000ZZZZZ" },
		"id":         func(_ *testing.T, o *identity.Options) { o.DPS.RegistrationID = "rpi-0002" },
		"id's case":  func(_ *testing.T, o *identity.Options) { o.DPS.RegistrationID = "RPI-0001" },
		"endpoint":   func(_ *testing.T, o *identity.Options) { o.DPS.Endpoint = "global.azure-devices-provisioning.cn" },
		"key":        func(t *testing.T, o *identity.Options) { o.DPS.Key = key(t, otherKey) },
		"kind of it": func(_ *testing.T, o *identity.Options) { o.Group = false },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			identify(t, identity.New(*b.Options), hub.Trouble{})
			change(t, b.Options)
			b.cloud.hub = "two.azure-devices.net"
			i := b.restart(t)
			if got := identify(t, i, hub.Trouble{}); got.Host != "two.azure-devices.net" || len(b.cloud.requests) != 2 {
				t.Errorf("hub %s after %d requests", got.Host, len(b.cloud.requests))
			}
			identify(t, b.restart(t), hub.Trouble{})
			if len(b.cloud.requests) != 2 {
				t.Error("the new assignment was not kept")
			}
		})
	}
	t.Run("default endpoint written out", func(t *testing.T) {
		b := newBench(t)
		identify(t, identity.New(*b.Options), hub.Trouble{})
		b.DPS.Endpoint = dps.DefaultEndpoint
		identify(t, b.restart(t), hub.Trouble{})
		if len(b.cloud.requests) != 1 {
			t.Error("DPS was asked again")
		}
	})
}

func TestBrokenAssignment(t *testing.T) {
	for _, content := range []string{"", "{", `{"version":1,"value":{}}`, `{"version":1,"value":[]}`} {
		b := newBench(t)
		if err := os.WriteFile(filepath.Join(b.dir, "assignment"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := identify(t, identity.New(*b.Options), hub.Trouble{}); got.Host != "one.azure-devices.net" {
			t.Errorf("with %q: %+v", content, got)
		}
	}
}

func TestAssignmentWithoutAHub(t *testing.T) {
	for _, member := range []string{`"hub":"one.azure-devices.net"`, `"device_id":"rpi-0001"`} {
		b := newBench(t)
		identify(t, identity.New(*b.Options), hub.Trouble{})
		file := filepath.Join(b.dir, "assignment")
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte(member)) {
			t.Fatalf("no %s in %s, %v", member, text, err)
		}
		name, _, _ := strings.Cut(member, ":")
		if err := os.WriteFile(file, bytes.Replace(text, []byte(member), []byte(name+`:""`), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := identify(t, b.restart(t), hub.Trouble{}); got.Host == "" || got.DeviceID == "" || len(b.cloud.requests) != 2 {
			t.Errorf("without %s: %+v after %d requests", name, got, len(b.cloud.requests))
		}
	}
}

// TestStateCannotBeWritten: the assignment is used though it is not kept.
func TestStateCannotBeWritten(t *testing.T) {
	b := newBench(t)
	if err := os.Mkdir(filepath.Join(b.dir, ".assignment.tmp"), 0o700); err != nil { // in the way of every Save
		t.Fatal(err)
	}
	if got := identify(t, identity.New(*b.Options), hub.Trouble{}); got.Host != "one.azure-devices.net" {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(b.log.String(), "not kept for the next start") {
		t.Errorf("nothing said: %s", b.log)
	}
}

// TestKeysStayInside: no key in a file or a line of the log.
func TestKeysStayInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cloud.fail = answers(401, "", `{"errorCode":401002}`)
		i := identity.New(*b.Options)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := i.Identify(ctx, hub.Trouble{})
		b.cloud.fail = nil
		got := identify(t, i, hub.Trouble{})
		b.Log.Info("all", "err", err, "identity", got, "options", *b.Options)
		fmt.Fprintf(b.log, "%v %+v %#v", i, *i, *i)

		var all strings.Builder
		all.WriteString(b.log.String())
		files, err := filepath.Glob(filepath.Join(b.dir, "*"))
		if err != nil || len(files) < 2 {
			t.Fatalf("files %v, %v", files, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.WriteString(string(text))
		}
		for _, secret := range []string{groupKey[:16], derivedKey[:16], "SharedAccessSignature", "242 43 43 20", "f22b2b14", "091434854c", "9 20 52 133"} {
			if strings.Contains(all.String(), secret) {
				t.Errorf("%q in %s", secret, all.String())
			}
		}
	})
}
