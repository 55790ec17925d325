package commands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
)

// play runs a line and everything that follows, and returns it as "milliseconds
// body".
func play(d *device, line string) []string {
	d.t.Helper()
	var got []string
	for _, r := range d.run(line) {
		_, body, _ := strings.Cut(r, " ")
		got = append(got, "0 "+body)
	}
	later, at := d.wait(10 * time.Minute)
	for i, r := range later {
		topic, body, _ := strings.Cut(r, " ")
		if topic == "RESULT" {
			got = append(got, fmt.Sprint(at[i].Milliseconds(), " ", body))
		}
	}
	return got
}

func TestBacklog(t *testing.T) {
	p := func(ms, relay int, state string) string { return fmt.Sprintf(`%d {"POWER%d":"%s"}`, ms, relay, state) }
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"backlog power1 on", []string{p(0, 1, "ON")}},
		{"backlog power1 on;power2 on;power1 off", []string{p(0, 1, "ON"), p(200, 2, "ON"), p(400, 1, "OFF")}},
		{"backlog  power1   on ; ;; power2 on ;", []string{p(0, 1, "ON"), p(200, 2, "ON")}},
		{"backlog power1 toggle ;power2 toggle", []string{p(0, 1, "ON"), p(200, 2, "ON")}},
		{"backlog0 power1 on;power2 on", []string{p(0, 1, "ON"), p(0, 2, "ON")}},

		// 2 and 3 are silent: what is no answer remains, and errors do
		{"backlog3 power1 on;telePeriod 20;foo", []string{p(0, 1, "ON"), `400 {"Command":"Unknown","Input":"FOO"}`}},
		{"backlog2 power1 on;telePeriod 20;power2 on", []string{p(0, 1, "ON"), p(0, 2, "ON")}},
		{"backlog3 power9 on", []string{`0 {"Command":"Error","Input":"POWER9 on"}`}},
		{"backlog _telePeriod 20;telePeriod", []string{`200 {"TelePeriod":20}`}},

		{"backlog SetOption34 50;power1 on;power2 on", []string{`0 {"SetOption34":50}`, p(200, 1, "ON"), p(250, 2, "ON")}},
		{"backlog SetOption34 0;power1 on;power2 on", []string{`0 {"SetOption34":0}`, p(200, 1, "ON"), p(200, 2, "ON")}},

		{"backlog power1 on;delay 20;power1 off", []string{p(0, 1, "ON"), `200 {"Delay":20}`, p(2200, 1, "OFF")}},
		{"backlog delay 3600;power1 on", []string{`0 {"Delay":3600}`, p(360000, 1, "ON")}},
		{"backlog delay 3601;power1 on", []string{`0 {"Delay":2}`, p(200, 1, "ON")}},
		{"backlog delay 0;power1 on", []string{`0 {"Delay":2}`, p(200, 1, "ON")}},
		{"backlog delay;power1 on", []string{`0 {"Delay":2}`, p(200, 1, "ON")}},
		{"backlog delay 1;power1 on", []string{`0 {"Delay":2}`, p(200, 1, "ON")}},
		{"backlog delay 2;power1 on", []string{`0 {"Delay":2}`, p(200, 1, "ON")}},
		{"backlog delay -1;power1 on", []string{`0 {"Delay":10}`, p(1000, 1, "ON")}},
		{"backlog power1 on;delay -1;power1 off", []string{p(0, 1, "ON"), `200 {"Delay":8}`, p(1000, 1, "OFF")}},
		{"backlog _delay 20;power1 on", []string{p(2000, 1, "ON")}},
		{"backlog0 delay 20;power1 on", []string{`0 {"Delay":1}`, p(0, 1, "ON")}},

		{"backlog power2 on;nodelay;power1 on;power2 off", []string{p(0, 2, "ON"), p(200, 1, "ON"), p(200, 2, "OFF")}},
		{"backlog NoDelay;power1 on;NoDelay;power2 on;power1 off", []string{p(0, 1, "ON"), p(0, 2, "ON"), p(0, 1, "OFF")}},
		{"backlog power1 on;nodelay", []string{p(0, 1, "ON")}},

		{"backlog backlog power1 on;backlog power2 on", []string{p(0, 1, "ON"), p(200, 2, "ON")}},
		{"backlog BackLog backlog power1 on", []string{p(0, 1, "ON")}},
		{"backlog backlog;power1 on", []string{p(0, 1, "ON")}},
		{"backlog power1 on;backlog0 power2 on", []string{p(0, 1, "ON"), `200 {"Command":"Unknown","Input":"0 power2 on"}`}},
		{"backlog a/backlog power1 on", []string{p(0, 1, "ON")}},
		{"backlog reset 1;RESET99;resets;backlog reset 2;power1 on", []string{p(0, 1, "ON")}},
		{"backlog reset 1", nil},
		{"backlog ; ;", nil},
		{"backlog foo {a;b};power1 on", []string{`0 {"Command":"Unknown","Input":"FOO {a;b}"}`, p(200, 1, "ON")}},
		{"backlog foo {a{b;}c;d};power1 on", []string{`0 {"Command":"Unknown","Input":"FOO {a{b;}c;d}"}`, p(200, 1, "ON")}},
		{"backlog foo };power1 on", []string{`0 {"Command":"Unknown","Input":"FOO }"}`, p(200, 1, "ON")}},

		{"backlog", []string{`0 {"Backlog":"Empty"}`}},
		{"backlog0 ?", []string{`0 {"Backlog":"Empty"}`}},
		{"_backlog", nil},
		{"_backlog telePeriod 20", []string{`0 {"TelePeriod":20}`}},
		{"delay 20", []string{`0 {"Delay":20}`}},
		{"delay", []string{`0 {"Delay":1}`}},
	} {
		d := newDevice(t, []bool{false, false})
		equal(t, tt.line, play(d, tt.line), tt.want)
		if next := d.Next(); !next.IsZero() {
			t.Errorf("%s: something is left to do", tt.line)
		}
	}
}

// TestBacklogWaits: a command from elsewhere keeps the backlog waiting, but
// never makes it hurry.
func TestBacklogWaits(t *testing.T) {
	d := newDevice(t, []bool{false, false})
	d.run("backlog power1 on;power1 off;delay 20;power2 on")
	d.now = d.now.Add(150 * time.Millisecond)
	d.run("power2")
	later, at := d.wait(time.Second)
	equal(t, "held for 100 ms", later, result(`{"POWER1":"OFF"}`, `{"Delay":20}`))
	if want := []time.Duration{100 * time.Millisecond, 300 * time.Millisecond}; !slices.Equal(at, want) {
		t.Errorf("ran after %v, want %v", at, want)
	}
	equal(t, "what is left of the delay", d.run("delay"), result(`{"Delay":13}`))
	if got, want := d.Next().Sub(d.now), 1300*time.Millisecond; got != want {
		t.Errorf("the rest is due in %v, want %v", got, want)
	}
	equal(t, "added behind", d.run("backlog power1 on"), nil)
	later, _ = d.wait(time.Minute)
	equal(t, "in order", later, result(`{"POWER2":"ON"}`, `{"POWER1":"ON"}`))
}

func TestBacklogAborted(t *testing.T) {
	d := newDevice(t, []bool{false, false})
	d.run("backlog power1 on;delay 20;power1 off")
	equal(t, "aborted", d.run("Backlog0"), result(`{"Backlog":"Aborted"}`))
	if later, _ := d.wait(time.Minute); later != nil {
		t.Errorf("an aborted backlog went on: %v", later)
	}
	equal(t, "and then", d.run("Backlog"), result(`{"Backlog":"Empty"}`))
}

func TestPending(t *testing.T) {
	d := newDevice(t, []bool{false, false})
	one, two := cause.Cause{Door: cause.C2D, ID: "1", Seq: 1}, cause.Cause{Door: cause.C2D, ID: "2", Seq: 2}
	send := func(why cause.Cause, arg string) {
		c := commands.Parse("backlog", arg)
		c.Cause = why
		d.Run(d.now, c)
	}
	send(one, "power1 on;power1 off")
	send(two, "power2 on;delay 600")
	state := func() [2]bool { return [2]bool{d.Pending(one), d.Pending(two)} }
	if got, want := state(), [2]bool{true, true}; got != want {
		t.Errorf("at first pending is %v, want %v", got, want)
	}
	d.wait(200 * time.Millisecond)
	if got, want := state(), [2]bool{false, true}; got != want {
		t.Errorf("after the first one pending is %v, want %v", got, want)
	}
	d.wait(400 * time.Millisecond)
	if got, want := state(), [2]bool{false, false}; got != want {
		t.Errorf("with only a pause left pending is %v, want %v", got, want)
	}
	send(one, "power1 on;power1 off")
	d.run("backlog")
	if d.Pending(one) {
		t.Error("an aborted backlog is pending")
	}
}

// TestBacklogFlood: what is too much is refused as a whole.
func TestBacklogFlood(t *testing.T) {
	d := newDevice(t, []bool{false, false})
	refused := func(arg string) bool {
		t.Helper()
		before := d.Next()
		replies, err := d.Run(d.now, commands.Parse("backlog", arg))
		bad := errors.Is(err, commands.ErrRejected)
		if bad && (len(replies) != 1 || !strings.HasPrefix(replies[0].Body, `{"Command":"Error","Input":"BACKLOG `)) {
			t.Errorf("refused with %v", lines(replies))
		}
		if bad && before.IsZero() && !d.Next().IsZero() {
			t.Error("a part of what was refused is queued")
		}
		return bad
	}
	if !refused(repeat("power;", 257)) {
		t.Error("257 commands were taken")
	}
	if refused(repeat("power;", 256)) {
		t.Error("256 commands were refused")
	}
	if refused("power") { // the first one has run
		t.Error("the freed place was refused")
	}
	if !refused("power") {
		t.Error("a command was taken by a full backlog")
	}
	later, _ := d.wait(time.Hour)
	if len(later) != 256 {
		t.Errorf("%d commands ran later, want 256", len(later))
	}
	more := "power;foo " + repeat("x", commands.MaxArg*2/3)
	if refused(more) {
		t.Error("the bytes of an argument were refused")
	}
	if !refused(more) {
		t.Error("more than 64 KiB were queued")
	}
	d.run("backlog")
	if refused(more) {
		t.Error("the bytes of what was aborted still count")
	}
	d.wait(time.Hour)
	if refused(more) {
		t.Error("the bytes of what ran still count")
	}
}

// TestBacklogErrors: whoever runs the device hears of each command that failed.
func TestBacklogErrors(t *testing.T) {
	d := newDevice(t, []bool{false, false})
	d.relays.broken = map[int]bool{1: true}
	_, err := d.try("backlog0 foo;power1 on;power2 on;power3")
	for _, want := range []error{commands.ErrUnknown, commands.ErrRejected, errPin} {
		if !errors.Is(err, want) {
			t.Errorf("error %q does not tell of %q", err, want)
		}
	}
	if _, err := d.try("backlog power1 on;foo"); err != nil {
		t.Errorf("error %v before there was one", err)
	}
	d.now = d.now.Add(time.Second)
	if _, err := d.Tick(d.now); !errors.Is(err, commands.ErrUnknown) {
		t.Errorf("Tick: error %v, want %v", err, commands.ErrUnknown)
	}
}

// TestBacklogOutlivesTheDaemon: what is left goes on, and waits no longer than it
// would have.
func TestBacklogOutlivesTheDaemon(t *testing.T) {
	start := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	first := commands.New(commands.Options{Relays: make(idle, 2), Started: start})
	c := commands.Parse("backlog", "power1 on;delay 600;nodelay;power1 off;power2 on")
	c.Cause = cause.Cause{Door: cause.C2D, ID: "m1", Seq: 7}
	if _, err := first.Run(start, c); err != nil {
		t.Fatal(err)
	}
	at := start.Add(time.Second)
	if _, err := first.Tick(at); err != nil { // the delay
		t.Fatal(err)
	}
	saved, err := json.Marshal(first.Backlog(at))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		wall  time.Time // when the next run starts, by its clock
		waits time.Duration
	}{
		{"at once", at, time.Minute},
		{"half a minute later", at.Add(30 * time.Second), 30 * time.Second},
		{"a day later", at.Add(24 * time.Hour), 0},
		{"with a clock that is slow", time.Unix(0, 0), time.Minute},
	} {
		var b commands.Backlog
		if err := json.Unmarshal(saved, &b); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		next := commands.New(commands.Options{Relays: make(idle, 2), Started: begin, Backlog: b,
			Wall: func(now time.Time) time.Time { return tt.wall.Add(now.Sub(begin)) }})
		if !next.Backlog(begin).Equal(b) && tt.waits == time.Minute && tt.wall.Equal(at) {
			t.Errorf("%s: %+v is restored as %+v", tt.name, b, next.Backlog(begin))
		}
		if got := next.Next().Sub(begin); got != tt.waits {
			t.Errorf("%s: goes on in %v, want %v", tt.name, got, tt.waits)
		}
		replies, err := next.Tick(next.Next())
		if err != nil || len(replies) != 2 || replies[1].Body != `{"POWER2":"ON"}` || replies[1].Cause != c.Cause {
			t.Errorf("%s: goes on with %+v, %v", tt.name, replies, err)
		}
	}
}
