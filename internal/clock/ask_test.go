package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/clock"
)

// Other servers are asked at once, however long the pause was that Run had begun. What
// the old ones proved stays as long as nobody says otherwise.
func TestAskOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"old": off(48 * time.Hour), "new": off(72 * time.Hour)})
		c := clock.New(w.options("old"))
		run(t, c)
		pass(time.Minute)
		if got := ahead(c); got != 48*time.Hour {
			t.Fatalf("ahead by %v", got)
		}
		c.Ask([]string{"dead"})
		c.Ask([]string{"new"}) // the second word counts
		pass(10 * time.Second) // the first may be asked already, and is silent
		if got := ahead(c); got != 72*time.Hour {
			t.Errorf("ahead by %v, want what the new server says", got)
		}
		w.set("new", refuse)
		c.Ask([]string{"new", "dead"})
		pass(48 * time.Hour)
		if got := ahead(c); got != 72*time.Hour {
			t.Errorf("ahead by %v, want what was proven", got)
		}
		c.Ask(nil)
		pass(time.Second)
		if got := ahead(c); got != 0 {
			t.Errorf("ahead by %v without servers, want the system's time", got)
		}
	})
}
