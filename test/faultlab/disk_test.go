package faultlab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/document"
	"tasmota-azd/test/faultlab"
)

// card makes a disk of 64 MB with ext4, its journal, and blocks of 4 KB, as on a Pi's
// card, and returns the options that put it into the guest.
func card(t *testing.T) []string {
	t.Helper()
	need(t, "mkfs.ext4", "e2fsprogs")
	file := filepath.Join(t.TempDir(), "card")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 64<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-b", "4096", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return []string{"--append", "ubd1=" + file}
}

// What a day costs the card: simulated days in which so many commands come.
func TestWear(t *testing.T) {
	long(t)
	table := [][]string{{"commands a day", "KB written a day", "writes", "KB for each command"}}
	var idle float64
	days := []int{0, 10, 100, 1000}
	for _, commands := range days {
		t.Run(fmt.Sprint(commands), func(t *testing.T) {
			kb, writes := wear(t, commands)
			each := "-"
			if commands == 0 {
				idle = kb
			} else {
				each = fmt.Sprintf("%.1f", (kb-idle)/float64(commands))
			}
			table = append(table, []string{fmt.Sprint(commands), fmt.Sprintf("%.0f", kb), fmt.Sprintf("%.0f", writes), each})
		})
	}
	if len(table) != 1+len(days) {
		return // not all were asked for
	}
	var b strings.Builder
	if err := document.Table(&b, table); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &b)
	put(t, "make faultlab, writes", b.String())
}

// wear is what a day with so many commands writes.
func wear(t *testing.T, commands int) (kb, writes float64) {
	t.Helper()
	r := drive(t, append(card(t), "--skip-idle"), fmt.Sprint("wear ", commands))
	var w faultlab.Wear
	if err := json.Unmarshal([]byte(r.Stdout), &w); err != nil || r.Exit != 0 {
		t.Fatalf("exit %d, %v\n%s%s", r.Exit, err, r.Stdout, r.Stderr)
	}
	days := float64(w.For) / float64(24*time.Hour)
	kb, writes = float64(w.Bytes)/1024/days, float64(w.Writes)/days
	t.Logf("%d commands a day: %.0f KB in %.0f writes", commands, kb, writes)
	return kb, writes
}

// The power is cut while a relay toggles all the time. What is forgotten is the newest,
// without a gap, and the relay is saved as it was before that.
func TestPowerCut(t *testing.T) {
	cuts := 1
	full := os.Getenv("FAULTLAB") == "long"
	if full {
		cuts = 8
	}
	table := [][]string{{"answered before the cut", "forgotten of them", "oldest that was forgotten"}}
	for seed := range cuts {
		disk := card(t)
		r := drive(t, disk, fmt.Sprint("cut ", seed))
		var ages map[string]time.Duration
		if err := json.Unmarshal([]byte(r.Stdout), &ages); err != nil || r.Exit != 125 {
			t.Fatalf("the power was not cut: exit %d, %v\n%s%s", r.Exit, err, r.Stdout, r.Stderr)
		}
		r = drive(t, disk, fmt.Sprint("remains ", len(ages)+1))
		var left faultlab.Remains
		if err := json.Unmarshal([]byte(r.Stdout), &left); err != nil || r.Exit != 0 {
			t.Fatalf("exit %d, %v\n%s%s", r.Exit, err, r.Stdout, r.Stderr)
		}
		for i, id := range left.Known {
			if want := fmt.Sprintf("t-%06d", i+1); id != want {
				t.Fatalf("%s is forgotten, and %s is not", want, id)
			}
		}
		if on := len(left.Known)%2 == 1; left.On != on {
			t.Errorf("relay is %v after %d toggles", left.On, len(left.Known))
		}
		var oldest time.Duration
		forgotten := 0
		for id, age := range ages {
			if !slices.Contains(left.Known, id) {
				forgotten++
				oldest = max(oldest, age)
			}
		}
		table = append(table, []string{fmt.Sprint(len(ages)), fmt.Sprint(forgotten), oldest.Round(10 * time.Millisecond).String()})
	}
	var b strings.Builder
	if err := document.Table(&b, table); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &b)
	if full {
		put(t, "make faultlab, power cuts", b.String())
	}
}
