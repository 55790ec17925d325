package e2e

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/control"
)

// mutants is how many files the daemon is to live through.
const mutants = 500

// words are what is put into a file besides what it has.
var words = []string{
	"", " ", "\t", "\n", ":", "- ", "{", "}", "[", "]", "'", "\"", "#", "*", "&a", "!!binary ", "%", "---\n", "\x00", "\xff", "é", "~", "null", "true",
	"0", "1", "-1", "9999999999999999999999", "1e9", "0x1F", "5s", "48h", "GPIO17", "GPIO71", "P1_2", "gpiochip9:3", "localhost", "/", "../..", "debug", "json", "off", "hold",
	"auto", "periph", "name", "pin", "hub:\n", "dps: {scope_id: 0ne00000001}\n", "relays: []\n", "board: waveshare-rpi-relay-board\n", strings.Repeat("x", 300),
	"telemetry: {period: 10s, full_topic: 'a/%topic%'}\n", "metrics: {listen: '127.0.0.1:1'}\n", "log: {level: warn}\n", "  transport: websocket\n", "  token_ttl: 6m\n",
}

// mutate changes a text in one or two ways that happen in an editor, or to a card.
func mutate(r *rand.Rand, text string) string {
	for range 1 + r.IntN(2) {
		at, to := r.IntN(len(text)+1), r.IntN(len(text)+1)
		at, to = min(at, to), min(max(at, to), min(at, to)+r.IntN(40))
		lines := strings.SplitAfter(text, "\n")
		i, j := r.IntN(len(lines)), r.IntN(len(lines))
		switch r.IntN(8) {
		case 0: // something comes in
			text = text[:at] + words[r.IntN(len(words))] + text[at:]
		case 1: // something is gone
			text = text[:at] + text[to:]
		case 2: // something is there twice
			text = text[:to] + text[at:]
		case 3: // one byte is another
			if b := []byte(text); at < len(b) {
				b[at] ^= 1 << r.IntN(8)
				text = string(b)
			}
		case 4: // the end is missing
			text = text[:at]
		case 5: // a line is gone
			text = strings.Join(slices.Delete(lines, i, i+1), "")
		case 6: // two lines are swapped
			lines[i], lines[j] = lines[j], lines[i]
			text = strings.Join(lines, "")
		case 7: // a line comes in, or another indentation
			text = strings.Join(slices.Insert(lines, i, words[r.IntN(len(words))]), "")
		}
	}
	return text
}

// sameWires reports whether two configurations have the same relays on the same pins.
func sameWires(a, b config.Config) bool {
	has := func(list []config.Relay, r config.Relay) bool {
		return slices.ContainsFunc(list, func(o config.Relay) bool { return o.SamePin(r) && o.ActiveLow == r.ActiveLow })
	}
	return len(a.Relays) == len(b.Relays) && !slices.ContainsFunc(a.Relays, func(r config.Relay) bool { return !has(b.Relays, r) })
}

// 500 files in which something is wrong, or only other than before: the daemon never ends
// and no relay moves. A file that is right and has other relays is not among them.
func TestReloadOfMutatedFiles(t *testing.T) {
	r := newReloader(t)
	before, base := r.edges(), r.config0()
	client, random := control.NewClient(r.socket()), rand.New(rand.NewPCG(12, 500))
	taken, refused := 0, 0
	for n := 1; n <= mutants; n++ {
		for {
			r.write("config.yaml", mutate(random, r.text))
			cfg, err := config.Load(r.path, "")
			if err != nil || sameWires(cfg, base) {
				break
			}
		}
		if err := r.d.Signal(syscall.SIGHUP); err != nil {
			t.Fatalf("after %d files the daemon is gone: %v", n-1, err)
		}
		s := r.reloaded(client, n)
		if len(s.Configuration.Faults) > 0 {
			refused++
		} else {
			taken++
		}
		if got := r.edges(); len(got) != len(before) {
			t.Fatalf("file %d moved a relay: %q", n, got[len(before):])
		}
	}
	t.Logf("%d files were refused and %d taken", refused, taken)
	if refused < mutants/4 || taken < mutants/20 {
		t.Error("the files are too much alike")
	}
	r.reload(r.text)
	r.command("pump", "m1", "/power1", "off", `{"POWER1":"OFF"}`)
	r.drove(before, "GPIO17 0")
}

// config0 is the file as the daemon was started with it.
func (r *reloader) config0() config.Config {
	r.t.Helper()
	cfg, err := config.Load(filepath.Join(r.dir, "config.yaml"), "")
	if err != nil {
		r.t.Fatal(err)
	}
	return cfg
}

// reloaded waits until the daemon has dealt with its n-th reload.
func (r *reloader) reloaded(c *control.Client, n int) (s reloadStatus) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; <-time.After(25 * time.Millisecond) {
		s = reloadStatus{}
		if err := c.Status(r.t.Context(), &s); err == nil && s.Configuration.Reloads == n {
			return s
		} else if time.Now().After(end) {
			r.t.Fatalf("the daemon does not reload file %d: %v, %+v", n, err, s)
		}
	}
}
