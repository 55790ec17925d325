package commands_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/commands"
)

func TestStatusAll(t *testing.T) {
	d := pair(t, true, false)
	d.Saving()
	got := d.run("Status 0")
	golden(t, "status.txt", got)
	golden(t, "status0.txt", d.run("Status0"))
	golden(t, "status8.txt", d.run("Status 8"))

	// the parts are the whole
	var bodies []string
	for _, line := range got {
		_, body, _ := strings.Cut(line, " ")
		bodies = append(bodies, strings.TrimSuffix(strings.TrimPrefix(body, "{"), "}"))
	}
	equal(t, "Status0", d.run("Status0 5"), []string{"STATUS0 {" + strings.Join(bodies, ",") + "}"})
	for i, arg := range []string{"", "1", "2", "3", "4", "5", "6", "7", "10", "11"} {
		equal(t, "Status "+arg, d.run("Status "+arg), got[i:i+1])
	}
}

func TestStatusArguments(t *testing.T) {
	d := pair(t, true, false)
	for _, tt := range []struct {
		line, want string // the topic, or the whole reply
	}{
		{"status", "STATUS"},
		{"status foo", "STATUS"},
		{"status5", "STATUS"},
		{"_status 5", "STATUS5"},
		{"status 5foo", "STATUS5"},
		{"status on", "STATUS1"},
		{"status -1", ""},
		{"status 9", `RESULT {"Command":"Error","Input":"STATUS 9"}`},
		{"status 12", `RESULT {"Command":"Error","Input":"STATUS 12"}`},
		{"status 13", `RESULT {"Command":"Error","Input":"STATUS 13"}`},
		{"status 14", `RESULT {"Command":"Error","Input":"STATUS 14"}`},
		{"status all", `RESULT {"Command":"Error","Input":"STATUS all"}`},
	} {
		got, err := d.try(tt.line)
		if bad := strings.HasPrefix(tt.want, "RESULT"); bad != errors.Is(err, commands.ErrRejected) {
			t.Errorf("%s: error %v", tt.line, err)
		}
		line := strings.Join(got, "|")
		if topic, _, _ := strings.Cut(line, " "); line != tt.want && topic != tt.want {
			t.Errorf("%s: %s, want %s", tt.line, line, tt.want)
		}
	}
	d.run("SetOption4 1")
	equal(t, "with SetOption4", d.run("status 10"), []string{`STATUS10 {"StatusSNS":{"Time":"2024-08-14T09:03:11"}}`})
}

// TestStatusBare: a device that knows nothing yet of itself.
func TestStatusBare(t *testing.T) {
	d := newDevice(t, make([]bool, 10), func(o *commands.Options) {
		*o = commands.Options{Relays: o.Relays, Started: o.Started}
	})
	golden(t, "status-bare.txt", d.run("Status 0"))
}

func TestNamesAreEscaped(t *testing.T) {
	d := newDevice(t, []bool{false, false}, func(o *commands.Options) {
		o.Names = []string{"Größe <&> \"1\"\n\u2028", "\xff\x00"}
	})
	want := `"DeviceName":"Größe <&> \"1\"\n` + "\u2028" + `","FriendlyName":["Größe <&> \"1\"\n` + "\u2028" +
		`","` + "\ufffd" + `\u0000"],`
	if got := d.run("Status"); !strings.Contains(got[0], want) {
		t.Errorf("got %s\nwant %s", got[0], want)
	}
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct{ zone, at, want string }{
		{
			"Europe/Berlin", "2024-12-31T23:30:00Z",
			`"UTC":"2024-12-31T23:30:00Z","Local":"2025-01-01T00:30:00","StartDST":"2025-03-30T02:00:00","EndDST":"2025-10-26T03:00:00","Timezone":"+01:00"`,
		},
		{
			"Australia/Sydney", "2024-08-14T00:00:00Z",
			`"UTC":"2024-08-14T00:00:00Z","Local":"2024-08-14T10:00:00","StartDST":"2024-10-06T02:00:00","EndDST":"2024-04-07T03:00:00","Timezone":"+10:00"`,
		},
		{
			"Europe/Dublin", "2024-08-14T00:00:00Z",
			`"UTC":"2024-08-14T00:00:00Z","Local":"2024-08-14T01:00:00","StartDST":"2024-03-31T01:00:00","EndDST":"2024-10-27T02:00:00","Timezone":"+01:00"`,
		},
		{
			"America/St_Johns", "2040-08-14T00:00:00Z", // beyond the table of changes: by rule
			`"UTC":"2040-08-14T00:00:00Z","Local":"2040-08-13T21:30:00","StartDST":"2040-03-11T02:00:00","EndDST":"2040-11-04T02:00:00","Timezone":"-02:30"`,
		},
		{
			"Asia/Tokyo", "2024-08-14T00:00:00Z",
			`"UTC":"2024-08-14T00:00:00Z","Local":"2024-08-14T09:00:00","StartDST":"","EndDST":"","Timezone":"+09:00"`,
		},
		{
			"UTC", "2024-08-14T00:00:00Z",
			`"UTC":"2024-08-14T00:00:00Z","Local":"2024-08-14T00:00:00","StartDST":"","EndDST":"","Timezone":"+00:00"`,
		},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		d := newDevice(t, []bool{false}, func(o *commands.Options) {
			o.Wall = func(time.Time) time.Time { return at.In(zone) }
		})
		equal(t, tt.zone, d.run("Status 7"), []string{`STATUS7 {"StatusTIM":{` + tt.want + `,"Sunrise":"00:00","Sunset":"00:00"}}`})
	}
}

// TestWall: deadlines follow now, and what is shown follows the proven clock.
func TestWall(t *testing.T) {
	off := 3*time.Minute + 250*time.Millisecond
	d := newDevice(t, []bool{false, false}, func(o *commands.Options) {
		o.Wall = func(now time.Time) time.Time { return now.Add(off) }
	})
	if got := d.run("State"); !strings.Contains(got[0], `"Time":"2024-08-14T09:06:11","Uptime":"0T00:10:01","UptimeSec":601,`) {
		t.Errorf("State is %s", got[0])
	}
	if got := d.run("Status 1"); !strings.Contains(got[0], `"StartupUTC":"2024-08-14T06:56:10"`) {
		t.Errorf("Status 1 is %s", got[0])
	}
	equal(t, "until the next full second", d.run("backlog delay -1;power on"), result(`{"Delay":7}`))
	if got, want := d.Next().Sub(d.now), 750*time.Millisecond; got != want {
		t.Errorf("the backlog goes on in %v, want %v", got, want)
	}
}
