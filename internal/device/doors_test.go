package device_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/device"
	"tasmota-azd/internal/twin"
)

// A step is one command of a script, and what the twin would say for it.
type step struct {
	word, arg string
	desired   string // empty if the twin cannot express it
	path      []string
}

// scripts are the same ones in every run.
type scripts struct{ *rand.Rand }

func (s scripts) one(of ...string) string { return of[s.IntN(len(of))] }

// script is up to six commands, of all that the language has.
func (s scripts) script() (all []step) {
	for range 1 + s.IntN(6) {
		all = append(all, s.step())
	}
	return all
}

func (s scripts) step() step {
	power := s.one("power", "POWER1", "Power2", "power3", "_power1", "cmnd/any/power2", "Power0")
	state := s.one("on", "OFF", "toggle", "0", "1", "2", "3", "", "?", " on", "on ", "true", "false", "nonsense", "-1", "0x1")
	setting := s.one("SetOption0", "SetOption4", "SetOption26", "SO34", "SetOption59", "SetOption1", "SetOption200", "PowerOnState", "TelePeriod")
	value := s.one("0", "1", "2", "3", "5", "10", "300", "3600", "99999", "-1", "on", "off", "toggle", "x", "")
	switch s.IntN(8) {
	case 0, 1, 2:
		return step{word: power, arg: state}
	case 3, 4:
		return step{word: setting, arg: value}
	case 5:
		return step{word: s.one("state", "status", "Status0", "delay", "foo", "_", "", "power/"), arg: s.one("", "0", "2", "5", "10", "-1", "x y")}
	}
	var items []string
	for range s.IntN(5) {
		items = append(items, s.one(power+" "+state, setting+" "+value, "foo", "delay "+s.one("2", "20", "-1"), "nodelay", "backlog power2 on", "reset 1", ""))
	}
	return step{word: s.one("Backlog", "backlog0", "backlog2", "Backlog3"), arg: strings.Join(items, ";")}
}

// wishes are a script of what the twin can express, in the order in which it is
// applied. Each relay and each setting is in it once at the most.
func (s scripts) wishes() (all []step) {
	for _, name := range []string{"SetOption0", "SetOption4", "SetOption26", "SetOption34", "SetOption59", "PowerOnState", "TelePeriod"} {
		if s.IntN(3) == 0 {
			value := s.one("0", "1", "2", "3", "5", "10", "300", "3600", "99999")
			all = append(all, step{name, value, fmt.Sprintf(`{"settings":{"%s":%s}}`, name, value), []string{"settings", "ack", name}})
		}
	}
	for i := range 3 {
		if s.IntN(2) == 0 {
			n, value := i+1, s.one("ON", "OFF")
			all = append(all, step{fmt.Sprint("POWER", n), value, fmt.Sprintf(`{"relays":{"%d":{"power":"%s"}}}`, n, value),
				[]string{"relays", fmt.Sprint(n), "ack"}})
		}
	}
	return all
}

// payload is the argument as the caller of a method would give it.
func (s scripts) payload(arg string) string {
	switch {
	case arg == "" && s.IntN(2) == 0:
		return s.one("", "null")
	case slices.Contains([]string{"0", "1", "2", "5", "10", "-1", "300", "true", "false"}, arg) && s.IntN(2) == 0:
		return arg
	}
	text, _ := json.Marshal(arg)
	return s.one(string(text), fmt.Sprintf(`{"payload":%s}`, text))
}

// saves is a count that a door may have in common with another one or not: the journal,
// by whose length the state is saved, has more records of a message than of a method.
var saves = regexp.MustCompile(`("SaveCount":)\d+`)

// heard is what a device said since before, without what only one door has.
func heard(said []string) (published, answers []string) {
	for _, word := range said {
		word = saves.ReplaceAllString(word, "${1}0")
		switch {
		case strings.HasPrefix(word, "answer "):
			answers = append(answers, word)
		case !strings.HasPrefix(word, "ack "):
			published = append(published, word)
		}
	}
	return published, answers
}

// settled is how the relays stand, and after some of the scripts also what a restart
// would find, without the numbers of records and of saves.
func settled(t *testing.T, r *rig, i int) string {
	t.Helper()
	if i%25 != 0 {
		return fmt.Sprint(r.bank.on)
	}
	s := peek(t, r.dir)
	s.Journal, s.Settings.SaveCount = 0, 0
	text, err := json.Marshal(struct {
		State device.State
		On    []bool
	}{s, slices.Clone(r.bank.on)})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// quick is a directory whose files need not reach a disk, if there is one: what
// thousands of flushes would take is not what is tested.
func quick(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "doors")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "state")
}

// TestDoorsAgree: a script of commands leads to the same replies and to the same
// state, whether it comes by messages or by methods.
func TestDoorsAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scripts{rand.New(rand.NewPCG(4, 1))}
		a, b := start(t, quick(t), "%topic%/"), start(t, quick(t), "%topic%/")
		defer a.end(t)
		defer b.end(t)
		a.take(connected())
		b.take(connected())
		time.Sleep(time.Second)
		for i := range 1000 {
			broken := s.IntN(20) == 0
			if broken {
				a.bank.fail(errors.New("relay: gone"))
				b.bank.fail(errors.New("relay: gone"))
			}
			script := s.script()
			n, m := len(a.cloud.said()), len(b.cloud.said())
			for j, st := range script {
				a.events <- command(fmt.Sprint(i, " ", j), "/"+st.word, st.arg)
				b.events <- method(fmt.Sprint(j), "/"+st.word, s.payload(st.arg))
				time.Sleep(time.Duration(s.IntN(400)) * time.Millisecond)
			}
			time.Sleep(20 * time.Second)
			synctest.Wait()
			sent, _ := heard(a.cloud.said()[n:])
			published, answers := heard(b.cloud.said()[m:])
			if !slices.Equal(sent, published) {
				t.Fatalf("script %d %+v\nmessages led to %q\nmethods led to  %q", i, script, sent, published)
			}
			if len(answers) != len(script) {
				t.Fatalf("script %d %+v: %d answers: %q", i, script, len(answers), answers)
			}
			for _, answer := range answers {
				agrees(t, answer, sent)
			}
			if broken {
				a.bank.fail(nil)
				b.bank.fail(nil)
			}
			if one, two := settled(t, a, i), settled(t, b, i); one != two {
				t.Fatalf("script %d %+v\nmessages lead to %s\nmethods lead to  %s", i, script, one, two)
			}
			if t.Failed() {
				t.Fatalf("script %d %+v", i, script)
			}
		}
	})
}

// agrees checks that what a caller was told was published as well.
func agrees(t *testing.T, answer string, published []string) {
	t.Helper()
	body := answer[strings.IndexAny(answer, "{["):]
	var parts []json.RawMessage
	if body[0] == '{' {
		parts = []json.RawMessage{json.RawMessage(body)}
	} else if err := json.Unmarshal([]byte(body), &parts); err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(part, &members); err != nil {
			t.Fatal(err)
		}
		for name, value := range members {
			if member := fmt.Sprintf("%q:%s", name, value); !slices.ContainsFunc(published, func(p string) bool { return strings.Contains(p, member) }) {
				t.Errorf("%s: %s was not published", answer, member)
			}
		}
	}
}

// TestTwinAgrees: what the twin can express leads to the same state as a method, and
// is acknowledged with the method's status.
func TestTwinAgrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scripts{rand.New(rand.NewPCG(4, 2))}
		a, b := start(t, quick(t), "%topic%/"), start(t, quick(t), "%topic%/")
		defer a.end(t)
		defer b.end(t)
		a.events <- connected()
		m := b.online(t, `{}`)
		time.Sleep(10 * time.Second)
		for i := range 1000 {
			if i == 500 {
				a.bank.fail(errors.New("relay: gone"))
				b.bank.fail(errors.New("relay: gone"))
			}
			script := s.wishes()
			if len(script) == 0 {
				continue
			}
			n, k := len(a.cloud.said()), len(b.cloud.said())
			patch := twin.Document{}
			for _, st := range script {
				a.events <- method("1", st.word, s.payload(st.arg))
				part, err := twin.Parse(json.RawMessage(st.desired))
				if err != nil {
					t.Fatal(err)
				}
				patch = twin.Merge(patch, part)
			}
			text, _ := json.Marshal(patch)
			b.events <- desired(string(text), int64(i+2))
			time.Sleep(20 * time.Second)
			b.reports(t, m)
			published, answers := heard(a.cloud.said()[n:])
			if sent, _ := heard(b.cloud.said()[k:]); !slices.Equal(sent, published) {
				t.Fatalf("script %d %s\nmethods led to %q\nthe twin to    %q", i, text, published, sent)
			}
			for j, st := range script {
				status := strings.Fields(answers[j])[2]
				if ac := m.at(append(st.path, "ac")...); ac != status {
					t.Errorf("script %d %s: %s %s is acknowledged with %s, the method answered %s", i, text, st.word, st.arg, ac, answers[j])
				}
			}
			if one, two := settled(t, a, i), settled(t, b, i); one != two || t.Failed() {
				t.Fatalf("script %d %s\nmethods lead to %s\nthe twin to     %s", i, text, one, two)
			}
		}
	})
}
