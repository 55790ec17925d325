package sim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/relay/sim"
)

func open(t testing.TB, dir string) *sim.Board {
	t.Helper()
	b, err := sim.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPin(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "pins")
	b := open(t, dir)
	before := time.Now().UnixNano()
	a, c := b.Pin("P1_11"), b.Pin("27")
	if entries, _ := os.ReadDir(dir); len(entries) != 1 { // edges.log
		t.Errorf("looking a pin up made %v", entries)
	}
	for _, step := range []struct {
		pin   gpio.PinOut
		level gpio.Level
		want  string // GPIO17, then GPIO27
	}{
		{a, gpio.High, "1"}, {c, gpio.Low, "10"}, {a, gpio.High, "10"}, {a, gpio.Low, "00"}, {c, gpio.High, "01"},
	} {
		if err := step.pin.Out(step.level); err != nil {
			t.Fatal(err)
		}
		got := read(t, dir, "GPIO17")
		if len(step.want) > 1 {
			got += read(t, dir, "GPIO27")
		}
		if got != step.want {
			t.Errorf("after %v %v the files hold %s, want %s", step.pin, step.level, got, step.want)
		}
	}
	var edges []string
	for line := range strings.Lines(read(t, dir, "edges.log")) {
		stamp, edge, _ := strings.Cut(line, " ")
		at, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil || at < before || at > time.Now().UnixNano() {
			t.Errorf("time in %q: %v", line, err)
		}
		before = at
		edges = append(edges, edge)
	}
	if got, want := strings.Join(edges, ""), "GPIO17 1\nGPIO27 0\nGPIO17 1\nGPIO17 0\nGPIO27 1\n"; got != want {
		t.Errorf("edges.log:\n%swant:\n%s", got, want)
	}
}

func TestPinIdentity(t *testing.T) {
	b := open(t, t.TempDir())
	for _, name := range []string{"17", "GPIO17", "P1_11"} {
		p := b.Pin(name)
		if p.Name() != "GPIO17" || fmt.Sprint(p) != "GPIO17" || p.Number() != 17 {
			t.Errorf("Pin(%q) is %s, %v, %d", name, p.Name(), p, p.Number())
		}
		if err := p.PWM(gpio.DutyHalf, 0); err == nil {
			t.Error("PWM was let through")
		}
	}
	for _, name := range []string{"GPIO28", "P1_1", "", "../etc/passwd", "edges.log"} {
		if p := b.Pin(name); p != nil {
			t.Errorf("Pin(%q) is %v", name, p)
		}
	}
}

// TestRestart: a pin keeps its level when the program ends, is taken over as it
// is, and moved only by Out.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir).Pin("4")
	if err := p.Out(gpio.High); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second has nothing to release
		if err := p.Halt(); err != nil || read(t, dir, "GPIO4") != "1" {
			t.Errorf("Halt: %v, file holds %q", err, read(t, dir, "GPIO4"))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "GPIO4"), []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir).Pin("4")
	if read(t, dir, "GPIO4") != "1\n" {
		t.Error("a pin moved without Out")
	}
	for _, p := range []gpio.PinOut{again, p} {
		if err := p.Out(gpio.Low); err != nil || read(t, dir, "GPIO4") != "0" {
			t.Errorf("%v, file holds %q", err, read(t, dir, "GPIO4"))
		}
	}
	if n := strings.Count(read(t, dir, "edges.log"), "\n"); n != 3 {
		t.Errorf("%d edges, want 3", n)
	}
}

func TestFailures(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "GPIO5"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir)
	if err := b.Pin("5").Out(gpio.High); err != syscall.EISDIR {
		t.Errorf("a pin that cannot be opened: %v", err)
	}
	if got := read(t, dir, "edges.log"); got != "" {
		t.Errorf("a level that was not driven is in edges.log: %q", got)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	taken := t.TempDir()
	if err := os.Mkdir(filepath.Join(taken, "edges.log"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{taken, filepath.Join(file, "pins")} {
		if _, err := sim.Open(dir); err == nil || !strings.Contains(err.Error(), "simulated pins") {
			t.Errorf("Open(%s): %v", dir, err)
		}
	}
}

func BenchmarkOut(b *testing.B) {
	p := open(b, b.TempDir()).Pin("17")
	b.ReportAllocs()
	level := gpio.Low
	for b.Loop() {
		level = !level
		if err := p.Out(level); err != nil {
			b.Fatal(err)
		}
	}
}
