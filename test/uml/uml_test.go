package uml_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/uml"
)

func TestParseTrace(t *testing.T) {
	got, err := uml.ParseTrace(strings.NewReader("0.510483 GPIO17 set 1 hold-63\n0.5 gpiochip1:3 out systemd-1\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []uml.Event{
		{At: 510483 * time.Microsecond, Line: "GPIO17", What: "set 1", Task: "hold-63"},
		{At: 500 * time.Millisecond, Line: "gpiochip1:3", What: "out", Task: "systemd-1"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"x", "now GPIO17 set 1 hold-1"} {
		if _, err := uml.ParseTrace(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is no event", bad)
		}
	}
}

// What the other tests rely on: output, exit status, chips, wires.
func TestGuest(t *testing.T) {
	for _, tt := range []struct {
		name   string
		o      uml.Options
		exit   int
		stdout string
	}{
		{"exit status", uml.Options{Board: "none", Cmd: "echo out; echo err >&2; exit 7"}, 7, "out"},
		{"cut", uml.Options{Board: "none", Cmd: "sleep 60", Timeout: time.Second}, 124, ""},
		{"no status", uml.Options{Board: "none", Cmd: "halt -f"}, 125, ""},
		{"board", uml.Options{Board: "pi5", Cmd: `tr -d "\0" </proc/device-tree/model; echo; cat /sys/class/gpio/gpiochip*/label`}, 0,
			"Raspberry Pi 5 Model B Rev 1.0\npinctrl-rp1"},
		{"chips", uml.Options{Chips: []string{"label=a,lines=3,names=X2:-:X3..X3", "label=b,lines=1,names=Z"}, Cmd: "gpio list"}, 0,
			"X2 gpiochip0 0 0\ngpiochip0:1 gpiochip0 1 0\nX3 gpiochip0 2 0\nZ gpiochip1 0 0"},
		{"wire", uml.Options{Cmd: "gpio drive GPIO18 high; gpio get GPIO18; gpio drive GPIO18 low; gpio get GPIO18"}, 0, "1\n0"},
		{"files", uml.Options{Board: "none", Files: map[string]string{"/etc/x": "one", "/y/z": "two"}, Cmd: "cat /etc/x /y/z"}, 0, "onetwo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := uml.Run(t, tt.o)
			if got := strings.TrimSpace(r.Stdout); r.Exit != tt.exit || got != tt.stdout {
				t.Errorf("exit %d, want %d\ngot  %q\nwant %q\n%s", r.Exit, tt.exit, got, tt.stdout, r.Stderr)
			}
		})
	}
}

// The two kinds of kernel, and a trace that loses nothing when the power goes.
func TestTrace(t *testing.T) {
	uml.Need(t, false)
	hold, err := uml.Build(t.TempDir(), "tasmota-azd/test/pins/hold")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		o    uml.Options
		want string
	}{
		{"persist", uml.Options{Cmd: "hold run GPIO17 open=high level; gpio get GPIO17"}, "[set 1 out get 1]"},
		{"no persist", uml.Options{NoPersist: true, Cmd: "hold run GPIO17 open=high; gpio get GPIO17"}, "[set 1 out in get 0]"},
		{"crash", uml.Options{Cmd: "hold run GPIO17 open=high pause & gpio wait GPIO17 1; halt -f"}, "[set 1 out]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Bins = []string{hold}
			r := uml.Run(t, tt.o)
			if got := fmt.Sprint(r.Events("GPIO17")); got != tt.want {
				t.Errorf("GPIO17: %s, want %s\n%s%s", got, tt.want, r.Stdout, r.Stderr)
			}
		})
	}
}

func TestSystemd(t *testing.T) {
	disk := t.TempDir() + "/disk"
	for _, tt := range []struct{ cmd, stdout string }{
		{"systemctl is-system-running --wait; cat /sys/class/gpio/gpiochip*/label; echo kept >/var/lib/x; sync", "running\nraspberrypi-exp-gpio\npinctrl-bcm2711"},
		{"cat /var/lib/x", "kept"},
	} {
		r := uml.Run(t, uml.Options{Systemd: true, Disk: disk, Cmd: tt.cmd})
		if got := strings.TrimSpace(r.Stdout); r.Exit != 0 || got != tt.stdout {
			t.Errorf("exit %d\ngot  %q\nwant %q\n%s", r.Exit, got, tt.stdout, r.Stderr)
		}
	}
	if _, err := os.Stat(disk); err != nil && !t.Skipped() {
		t.Error(err)
	}
}
