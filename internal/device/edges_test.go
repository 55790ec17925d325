package device_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/store"
)

// kept returns the edges that a restart would find if the daemon were killed now:
// "2 on by c2d m1".
func kept(t *testing.T, dir string) []string {
	t.Helper()
	s, err := store.Open(copied(t, dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	j, err := journal.Open(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var lines []string
	for _, e := range j.Edges(edges.Most) {
		lines = append(lines, fmt.Sprintf("%d %v by %v", e.Relay, e.To, e.Cause))
	}
	return lines
}

// TestEdgesAreSavedWithTheState: also those after which the relays stand as saved.
func TestEdgesAreSavedWithTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.take(command("m1", "/power2", "on"))
		r.take(command("m2", "/backlog0", "power2 off;power2 on"))
		time.Sleep(time.Second)
		synctest.Wait()
		want := []string{"2 true by c2d m1", "2 false by c2d m2", "2 true by c2d m2"}
		if got := kept(t, dir); !slices.Equal(got, want) {
			t.Errorf("kept %q, want %q", got, want)
		}
		r.end(t)
		if got := kept(t, dir); !slices.Equal(got, want) {
			t.Errorf("after the end kept %q, want %q", got, want)
		}
	})
}

// TestFullDiskHoldsNothingUp: commands work, and are acknowledged; the log tells.
func TestFullDiskHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		if err := r.journal.Close(); err != nil { // no write succeeds any more
			t.Fatal(err)
		}
		r.take(command("m1", "/power2", "on"))
		r.take(command("m1", "/power2", "on"))
		if !r.bank.On(1) || count(r.cloud.said(), "ack m1") != 2 || len(r.bank.moves()) != 1 {
			t.Errorf("not run, not acknowledged, or run twice: %q, %q", r.bank.moves(), r.cloud.said())
		}
		if n := len(levels(r.log.String(), "state not saved: after a restart the relays would return to what was saved before, "+
			"and a command that the hub delivers again would run again")); n != 1 {
			t.Errorf("the log tells it %d times", n)
		}
		r.stop()
		if err := <-r.done; err == nil {
			t.Error("the journal was closed already")
		}
	})
}

// TestRoomAgain: what a full disk did not take is written as soon as it takes it.
func TestRoomAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		inTheWay := filepath.Join(dir, ".journal.tmp")
		if err := errors.Join(r.journal.Close(), os.MkdirAll(filepath.Join(inTheWay, "x"), 0o700)); err != nil {
			t.Fatal(err)
		}
		r.take(command("m1", "/status", "0"))
		time.Sleep(time.Minute)
		synctest.Wait()
		known := func() bool {
			s, _, j := opened(t, copied(t, dir))
			defer s.Close()
			defer j.Close()
			_, ok := j.Known("m1", time.Now())
			return ok
		}
		if known() {
			t.Fatal("the disk takes what it should not")
		}
		if err := os.RemoveAll(inTheWay); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !known() {
			t.Error("a message that took effect is not remembered")
		}
		if got := r.log.String(); len(levels(got, "state saved again")) != 1 || !strings.Contains(got, " lasted=1m") && !strings.Contains(got, " lasted=2m") {
			t.Errorf("the log does not tell the end: %s", got)
		}
		r.end(t)
	})
}

// TestSavesAreFew: the journal alone bears what commands do, and the file of the state
// is written so often that a start has little to read.
func TestSavesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		file := func() string {
			text, err := os.ReadFile(filepath.Join(dir, device.StateFile))
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		first, changes := file(), 0
		for i := range 401 {
			r.take(command(fmt.Sprint("m", i), "/power2", "toggle"))
			time.Sleep(2 * time.Second)
			if now := file(); now != first {
				first = now
				changes++
			}
		}
		if changes < 2 || changes > 10 {
			t.Errorf("the state was saved %d times", changes)
		}
		if !peek(t, dir).Relays["GPIO27"] {
			t.Error("what a restart would find is not how the relays stand")
		}
		r.end(t)
	})
}

// TestUpkeepIsSaved: a relay whose line came back by itself.
func TestUpkeepIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.upkeep.work = func() {
			if err := r.bank.Set(0, true, cause.Cause{Door: cause.Recovered}); err != nil {
				t.Error(err)
			}
		}
		r.upkeep.at = time.Now().Add(time.Second)
		r.take(connected()) // the loop asks again when it turns
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !peek(t, dir).Relays["GPIO17"] {
			t.Error("what the upkeep did is not saved")
		}
		r.end(t)
		if want := []string{"1 true by recovered"}; !slices.Equal(kept(t, dir), want) {
			t.Errorf("kept %q, want %q", kept(t, dir), want)
		}
	})
}

// TestLoudness: a pin that fails is an error in the log, also beside other things;
// what is held back or was sent wrong is a warning.
func TestLoudness(t *testing.T) {
	held := fmt.Errorf("relay 1 on GPIO17: %w: too often", errRest)
	broken := errors.New("relay 1 on GPIO17: input/output error")
	for _, tt := range []struct {
		err           error
		topic, body   string
		level, queued string
	}{
		{held, "power", "on", "WARN", ""},
		{held, "power0", "on", "WARN", ""},
		{broken, "power", "on", "ERROR", ""},
		{broken, "power0", "on", "ERROR", ""},
		{errors.Join(held, broken), "power", "on", "ERROR", ""},
		{held, "backlog", "foo;power0 on", "WARN", "WARN"},
		{broken, "backlog", "foo;power0 on", "WARN", "ERROR"},
		{broken, "backlog0", "foo;power0 on", "ERROR", ""},
		{held, "backlog0", "foo;power0 on", "WARN", ""},
		{nil, "backlog0", "foo;power0 on", "WARN", ""},
		{nil, "foo", "", "WARN", ""},
		{nil, "power9", "on", "WARN", ""},
		{nil, "power0", "on", "INFO", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, t.TempDir(), "%topic%/")
			r.bank.fail(tt.err)
			r.take(command("m1", tt.topic, tt.body))
			time.Sleep(time.Second)
			synctest.Wait()
			if got := levels(r.log.String(), "command done"); !slices.Equal(got, []string{tt.level}) {
				t.Errorf("%s %s with %v is logged as %q, want %s", tt.topic, tt.body, tt.err, got, tt.level)
			}
			if got := levels(r.log.String(), "queued command failed"); tt.queued != "" && (len(got) == 0 || got[len(got)-1] != tt.queued) {
				t.Errorf("%s %s with %v: queue is logged as %q, want %s", tt.topic, tt.body, tt.err, got, tt.queued)
			}
			r.end(t)
		})
	}
}

// levels returns the level of each line that says msg.
func levels(log, msg string) []string {
	var all []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, `msg="`+msg+`"`) {
			_, rest, _ := strings.Cut(line, "level=")
			level, _, _ := strings.Cut(rest, " ")
			all = append(all, level)
		}
	}
	return all
}

func TestPowerOn(t *testing.T) {
	for _, tt := range []struct {
		saved, now string
		want       bool
	}{{"a", "b", true}, {"", "b", true}, {"b", "b", false}, {"b", "", false}, {"", "", false}} {
		if got := (device.State{BootID: tt.saved}).PowerOn(tt.now); got != tt.want {
			t.Errorf("saved under %q, now %q: power-on %v", tt.saved, tt.now, got)
		}
	}
}

// TestWantedOfANewRelay: 2 switches none on of which nothing was saved.
func TestWantedOfANewRelay(t *testing.T) {
	for state, want := range []bool{false, true, false, false, true} {
		s := device.State{Relays: map[string]bool{"GPIO17": false, "GPIO27": true}}
		if err := s.Settings.UnmarshalJSON(fmt.Appendf(nil, `{"PowerOnState":%d}`, state)); err != nil {
			t.Fatal(err)
		}
		if got := s.Wanted("GPIO4", true); got != want {
			t.Errorf("PowerOnState %d: a new relay is to be %v", state, got)
		}
		if off, on := s.Wanted("GPIO17", true), s.Wanted("GPIO27", true); off != s.Settings.Wanted(false, true) || on != s.Settings.Wanted(true, true) {
			t.Errorf("PowerOnState %d: known relays are to be %v and %v", state, off, on)
		}
	}
}
