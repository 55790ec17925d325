package commands_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the golden files are in Berlin's time wherever they are compared

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing them")

// relays is a bank without pins: a slice with the three methods, a note of who
// switched what, and relays that fail.
type relays struct {
	on     []bool
	broken map[int]bool
	causes []cause.Cause
}

var errPin = errors.New("GPIO27: input/output error")

func (r *relays) Len() int      { return len(r.on) }
func (r *relays) On(i int) bool { return r.on[i] }

func (r *relays) Fault(i int) error {
	if r.broken[i] {
		return errPin
	}
	return nil
}

func (r *relays) Set(i int, on bool, why cause.Cause) error {
	if r.broken[i] {
		return errPin
	}
	r.on[i] = on
	r.causes = append(r.causes, why)
	return nil
}

// a device is an Interpreter with what a test wants to look at and to change.
type device struct {
	*commands.Interpreter
	t      *testing.T
	relays *relays
	now    time.Time
}

// newDevice returns a device with these relays, started ten minutes and a
// second ago. Change o for another one.
func newDevice(t *testing.T, on []bool, change ...func(*commands.Options)) *device {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, relays: &relays{on: on}, now: time.Date(2024, 8, 14, 9, 3, 11, 0, berlin)}
	o := commands.Options{
		Relays:  d.relays,
		Names:   []string{"Pump", "Gate"},
		Period:  300 * time.Second,
		Started: d.now.Add(-601 * time.Second),
		Facts:   func() commands.Facts { return ethernet },
		Device: commands.Device{
			Version: "0.1.0", BuildTime: "2024-08-01T12:00:00", Core: "Debian GNU/Linux 12 (bookworm)",
			SDK: "go1.26.8", Hardware: "Raspberry Pi 4 Model B Rev 1.4", CPUMHz: 1500, RestartReason: "Software/System restart",
		},
	}
	for _, f := range change {
		f(&o)
	}
	d.Interpreter = commands.New(o)
	return d
}

// pair is the device of the worked sequences: two relays, connected.
func pair(t *testing.T, on ...bool) *device {
	d := newDevice(t, on)
	d.Connected(d.now, link)
	return d
}

var link = commands.Link{
	Host: "hub.azure-devices.net", Port: 8883, DeviceID: "gw1",
	User:      "hub.azure-devices.net/gw1/?api-version=2021-04-12",
	KeepAlive: 60 * time.Second,
}

var ethernet = commands.Facts{
	Hostname: "gw1", IPAddress: "192.168.1.20", Netmask: "255.255.255.0", Gateway: "192.168.1.1",
	DNS: [2]string{"192.168.1.1"}, MAC: "B8:27:EB:12:34:56",
	HeapKiB: 2048, FreeKiB: 512000, ProgramKiB: 7900, LoadAvg: 19,
}

// run runs "power1 on" and the like and returns "topic body" of each reply.
func (d *device) run(line string) []string {
	d.t.Helper()
	got, _ := d.try(line)
	return got
}

func (d *device) try(line string) ([]string, error) {
	word, arg, _ := strings.Cut(line, " ")
	replies, err := d.Run(d.now, commands.Parse(word, arg))
	return lines(replies), err
}

// wait lets d run until nothing is due within span, and returns what it said,
// each reply behind the milliseconds that had passed.
func (d *device) wait(span time.Duration) (got []string, at []time.Duration) {
	d.t.Helper()
	start, end := d.now, d.now.Add(span)
	for next := d.Next(); !next.IsZero() && !next.After(end); next = d.Next() {
		if next.After(d.now) {
			d.now = next
		}
		replies, err := d.Tick(d.now)
		if err != nil {
			d.t.Logf("tick: %v", err)
		}
		for _, line := range lines(replies) {
			got, at = append(got, line), append(at, d.now.Sub(start))
		}
	}
	d.now = end
	return got, at
}

func lines(replies []commands.Reply) []string {
	var got []string
	for _, r := range replies {
		got = append(got, r.Topic+" "+r.Body)
	}
	return got
}

func result(bodies ...string) []string {
	var want []string
	for _, b := range bodies {
		want = append(want, "RESULT "+b)
	}
	return want
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n  got  %s\n  want %s", what, strings.Join(got, "\n       "), strings.Join(want, "\n       "))
	}
}

// golden compares lines with a file in testdata.
func golden(t *testing.T, name string, got []string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	text := strings.Join(got, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, name, got, strings.Split(strings.TrimSuffix(string(want), "\n"), "\n"))
}

// TestSecretsAreNotShown: what somebody believes to set on a firmware is not told.
func TestSecretsAreNotShown(t *testing.T) {
	in := commands.New(commands.Options{Relays: make(idle, 1), Started: time.Now()})
	for line, want := range map[string]string{
		"MqttPassword canary":                   `{"Command":"Unknown","Input":"MQTTPASSWORD ****"}`,
		"password2 canary":                      `{"Command":"Unknown","Input":"PASSWORD2 ****"}`,
		"TLSKey canary":                         `{"Command":"Unknown","Input":"TLSKEY ****"}`,
		"foo HostName=h;SharedAccessKey=canary": `{"Command":"Unknown","Input":"FOO ****"}`,
		"foo 1":                                 `{"Command":"Unknown","Input":"FOO 1"}`,
		"backlog0 webpassword canary":           `{"Command":"Unknown","Input":"WEBPASSWORD ****"}`,
	} {
		name, arg, _ := strings.Cut(line, " ")
		c := commands.Parse(name, arg)
		replies, _ := in.Run(time.Now(), c)
		if len(replies) != 1 || replies[0].Body != want {
			t.Errorf("%s: %+v, want %s", line, replies, want)
		}
		if strings.Contains(c.Shown(), "canary") {
			t.Errorf("%s is shown as %q", line, c.Shown())
		}
	}
}
