package commands_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/commands"
)

// restart returns a device that starts with what this one would save, under a
// file that says period.
func (d *device) restart(period time.Duration) *device {
	d.t.Helper()
	b, err := json.Marshal(d.Saving())
	if err != nil {
		d.t.Fatal(err)
	}
	var saved commands.Settings
	if err := json.Unmarshal(b, &saved); err != nil {
		d.t.Fatal(err)
	}
	if saved != d.Settings() {
		d.t.Errorf("saved %+v, read %+v", d.Settings(), saved)
	}
	return newDevice(d.t, []bool{false}, func(o *commands.Options) { o.Settings, o.Period = saved, period })
}

func TestSettingsSurvive(t *testing.T) {
	d := newDevice(t, []bool{false})
	d.Connected(d.now, link)
	d.run("Backlog0 SetOption0 0;SetOption26 1;SetOption34 0;SetOption59 1")
	b, err := json.Marshal(d.Settings())
	want := `{"SetOption":{"0":0,"26":1,"34":0,"59":1},"TelePeriod":300,"FilePeriod":300,"BootCount":1,"BootCountSince":1723618991,"SaveCount":0}`
	if err != nil || string(b) != want {
		t.Errorf("saves %s, %v, want %s", b, err, want)
	}
	d = d.restart(300 * time.Second)
	d.restart(300 * time.Second)
	d = d.restart(300 * time.Second)
	want = `{"SetOption":{"0":0,"26":1,"34":0,"59":1},"TelePeriod":300,"FilePeriod":300,"BootCount":3,"BootCountSince":1723618991,"SaveCount":3}`
	if b, _ := json.Marshal(d.Settings()); string(b) != want {
		t.Errorf("after two restarts saves %s, want %s", b, want)
	}
	equal(t, "after two restarts", d.run("power on")[1:], []string{`RESULT {"POWER1":"ON"}`})
}

// TestPeriodOfFile: a period set by command wins until the file's changes.
func TestPeriodOfFile(t *testing.T) {
	period := func(d *device, want string) *device {
		t.Helper()
		equal(t, "TelePeriod", d.run("TelePeriod"), result(`{"TelePeriod":`+want+`}`))
		return d
	}
	d := period(newDevice(t, []bool{false}), "300")
	d.run("TelePeriod 60")
	d = period(d.restart(300*time.Second), "60")
	d = period(d.restart(300*time.Second), "60")
	d = period(d.restart(100*time.Second), "100")
	d.run("TelePeriod 0")
	d = period(d.restart(100*time.Second), "0")
	d = period(d.restart(0), "0")
	d.run("TelePeriod 50")
	d = period(d.restart(0), "50")
	period(d.restart(300*time.Second), "300")
}

func TestSettingsReadWithCare(t *testing.T) {
	for _, tt := range []struct{ saved, want string }{
		{`{}`, `{"SetOption":{},"TelePeriod":0,"FilePeriod":0,"BootCount":0,"SaveCount":0}`},
		{`null`, `{"SetOption":{},"TelePeriod":0,"FilePeriod":0,"BootCount":0,"SaveCount":0}`},
		{
			`{"SetOption":{"34":256,"59":2,"26":-1,"0":"off","4":1,"73":1,"3":0,"178":1,"-1":1,"x":1},"BootCount":7}`,
			`{"SetOption":{"4":1},"TelePeriod":0,"FilePeriod":0,"BootCount":7,"SaveCount":0}`,
		},
		{`{"SetOption":[1],"SaveCount":7}`, `{"SetOption":{},"TelePeriod":0,"FilePeriod":0,"BootCount":0,"SaveCount":7}`},
		{`{"TelePeriod":5,"FilePeriod":300}`, `{"SetOption":{},"TelePeriod":0,"FilePeriod":0,"BootCount":0,"SaveCount":0}`},
		{`{"TelePeriod":1,"FilePeriod":300}`, `{"SetOption":{},"TelePeriod":0,"FilePeriod":0,"BootCount":0,"SaveCount":0}`},
		{`{"TelePeriod":3601,"FilePeriod":300}`, `{"SetOption":{},"TelePeriod":0,"FilePeriod":0,"BootCount":0,"SaveCount":0}`},
		{`{"TelePeriod":60,"FilePeriod":-1}`, `{"SetOption":{},"TelePeriod":0,"FilePeriod":0,"BootCount":0,"SaveCount":0}`},
		{`{"TelePeriod":60,"FilePeriod":300,"New":{}}`, `{"SetOption":{},"TelePeriod":60,"FilePeriod":300,"BootCount":0,"SaveCount":0}`},
		{
			`{"BootCount":-1,"BootCountSince":1e20,"SaveCount":1.5}`,
			`{"SetOption":{},"TelePeriod":0,"FilePeriod":0,"BootCount":0,"SaveCount":0}`,
		},
	} {
		var s commands.Settings
		if err := json.Unmarshal([]byte(tt.saved), &s); err != nil {
			t.Errorf("%s: %v", tt.saved, err)
		}
		if b, _ := json.Marshal(s); string(b) != tt.want {
			t.Errorf("%s\n  read as %s\n  want    %s", tt.saved, b, tt.want)
		}
	}
	for _, broken := range []string{``, `{`, `[]`, `7`} {
		if err := json.Unmarshal([]byte(broken), new(commands.Settings)); err == nil {
			t.Errorf("%q was read", broken)
		}
	}
}

func TestSettingsCompare(t *testing.T) {
	d := newDevice(t, []bool{false})
	before := d.Settings()
	d.run("Backlog0 SetOption59 1;SetOption59 0;TelePeriod 100;TelePeriod 300;power on;status 0")
	if d.Settings() != before {
		t.Error("settings differ though nothing changed")
	}
	d.run("SetOption59 1")
	if d.Settings() == before {
		t.Error("settings are equal though an option changed")
	}
}

// TestList: what the twin reports, and takes, is what commands say and take.
func TestList(t *testing.T) {
	d := newDevice(t, []bool{false})
	d.run("Backlog0 SetOption59 1;SetOption34 7;PowerOnState 1;TelePeriod 60")
	want := []commands.Setting{
		{"SetOption0", 1}, {"SetOption4", 0}, {"SetOption26", 0}, {"SetOption34", 7}, {"SetOption59", 1}, {"PowerOnState", 1}, {"TelePeriod", 60},
	}
	if got := d.Settings().List(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	for _, s := range want {
		if got := d.run(fmt.Sprint(s.Name, " ", s.Value)); len(got) != 1 || !strings.Contains(got[0], `{"`+s.Name+`":`) {
			t.Errorf("%s is no command: %q", s.Name, got)
		}
	}
}
