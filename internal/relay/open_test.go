package relay_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/relay"
	"tasmota-azd/internal/relay/header"
)

// edges returns the simulated edges without their times.
func edges(t testing.TB, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "edges.log"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		_, edge, _ := strings.Cut(line, " ")
		b.WriteString(edge)
	}
	return b.String()
}

func TestOpenFindsPins(t *testing.T) {
	dir := t.TempDir()
	found, err := relay.Open(relay.Options{Driver: "sim", SimDir: dir, Names: []string{"17", "GPIO27", "P1_15", "0"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found.Pins {
		got = append(got, p.Name())
	}
	if want := "GPIO17 GPIO27 GPIO22 GPIO0"; strings.Join(got, " ") != want {
		t.Errorf("found %v, want %s", got, want)
	}
	if edges(t, dir) != "" {
		t.Error("finding a pin moved it")
	}
}

func TestOpenReportsAllMistakes(t *testing.T) {
	dir := t.TempDir()
	found, err := relay.Open(relay.Options{Driver: "sim", SimDir: dir, Names: []string{"GPIO71", "17", "gpio4", "P1_11", "GPIO17", "pump relay", "P1_1", strings.Repeat("9", 1<<20)}})
	if found.Pins != nil || err == nil {
		t.Fatalf("Open: %v, %v", found.Pins, err)
	}
	where := "(simulated in " + dir + ")"
	want := []string{
		`relays[0].pin: "GPIO71": no such pin ` + where + `; nearest: GPIO11, GPIO17, GPIO21`,
		`relays[2].pin: "gpio4": no such pin ` + where + `; nearest: GPIO4`,
		`relays[3].pin: "P1_11": GPIO17 is already relays[1]`,
		`relays[4].pin: "GPIO17": GPIO17 is already relays[1]`,
		`relays[5].pin: "pump relay": no such pin ` + where,
		`relays[6].pin: "P1_1": no such pin ` + where + `; nearest: P1_3, P1_5, P1_7`,
	}
	got := strings.Split(err.Error(), "\n")
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("mistake %d: %q\nwant %q", i, got[min(i, len(got)-1)], want[i])
		}
	}
	if last := got[len(got)-1]; len(got) != len(want)+1 || !strings.HasPrefix(last, "relays[7].pin: ") || len(last) > 200 {
		t.Errorf("%d mistakes, want %d; the last has %d letters", len(got), len(want)+1, len(last))
	}
	if first, ok := errors.AsType[*relay.NameError](err); !ok || first.Relay != 0 || first.Name != "GPIO71" {
		t.Errorf("first mistake %+v", first)
	}
	if errors.Is(err, relay.ErrNotReady) {
		t.Error("a mistake in the file counts as passing")
	}
}

func TestOpenDrivers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := relay.Open(relay.Options{Driver: "sim", SimDir: file}); err == nil {
		t.Error("a file was taken for a directory of pins")
	}
	if _, err := relay.Open(relay.Options{Driver: "sym"}); err == nil || !strings.Contains(err.Error(), "periph or sim") {
		t.Errorf("unknown driver: %v", err)
	}
	found, err := relay.Open(relay.Options{Driver: "auto"}) // on a board, or off it
	if err == nil && found.Driver.Name == "sim" || err != nil && !errors.Is(err, relay.ErrNotReady) {
		t.Errorf("auto: %v, %v", found.Driver, err)
	}
}

// FuzzOpen: any list of two names is either two different pins or mistakes,
// each in one line and on the relay it belongs to.
func FuzzOpen(f *testing.F) {
	for _, name := range append(header.Names(), "17", "GPIO28", "pump", "", "\n", "P1_99", "ＧＰＩＯ17", "\xff") {
		f.Add(name, "P1_11")
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, a, b string) {
		found, err := relay.Open(relay.Options{Driver: "sim", SimDir: dir, Names: []string{a, b}})
		if err == nil {
			if found.Pins[0].Name() == found.Pins[1].Name() {
				t.Errorf("%q and %q are both %s", a, b, found.Pins[0].Name())
			}
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, "relays[0].pin: ") && !strings.HasPrefix(line, "relays[1].pin: ") {
				t.Errorf("mistake %q", line)
			}
		}
	})
}
