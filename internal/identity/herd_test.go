package identity

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/spread"
)

// TestHerd simulates ten thousand devices whose hub is gone for an hour: when they ask
// DPS whether they have another one, which takes 1,000 registrations a minute
// (contract, section 7.6).
func TestHerd(t *testing.T) {
	const fleet, perMinute = 10_000, 1000
	synctest.Test(t, func(t *testing.T) {
		type device struct {
			*Identities
			tries spread.Turns
			next  time.Time // to connect: by then the hub's client waits up to 5 min
		}
		start := time.Now()
		all := make([]*device, fleet)
		for n := range all {
			d := &device{Identities: &Identities{known: &assignment{}, turns: new(spread.Turns)}, next: start}
			d.turns.Of(fmt.Sprintf("rpi-%05d", n))
			d.tries.Of(fmt.Sprintf("rpi-%05d", n))
			all[n] = d
		}
		minutes := make([]int, 60)
		for second := range 3600 {
			now := start.Add(time.Duration(second) * time.Second)
			time.Sleep(time.Until(now))
			for _, d := range all {
				if now.Before(d.next) {
					continue
				}
				if d.due(hub.Trouble{Failures: manyFailures, Since: start}) {
					d.Identities.next = now.Add(askEvery)
					minutes[second/60]++
				}
				d.next = now.Add(time.Duration(d.tries.Next() * float64(5*time.Minute)))
			}
		}
		t.Logf("%d devices, registrations in each minute: %v", fleet, minutes)
		if most := slices.Max(minutes); most > perMinute {
			t.Errorf("%d registrations in a minute", most)
		}
		sum := 0
		for _, n := range minutes {
			sum += n
		}
		if sum != fleet {
			t.Errorf("%d devices have asked", sum)
		}
	})
}
