package commands_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/commands"
)

// Another file changes what it says, and nothing that commands have set.
func TestRewire(t *testing.T) {
	d := newDevice(t, []bool{false, true}, func(o *commands.Options) { o.Period = 400 * time.Second })
	d.Connected(d.now, link)
	boots := d.Settings().BootCount
	d.run("TelePeriod 20")
	d.run("SetOption59 1")
	topics(d, time.Second)
	d.Rewire(d.now, []string{"Well", "Gate", "Lamp"}, nil, 400*time.Second)
	equal(t, "a period set by command", topics(d, 50*time.Second), []string{"19.5 STATE", "39.5 STATE"})
	d.relays.on = append(d.relays.on, true)
	d.Rewire(d.now, []string{"Well", "Gate", "Lamp"}, nil, 30*time.Second)
	equal(t, "the period of the file", topics(d, 70*time.Second), []string{"30 STATE", "60 STATE"})
	if got := strings.Join(d.run("Power3"), ""); !strings.Contains(got, `{"POWER3":"ON"}`) {
		t.Errorf("the new relay says %s", got)
	}
	if got := strings.Join(d.run("Status"), ""); !strings.Contains(got, `"FriendlyName":["Well","Gate","Lamp"]`) {
		t.Errorf("the names are %s", got)
	}
	if got := strings.Join(d.run("SetOption59"), ""); !strings.Contains(got, "ON") || d.Settings().BootCount != boots {
		t.Errorf("SetOption59 is %s, %d starts are counted", got, d.Settings().BootCount)
	}
	d.Rewire(d.now, nil, nil, 0)
	equal(t, "no period", topics(d, time.Hour), nil)
	d.relays.on = d.relays.on[:1]
	d.Rewire(d.now, nil, []time.Duration{time.Minute}, 0)
	c := commands.Parse("power", "on")
	c.Age = time.Hour
	if _, err := d.Run(d.now, c); !errors.Is(err, commands.ErrExpired) {
		t.Errorf("max_age: %v", err)
	}
}
