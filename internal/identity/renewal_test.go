package identity_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/certificate/certtest"
	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/identity"
	"tasmota-azd/internal/token"
)

// certified is a bench with a certificate in place of keys.
func certified(t *testing.T, pair certtest.Pair) bench {
	b := newBench(t)
	cert, key := pair.Write(t, t.TempDir(), "device")
	b.DPS.Key, b.Group = token.Key{}, false
	b.Hub = hub.Identity{Host: "h.azure-devices.net", DeviceID: "rpi-0001"}
	b.Certificate = identity.Certificate{Certificate: pair.Parse(t), File: cert, KeyFile: key}
	return b
}

// renew writes another pair in the place of the first.
func (b bench) renew(t *testing.T, pair certtest.Pair) {
	t.Helper()
	for file, text := range map[string][]byte{b.Certificate.File: pair.Cert, b.Certificate.KeyFile: pair.Key} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func shows(t *testing.T, i *identity.Identities, want certtest.Pair) {
	t.Helper()
	if id := identify(t, i, hub.Trouble{}); !id.Certificate.Equal(want.Parse(t)) || !id.Key.IsZero() {
		t.Errorf("signs in as %q, want %q", id.Certificate.Fingerprint(), want.Parse(t).Fingerprint())
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	year := time.Now().AddDate(1, 0, 0)
	first, second, third := certtest.SelfSigned(t, "a", year), certtest.SelfSigned(t, "b", year), certtest.SelfSigned(t, "c", year)
	b := certified(t, first)
	b.DPS = dps.Options{}
	i := identity.New(*b.Options)
	shows(t, i, first)
	b.renew(t, second)
	shows(t, i, second)
	if !strings.Contains(b.log.String(), "there is a new certificate") {
		t.Errorf("not said: %s", b.log)
	}

	// Between the two files of a renewal, and after one that went wrong.
	if err := os.WriteFile(b.Certificate.File, third.Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	shows(t, i, second)
	shows(t, i, second)
	if n := strings.Count(b.log.String(), "level=WARN"); n != 1 || !strings.Contains(b.log.String(), "device.key.pem: this key does not belong") {
		t.Errorf("%d warnings, want one that names the file: %s", n, b.log)
	}
	if err := os.Remove(b.Certificate.File); err != nil {
		t.Fatal(err)
	}
	shows(t, i, second)
	if !strings.Contains(b.log.String(), "no such file") {
		t.Errorf("not said: %s", b.log)
	}
	b.renew(t, third)
	shows(t, i, third)
	b.renew(t, certtest.Pair{Cert: []byte("x"), Key: third.Key})
	shows(t, i, third)
	if n := strings.Count(b.log.String(), "level=WARN"); n != 3 {
		t.Errorf("%d warnings, want 3: %s", n, b.log)
	}
	if strings.Contains(b.log.String(), "PRIVATE") {
		t.Error("a key is in the log")
	}
}

func TestExpiryIsWarnedOfOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := certified(t, certtest.SelfSigned(t, "pump", time.Now().Add(33*24*time.Hour)))
		b.DPS = dps.Options{}
		i := identity.New(*b.Options)
		said := func(text string) int { return strings.Count(b.log.String(), text) }
		pass := func(hours int) {
			for range hours {
				identify(t, i, hub.Trouble{})
				time.Sleep(time.Hour)
			}
		}
		pass(3*24 - 1)
		if said("expires soon") != 0 {
			t.Fatalf("warned too early: %s", b.log)
		}
		pass(24)
		if said("expires soon") != 1 || said("days_left=30") != 1 && said("days_left=29") != 1 {
			t.Errorf("want one warning with the days: %s", b.log)
		}
		pass(29 * 24)
		if n := said("expires soon"); n < 29 || n > 31 {
			t.Errorf("%d warnings in thirty days", n)
		}
		pass(3 * 24)
		if n := said("has expired"); n < 2 || n > 4 || said("level=ERROR") != n {
			t.Errorf("%d errors in three days", n)
		}
		// A new one that is nearly over is warned of at once, a good one not.
		b.renew(t, certtest.SelfSigned(t, "pump", time.Now().Add(10*24*time.Hour)))
		before := said("level=WARN")
		pass(1)
		if said("level=WARN") != before+1 {
			t.Error("no warning of a new certificate that is nearly over")
		}
		b.renew(t, certtest.SelfSigned(t, "pump", time.Now().AddDate(1, 0, 0)))
		before = said("level=WARN") + said("level=ERROR")
		pass(48)
		if said("level=WARN")+said("level=ERROR") != before {
			t.Error("the new certificate is warned of")
		}
	})
}

// TestDPSByCertificate: no key, no token; a renewed certificate is told to DPS,
// and the known hub stands if DPS is down meanwhile.
func TestDPSByCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		year := time.Now().AddDate(1, 0, 0)
		first, second := certtest.SelfSigned(t, "rpi-0001", year), certtest.SelfSigned(t, "rpi-0001", year)
		b := certified(t, first)
		i := identity.New(*b.Options)
		shows(t, i, first)
		if b.reached() != 1 || b.cloud.requests[0].authorization != "" {
			t.Fatalf("requests %+v", b.cloud.requests)
		}
		time.Sleep(2 * time.Hour)
		shows(t, i, first)
		shows(t, b.restart(t), first)
		if b.reached() != 1 {
			t.Errorf("DPS was asked again")
		}

		b.renew(t, second)
		b.cloud.fail = answers(503, "", "")
		i = b.restart(t)
		shows(t, i, second)
		if b.reached() < 2 {
			t.Error("DPS was not told")
		}
		tried := b.reached()
		shows(t, i, second)
		if b.reached() != tried {
			t.Error("DPS was asked twice within the hour")
		}
		b.cloud.fail = nil
		time.Sleep(time.Hour)
		shows(t, i, second)
		shows(t, b.restart(t), second)
		if b.reached() != tried+1 {
			t.Errorf("%d requests more, want 1", b.reached()-tried)
		}
	})
}

// TestWrongKindOfKey: DPS refuses, and would take the key as one of the other kind.
func TestWrongKindOfKey(t *testing.T) {
	group := key(t, groupKey)
	for _, tt := range []struct {
		name       string
		configured bool // as a group's
		fits       token.Key
		says       string
	}{
		{"individual, said to be a group's", true, group, "write dps.key_kind: individual"},
		{"a group's, said to be individual", false, group.Derive("rpi-0001"), "write dps.key_kind: group"},
		{"neither", true, key(t, otherKey), "compare dps.key_file"},
		{"right all the same", true, group.Derive("rpi-0001"), "compare dps.key_file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.Group, b.cloud.fits = tt.configured, tt.fits
				b.cloud.fail, b.cloud.until = answers(401, "", `{"errorCode":401002}`), time.Now().Add(time.Hour)
				i := identity.New(*b.Options)
				identify(t, i, hub.Trouble{})
				if !strings.Contains(b.log.String(), tt.says) {
					t.Errorf("not said %q: %s", tt.says, b.log)
				}
				if b.cloud.probes < 1 || b.cloud.probes > 2*b.reached() {
					t.Errorf("%d questions for %d refusals", b.cloud.probes, b.reached())
				}
				// Once DPS has taken the key, its kind is right.
				n := b.cloud.probes
				b.cloud.until = time.Now().Add(3 * time.Hour)
				time.Sleep(2 * time.Hour)
				asked := b.reached()
				identify(t, i, hub.Trouble{Failures: 10, Since: time.Now().Add(-time.Hour)})
				if b.cloud.probes != n || b.reached() != asked+1 {
					t.Error("asked after the kind of a key that DPS has taken")
				}
			})
		})
	}
}
