package commands_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/commands"
)

func FuzzParse(f *testing.F) {
	for _, s := range [][2]string{
		{"/power", "on"}, {"cmnd/x/POWER2", " toggle"}, {"_", "?"}, {"_status0", ""}, {"a9999999999", "\x00"}, {"\xff_1", "\xff"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, topic, payload string) {
		c := commands.Parse(topic, payload)
		if c.Index < 0 || !c.Indexed && c.Index != 1 {
			t.Errorf("index %d, indexed %v", c.Index, c.Indexed)
		}
		if strings.Contains(c.Name, "/") || strings.HasSuffix(topic, "x") && !strings.HasSuffix(c.Name, "X") {
			t.Errorf("name %q", c.Name)
		}
		if !strings.HasSuffix(payload, c.Arg) && c.Arg != "" {
			t.Errorf("argument %q is no end of the payload", c.Arg)
		}
		if again := commands.Parse(topic, c.Arg); c.Index < 300 && again != c {
			t.Errorf("parsed again: %+v, then %+v", c, again)
		}
	})
}

// FuzzRun: whatever arrives, nothing panics, every reply is an object of
// bounded size, the backlog comes to its end, and the settings can be saved.
func FuzzRun(f *testing.F) {
	for _, s := range []string{
		"power on", "power0 toggle", "_power2 3", "power99 1", "state", "status 0", "status0", "status -1", "status 255",
		"setoption", "setoption59 1", "so4 1", "so34 0", "setoption177 0", "teleperiod 5", "delay -1",
		"backlog power1 on;delay 3600;power1 off", "backlog0 status 0;status0;so26 1", "backlog3 foo {;};x/backlog0 x/backlog state",
		"backlog NoDelay;delay 20;reset;backlog backlog", "backlog", "foo \xff\"\\", "\x00 ?", "so300 1", "status9 0x",
	} {
		word, arg, _ := strings.Cut(s, " ")
		f.Add(word, arg, uint16(250))
	}
	f.Fuzz(func(t *testing.T, word, arg string, wait uint16) {
		d := newDevice(t, []bool{false, true, false})
		d.relays.broken = map[int]bool{2: true}
		d.Connected(d.now, link)
		replies, err := d.Run(d.now, commands.Parse(word, arg))
		if err != nil && len(replies) == 0 {
			t.Errorf("%s: error %v without a reply", word, err)
		}
		check(t, replies)
		d.now = d.now.Add(time.Duration(wait) * time.Millisecond)
		replies, _ = d.Run(d.now, commands.Parse(arg, word))
		check(t, replies)
		replies, _ = d.Tick(d.now)
		check(t, replies)
		d.Disconnected()
		for ticks := 0; !d.Next().IsZero(); ticks++ {
			if ticks > 2*256 {
				t.Fatal("the backlog has no end")
			}
			if next := d.Next(); next.After(d.now) {
				d.now = next
			}
			replies, _ = d.Tick(d.now)
			check(t, replies)
		}
		d.restart(300 * time.Second)
	})
}

func check(t *testing.T, replies []commands.Reply) {
	t.Helper()
	if len(replies) > 11*256 {
		t.Errorf("%d replies", len(replies))
	}
	for _, r := range replies {
		var object map[string]any
		if err := json.Unmarshal([]byte(r.Body), &object); err != nil || object == nil {
			t.Errorf("%s %q is no object: %v", r.Topic, r.Body, err)
		}
		if len(r.Body) > 8<<10 || r.Topic == "" || strings.ContainsAny(r.Topic, "/+# ") {
			t.Errorf("topic %q, %d bytes", r.Topic, len(r.Body))
		}
	}
}
