package hubsim_test

import (
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

const otherText = "fxX+WzsoiZBp8lrf+EknEMkCZIGFXY1VzJbPQ5e2bsY="

func withKey(k token.Key, id string) func(*connectPacket) {
	return func(p *connectPacket) {
		p.ClientIdentifier, p.Username = id, "localhost/"+id+"/?api-version=2021-04-12"
		p.Password = []byte(token.Hub(k, "localhost", id, time.Now().Add(time.Hour)))
	}
}

// TestBothKeys: the primary and the secondary key admit a device alike, until
// one is made anew.
func TestBothKeys(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.CreateDevice("pump", "", keyText, otherText))
		check := func(what string, primary, secondary int) {
			t.Helper()
			for i, want := range []int{primary, secondary} {
				got := c.try(withKey(key(t, []string{keyText, otherText}[i]), "pump"))
				if got != want {
					t.Errorf("%s: key %d: %d, want %d", what, i, got, want)
				}
			}
		}
		check("new", 0, 0)
		if l := c.Logins(); l[0].Auth != "primary-key" || l[1].Auth != "secondary-key" {
			t.Errorf("logins %+v", l)
		}
		must(t, c.RenewKey("pump", "primary"))
		check("after the primary key was made anew", 5, 0)
		if l := c.Logins()[2]; l.Auth != "" {
			t.Errorf("login %+v", l)
		}
		must(t, c.RenewKey("pump", "secondary"))
		check("after both were", 5, 5)
		primary, secondary, err := c.Keys("pump")
		must(t, err)
		for _, text := range []string{primary, secondary} {
			if got := c.try(withKey(key(t, text), "pump")); got != 0 {
				t.Errorf("a key as shown: %d", got)
			}
		}
		if c.RenewKey("pump", "both") == nil || c.RenewKey("nobody", "primary") == nil || primary == secondary {
			t.Error("a wrong name is taken, or the keys are the same")
		}
	})
}

// TestRenewKeyLeavesTheSession: a connection outlives the key it was made with.
func TestRenewKeyLeavesTheSession(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		cl := c.connect()
		must(t, c.RenewKey(dev, "primary"))
		cl.quiet(time.Minute)
	})
}

// TestZeroKeyAdmitsNobody: a device without a secondary key has none.
func TestZeroKeyAdmitsNobody(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.AddDevice(hubsim.Device{ID: "keyless"}))
		if got := c.try(withKey(token.Key{}, "keyless")); got != 5 {
			t.Errorf("%d, want 5", got)
		}
	})
}

// TestD05BothKeys: both keys of an enrollment admit, and the identity gets the
// pair.
func TestD05BothKeys(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.CreateEnrollment(hubsim.Enrollment{ID: "one"}, keyText, otherText))
		must(t, c.CreateEnrollment(hubsim.Enrollment{ID: "fleet", Group: true}, groupText, otherText))
		for id, keys := range map[string][2]token.Key{
			"one": {key(t, keyText), key(t, otherText)},
			"two": {key(t, groupText).Derive("two"), key(t, otherText).Derive("two")},
		} {
			for i, k := range keys {
				if a := c.provision(k, id); a.Status != "assigned" {
					t.Errorf("%s with key %d: %+v", id, i, a)
				}
			}
			for i, k := range keys {
				if got := c.try(withKey(k, id)); got != 0 {
					t.Errorf("%s at the hub with key %d: %d", id, i, got)
				}
			}
			primary, secondary, err := c.ConnectionStrings(id)
			must(t, err)
			for i, text := range []string{primary, secondary} {
				if _, shown, _ := strings.Cut(text, "SharedAccessKey="); !key(t, shown).Equal(keys[i]) {
					t.Errorf("%s: connection string %d has another key", id, i)
				}
			}
		}
	})
}
