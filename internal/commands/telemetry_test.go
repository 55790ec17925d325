package commands_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/commands"
)

// topics plays for span and returns "second topic" of what was said.
func topics(d *device, span time.Duration) []string {
	later, at := d.wait(span)
	var got []string
	for i, line := range later {
		topic, _, _ := strings.Cut(line, " ")
		got = append(got, fmt.Sprint(at[i].Seconds(), " ", topic))
	}
	return got
}

func TestConnected(t *testing.T) {
	d := newDevice(t, []bool{false, true})
	first := d.Connected(d.now, link)
	golden(t, "connected.txt", lines(first))
	for _, r := range first {
		if !r.Tele {
			t.Errorf("%s is not telemetry", r.Topic)
		}
		if state := r.Topic == "STATE"; r.Periodic != state {
			t.Errorf("%s: periodic is %v", r.Topic, r.Periodic)
		}
	}
	d.Disconnected()
	again := d.Connected(d.now, link)
	if len(again) != 1 || again[0].Topic != "STATE" || !strings.Contains(again[0].Body, `"MqttCount":2,`) {
		t.Errorf("connected again, said %v, want one STATE that counts 2", lines(again))
	}
}

func TestPeriod(t *testing.T) {
	d := newDevice(t, []bool{false})
	if !d.Next().IsZero() {
		t.Error("telemetry is due before there is a session")
	}
	d.Connected(d.now, link)
	equal(t, "1000 s", topics(d, 1000*time.Second), []string{"300 STATE", "600 STATE", "900 STATE"})
	d.Disconnected()
	equal(t, "offline", topics(d, time.Hour), nil)
	d.run("TelePeriod 20")
	equal(t, "still offline", topics(d, time.Hour), nil)
	d.Connected(d.now, link)
	equal(t, "with another period", topics(d, 50*time.Second), []string{"20 STATE", "40 STATE"})
}

func TestTelePeriod(t *testing.T) {
	for _, tt := range []struct {
		arg, want string
		then      []string // 1000 s
	}{
		{"", `{"TelePeriod":400}`, []string{"0.5 STATE", "400.5 STATE", "800.5 STATE"}},
		{"foo", `{"TelePeriod":400}`, []string{"0.5 STATE", "400.5 STATE", "800.5 STATE"}},
		{"3601", `{"TelePeriod":400}`, []string{"0.5 STATE", "400.5 STATE", "800.5 STATE"}},
		{"-1", `{"TelePeriod":400}`, []string{"0.5 STATE", "400.5 STATE", "800.5 STATE"}},
		{"0", `{"TelePeriod":0}`, []string{"0.5 STATE"}},
		{"1", `{"TelePeriod":300}`, []string{"0.5 STATE", "300.5 STATE", "600.5 STATE", "900.5 STATE"}},
		{"10", `{"TelePeriod":10}`, nil},
		{"9", `{"TelePeriod":10}`, nil},
		{"2", `{"TelePeriod":10}`, nil},
		{"3600", `{"TelePeriod":3600}`, []string{"0.5 STATE"}},
	} {
		d := newDevice(t, []bool{false}, func(o *commands.Options) { o.Period = 400 * time.Second })
		d.Connected(d.now, link)
		equal(t, "TelePeriod "+tt.arg, d.run("TelePeriod "+tt.arg), result(tt.want))
		if got := topics(d, 1000*time.Second); tt.then != nil && !slices.Equal(got, tt.then) {
			t.Errorf("TelePeriod %s: then %v, want %v", tt.arg, got, tt.then)
		} else if tt.then == nil && len(got) != 100 {
			t.Errorf("TelePeriod %s: %d STATE in 1000 s, want 100", tt.arg, len(got))
		}
	}
}

// TestTelePeriodOnce: one STATE for several commands, and none later than
// without them.
func TestTelePeriodOnce(t *testing.T) {
	d := newDevice(t, []bool{false})
	d.Connected(d.now, link)
	d.now = d.now.Add(299 * time.Second)
	d.run("TelePeriod")
	d.now = d.now.Add(300 * time.Millisecond)
	d.run("_TelePeriod 100")
	equal(t, "two of them", topics(d, 50*time.Second), []string{"0.2 STATE"})
	d.now = d.now.Add(50 * time.Second)
	d.run("TelePeriod")
	equal(t, "just before", topics(d, 10*time.Second), []string{"0.2 STATE"})
}

func TestExtraState(t *testing.T) {
	d := newDevice(t, []bool{false, false})
	d.run("SetOption59 1")
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"power on", []string{"STATE", "RESULT"}},
		{"_power on", []string{"STATE", "RESULT"}},
		{"power", []string{"RESULT"}},
		{"power 3", []string{"RESULT"}},
		{"power3 on", []string{"RESULT"}},
		{"power0 on", []string{"RESULT", "RESULT", "STATE"}},
		{"power0", []string{"RESULT", "RESULT", "STATE"}},
		{"state", []string{"STATE", "RESULT"}},
		{"_state", []string{"STATE"}},
		{"telePeriod", []string{"RESULT"}},
	} {
		word, arg, _ := strings.Cut(tt.line, " ")
		replies, _ := d.Run(d.now, commands.Parse(word, arg))
		var got []string
		for _, r := range replies {
			got = append(got, r.Topic)
			if state := r.Topic == "STATE"; r.Tele != state || r.Periodic {
				t.Errorf("%s: %s has tele %v, periodic %v", tt.line, r.Topic, r.Tele, r.Periodic)
			}
			if on := strings.Contains(tt.line, "on"); r.Topic == "STATE" && on && !strings.Contains(r.Body, `"POWER1":"ON"`) {
				t.Errorf("%s: STATE from before: %s", tt.line, r.Body)
			}
		}
		equal(t, tt.line, got, tt.want)
	}
}

func TestState(t *testing.T) {
	d := pair(t, false, true)
	golden(t, "state.txt", d.run("State"))
	d.run("SetOption4 1")
	replies, _ := d.Run(d.now, commands.Parse("state", ""))
	if len(replies) != 1 || replies[0].Topic != "STATE" || replies[0].Tele {
		t.Errorf("with SetOption4 1: %+v, want one answer on its own topic", replies)
	}
}

func TestStateOnWifi(t *testing.T) {
	d := newDevice(t, []bool{true}, func(o *commands.Options) {
		o.Facts = func() commands.Facts {
			f := ethernet
			f.Wifi = &commands.Wifi{
				SSID: `Bob's "home"`, BSSID: "AA:BB:CC:DD:EE:FF", Channel: 6, Mode: "HT20", Signal: -61, LinkCount: 1,
			}
			return f
		}
		o.Started = o.Started.Add(-(50*time.Hour + 3*time.Minute))
	})
	golden(t, "state-wifi.txt", d.run("State"))
}

func TestQuality(t *testing.T) {
	for signal, want := range map[int]int{-61: 78, -50: 100, -20: 100, -100: 0, -120: 0, -99: 2} {
		if got := (commands.Wifi{Signal: signal}).Quality(); got != want {
			t.Errorf("quality of %d dBm is %d, want %d", signal, got, want)
		}
	}
}
