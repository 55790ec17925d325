package pins_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/pins"
	rpiemu "tasmota-azd/test/rpi-emu"
	"tasmota-azd/test/uml"
)

// The relays stand within 100 ms of the start of the process, and the whole start, to
// the accepted CONNECT, takes longer. The emulated Pi's clock counts instructions, so
// that what else this machine does changes nothing: docs/performance.md says how many a
// second are a Pi 3's.
func TestStartTime(t *testing.T) {
	for name, tt := range map[string]struct {
		b     board
		shift int // an instruction takes 2^shift ns
		cloud bool
	}{
		"Pi 3, 500 million instructions a second": {
			board{pi: &pi{arch: "arm64", o: rpiemu.Options{Args: []string{"--icount", "1"}}}}, 1, true},
		"Pi Zero, 250 million instructions a second": {
			board{pi: &pi{arch: "arm", o: rpiemu.Options{Machine: "raspi0"}}}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := []string{"relays stand"}
			if tt.cloud {
				texts = append(texts, "connected part=hub")
			}
			times := startTimes(t, tt.b, tt.cloud, texts)
			for i, text := range texts {
				took := times[text]
				t.Logf("%s: %v (the slowest of 5: %v), %d million instructions", text,
					took[2], took[4], took[2].Nanoseconds()>>tt.shift/1_000_000)
				if i == 0 && took[2] > 100*time.Millisecond {
					t.Errorf("the relays stand after %v", took[2])
				}
			}
			if tt.cloud {
				t.Logf("share of the whole start: %.0f %%", 100*float64(times[texts[0]][2])/float64(times[texts[1]][2]))
			}
		})
	}
}

// startTimes starts the daemon five times and returns how long after that each text was
// in its log, in order.
func startTimes(t *testing.T, b board, cloud bool, texts []string) map[string][]time.Duration {
	t.Helper()
	b.pi.o.Need(t)
	b.pi.o.Args = append(b.pi.o.Args, "--bin", built(t, "test/pins/stopwatch", b.pi.arch)+":/usr/bin/stopwatch")
	o := uml.Options{Timeout: 10 * time.Minute}
	o.Cmd = fmt.Sprintf(`set -e; relays='GPIO17=1 GPIO27=1 GPIO22=0 GPIO23=0'
		for i in 1 2 3 4 5; do saved "on off on off"; stopwatch '%s' -- tasmota-azd; done`, strings.Join(texts, "' '"))
	r := b.boot(t, pins.Scenario{Options: o, Cloud: cloud, Config: four})
	times := map[string][]time.Duration{}
	for line := range strings.SplitSeq(r.Stdout, "\n") {
		text, value, _ := strings.Cut(line, ": ")
		if d, err := time.ParseDuration(strings.TrimSpace(value)); err == nil && slices.Contains(texts, text) {
			times[text] = append(times[text], d)
		}
	}
	for _, text := range texts {
		if len(times[text]) != 5 {
			t.Fatalf("%q: %v\n%s", text, times[text], r.Stdout)
		}
		slices.Sort(times[text])
	}
	return times
}
