package token_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/token"
)

// The vectors in testdata were made by Microsoft's own SDKs; out is Node's
// result, alt Python's.

// A vector is the union of what the four files say.
type vector struct {
	Name string
	In   struct {
		Host, DeviceID, ModuleID, IDScope, RegistrationID string
		KeyBase64, GroupKeyBase64                         string
		Expiry, NowMs, TTLSeconds, MarginSeconds          int64
	}
	Out struct {
		Token, NodeToken, SKN, DeviceKeyBase64 string
		Expiry, RenewAfterMs                   int64
	}
	Alt struct{ PythonToken, PythonKey string }
}

// expiry is when a token made at in.nowMs ends.
func (v vector) expiry() time.Time {
	return time.UnixMilli(v.In.NowMs).Add(time.Duration(v.In.TTLSeconds) * time.Second)
}

// load reads a file of n vectors.
func load(t *testing.T, name string, n int) []vector {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []vector }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != n {
		t.Fatalf("%d cases in %s, want %d", len(file.Cases), name, n)
	}
	return file.Cases
}

// verified checks that the stand-in's side believes an SDK's token.
func verified(t *testing.T, k token.Key, text string, want token.Claims) {
	t.Helper()
	if got, err := token.Verify(k, text); err != nil || got != want {
		t.Errorf("Verify(%s): %+v, %v, want %+v", text, got, err, want)
	}
}

func TestVectorsHub(t *testing.T) {
	// Cases for which Hub cannot give the SDK's text; Verify still has to
	// believe it.
	left := map[string]string{
		"module":          "module identities: the daemon is a device and makes no module token",
		"module-edge-hub": "module identities: the daemon is a device and makes no module token",
		"upper-case-host": "the contract, section 2.2, has the host lower-cased, the SDK keeps it as given",
	}
	for _, v := range load(t, "sas-hub.json", 28) {
		t.Run(v.Name, func(t *testing.T) {
			k := mustParse(t, v.In.KeyBase64)
			want := token.Claims{Resource: v.In.Host + "/devices/" + v.In.DeviceID, Expiry: time.Unix(v.In.Expiry, 0)}
			if v.In.ModuleID != "" {
				want.Resource += "/modules/" + v.In.ModuleID
			}
			verified(t, k, v.Out.Token, want)
			verified(t, k, v.Alt.PythonToken, want)

			if reason, ok := left[v.Name]; ok {
				t.Logf("left out: making the token of %s: %s", v.Name, reason)
				return
			}
			got := token.Hub(k, v.In.Host, v.In.DeviceID, want.Expiry)
			if got != v.Out.Token && got != v.Alt.PythonToken {
				t.Errorf("token %s\nwant   %s\nor     %s", got, v.Out.Token, v.Alt.PythonToken)
			}
		})
	}
}

func TestHubLowersTheHost(t *testing.T) {
	k := mustParse(t, "CxNM+KCHYg6HZ2KmwXiIfNMoOZyuKQviNDMbzLvrFDc=")
	at := time.Unix(1767229200, 0)
	lower := token.Hub(k, "contoso-eu.azure-devices.net", "RPi", at)
	if got := token.Hub(k, "Contoso-EU.Azure-Devices.NET", "RPi", at); got != lower {
		t.Errorf("token %s, want %s", got, lower)
	}
	if !strings.Contains(lower, "%2FRPi&") {
		t.Errorf("the id did not keep its case: %s", lower)
	}
}

func TestVectorsRenewal(t *testing.T) {
	for _, v := range load(t, "sas-renewal.json", 4) {
		t.Run(v.Name, func(t *testing.T) {
			if got := token.Hub(mustParse(t, v.In.KeyBase64), v.In.Host, v.In.DeviceID, v.expiry()); got != v.Out.Token {
				t.Errorf("token %s\nwant   %s", got, v.Out.Token)
			}
			c, err := token.Parse(v.Out.Token)
			if err != nil || c.Expiry.Unix() != v.Out.Expiry {
				t.Errorf("expiry %d, %v, want %d", c.Expiry.Unix(), err, v.Out.Expiry)
			}
			t.Logf("left out: out.renewAfterMs of %s: when to renew is the hub room's choice, 75-85 %% of the lifetime", v.Name)
		})
	}
}

func TestVectorsDPS(t *testing.T) {
	for _, v := range load(t, "sas-dps.json", 13) {
		t.Run(v.Name, func(t *testing.T) {
			k := mustParse(t, v.In.KeyBase64)
			got := token.DPS(k, v.In.IDScope, v.In.RegistrationID, v.expiry())
			if got != v.Out.NodeToken && got != v.Alt.PythonToken {
				t.Errorf("token %s\nwant   %s\nor     %s", got, v.Out.NodeToken, v.Alt.PythonToken)
			}
			want := token.Claims{
				Resource: v.In.IDScope + "/registrations/" + v.In.RegistrationID,
				Expiry:   time.Unix(v.Out.Expiry, 0),
				KeyName:  v.Out.SKN,
			}
			verified(t, k, v.Out.NodeToken, want) // sr raw
			verified(t, k, v.Alt.PythonToken, want)
			verified(t, k, got, want)
		})
	}
}

func TestVectorsDerivedKeys(t *testing.T) {
	for _, v := range load(t, "derived-keys.json", 13) {
		t.Run(v.Name, func(t *testing.T) {
			got := mustParse(t, v.In.GroupKeyBase64).Derive(v.In.RegistrationID)
			if !got.Equal(mustParse(t, v.Out.DeviceKeyBase64)) || !got.Equal(mustParse(t, v.Alt.PythonKey)) {
				t.Error("the derived key differs")
			}
		})
	}
}
