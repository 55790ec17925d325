package device_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"tasmota-azd/internal/hub"
)

// A time of a sender that JSON cannot hold, as it is of the year 10000 by UTC, hides
// nothing of what came of the message.
func TestCreatedTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		r.take(connected())
		m := command("m1", "power1", "on")
		m.Properties = append(m.Properties, hub.Property{Name: "iothub-creation-time-utc", Value: "9999-12-31T23:59:59-01:00"})
		r.take(m)
		why, err := r.device.Why(t.Context(), 1, 1)
		if err != nil || len(why) != 1 {
			t.Fatal(why, err)
		}
		if _, err := json.Marshal(why); err != nil {
			t.Error(err)
		}
		r.end(t)
	})
}
