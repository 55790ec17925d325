package hubsim_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
)

// open opens the stand-in kept in dir. It is left without Close, as by kill -9,
// when the test says nothing else.
func open(t *testing.T, dir string, o hubsim.Options) *cloud {
	t.Helper()
	s, err := hubsim.Open(dir, o)
	must(t, err)
	t.Cleanup(s.Close)
	return &cloud{s, t}
}

// TestRestart: devices, subscriptions, queued messages, enrollments and events
// outlive the process.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir, hubsim.Options{Hosts: []string{"localhost", "127.0.0.1"}})
		must(t, c.CreateDevice(dev, "", keyText))
		must(t, c.CreateDevice("off", "127.0.0.1", keyText))
		must(t, c.Disable("off"))
		must(t, c.CreateEnrollment(hubsim.Enrollment{ID: "fleet", Group: true, Hub: "127.0.0.1"}, groupText))
		must(t, c.Reassign("later", hubsim.Reassignment{DeviceID: "LATER"}))
		cl := c.connect()
		cl.subscribe(1, c2d)
		cl.publish(1, events+"a=b", "body\xff")
		cl.next()
		_, err := c.Send(dev, hubsim.C2D{MessageID: "m1", TTL: time.Hour, Body: []byte("\x00\xff"), Properties: []hubsim.Property{{Name: "n", Null: true}, {Name: "k", Value: "1"}, {Name: "k", Value: "2"}}})
		must(t, err)
		first := cl.message()
		c.update(`{"relays":{"1":{"power":"ON"}}}`, 2)
		cl.publish0(report+"1", `{"n":1.50}`)
		c.c2d("done")
		cl.puback(cl.message().MessageID)
		must(t, c.Wait(t.Context(), func() bool { return len(c.Queue(dev)) == 1 }))
		c.provision(key(t, groupText).Derive("rpi-9"), "rpi-9")
		synctest.Wait()

		c = open(t, dir, hubsim.Options{Hosts: []string{"localhost", "127.0.0.1"}})
		if r := c.Records(); len(r) != 1 || string(r[0].Body) != "body\xff" || r[0].Properties["a"] != "b" || r[0].System["iothub-connection-device-id"] != dev {
			t.Errorf("records %+v", r)
		}
		c.twinHas(`{"$version":2,"relays":{"1":{"power":"ON"}}}`, `{"$version":2,"n":1.50}`)
		cl = c.connect()
		if m := cl.message(); m.TopicName != first.TopicName || !bytes.Equal(m.Payload, first.Payload) || !m.Dup {
			t.Errorf("got  %v\nwant %v", m, first)
		}
		cl.publish(1, events, "second")
		if r := c.record("second"); r.Seq != 2 {
			t.Errorf("number %d, want 2", r.Seq)
		}
		cl.next()
		if got := c.provision(key(t, groupText).Derive("rpi-9"), "rpi-9"); got.State.AssignedHub != "127.0.0.1" {
			t.Errorf("got %+v", got)
		}
		if got := c.provision(key(t, groupText).Derive("later"), "later"); got.State.DeviceID != "LATER" {
			t.Errorf("got %+v", got)
		}
		if r := c.Registrations(); len(r) != 2 || r[1].Times != 2 {
			t.Errorf("registrations %+v", r)
		}
		want := "[LATER at 127.0.0.1, off false off at 127.0.0.1, off true rpi-0001 at localhost, off false rpi-9 at 127.0.0.1, off false]"
		var got []string
		for _, d := range c.Devices() {
			got = append(got, fmt.Sprintf("%s at %s, off %t", d.ID, d.Hub, d.Disabled))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("devices %s", got)
		}
		text, err := c.ConnectionString("rpi-9")
		must(t, err)
		_, shown, _ := strings.Cut(text, "SharedAccessKey=")
		if !key(t, shown).Equal(key(t, groupText).Derive("rpi-9")) {
			t.Error("the key shown is not the derived one")
		}
	})
}

// TestRestartOfCleanSession: a subscription without a kept session ends with
// the process, too.
func TestRestartOfCleanSession(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir, hubsim.Options{})
		must(t, c.CreateDevice(dev, "", keyText))
		c.connect(clean).subscribe(1, c2d)
		synctest.Wait()
		c = open(t, dir, hubsim.Options{})
		c.c2d("x")
		c.connect().quiet(time.Second)
	})
}

// TestKeysThatAreNotText: a device without a text of its key cannot be kept
// and is left out.
func TestKeysThatAreNotText(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir, hubsim.Options{})
		must(t, c.AddDevice(hubsim.Device{ID: dev, Key: key(t, keyText)}))
		if _, err := c.ConnectionString(dev); err == nil {
			t.Error("a key came out of a token.Key")
		}
		if d := open(t, dir, hubsim.Options{}).Devices(); len(d) != 0 {
			t.Errorf("devices %+v", d)
		}
	})
}

func TestStateFileModeAndDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	synctest.Test(t, func(t *testing.T) {
		must(t, open(t, dir, hubsim.Options{}).CreateDevice(dev, "", keyText))
		path := filepath.Join(dir, "state.json")
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		must(t, os.WriteFile(path, []byte(`{"devices":[{`), 0o600))
		if _, err := hubsim.Open(dir, hubsim.Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("broken state: %v", err)
		}
	})
}

// TestEventsFileWithAGap: what came before a line that cannot be read is not
// mixed up with what came after it.
func TestEventsFileWithAGap(t *testing.T) {
	dir := t.TempDir()
	lines := `{"seq":1,"body":"a"}` + "\n" + `{"seq":2,"bo` + "\n" + `{"seq":3,"body":"c"}` + "\n" + `{"seq":4,"body":"d"}` + "\n"
	must(t, os.WriteFile(filepath.Join(dir, "events.jsonl"), []byte(lines), 0o600))
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir, hubsim.Options{})
		if r := c.Records(); len(r) != 2 || r[0].Seq != 3 {
			t.Errorf("records %+v", r)
		}
		if r, _ := c.RecordsSince(3); len(r) != 1 || string(r[0].Body) != "d" {
			t.Errorf("records since 3: %+v", r)
		}
	})
}

// TestEventsFile: half a line at the end is left out, and the file does not
// grow for ever.
func TestEventsFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.jsonl")
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir, hubsim.Options{Keep: 10})
		must(t, c.CreateDevice(dev, "", keyText))
		cl := c.connect()
		for i := range 95 {
			cl.publish(uint16(i+1), events, fmt.Sprint(i))
			cl.next()
		}
		data, err := os.ReadFile(path)
		must(t, err)
		if n := bytes.Count(data, []byte("\n")); n < 10 || n > 20 {
			t.Errorf("%d lines", n)
		}
		must(t, os.WriteFile(path, append(data, `{"seq":96,"dev`...), 0o600))
		c = open(t, dir, hubsim.Options{Keep: 10})
		r := c.Records()
		if len(r) != 10 || r[0].Seq != 86 || r[9].Seq != 95 || string(r[9].Body) != "94" {
			t.Errorf("records %+v", r)
		}
		cl = c.connect()
		cl.publish(1, events, "next")
		if r := c.record("next"); r.Seq != 96 {
			t.Errorf("number %d", r.Seq)
		}
	})
}

// TestStateOfAnotherHub: a state that does not fit the flags is left alone.
func TestStateOfAnotherHub(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir, hubsim.Options{Hosts: []string{"localhost", "other"}})
		must(t, c.CreateDevice("a", "localhost", keyText))
		must(t, c.CreateDevice("b", "other", keyText))
		if _, err := hubsim.Open(dir, hubsim.Options{}); err == nil || !strings.Contains(err.Error(), `no hub is called "other"`) {
			t.Errorf("got %v", err)
		}
		if d := open(t, dir, hubsim.Options{Hosts: []string{"localhost", "other"}}).Devices(); len(d) != 2 {
			t.Errorf("devices %+v", d)
		}
	})
}

func TestCAOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	first, err := hubsim.LoadCA(dir, time.Now())
	must(t, err)
	second, err := hubsim.LoadCA(dir, time.Now())
	must(t, err)
	if !bytes.Equal(first.PEM(), second.PEM()) {
		t.Error("a new CA was made")
	}
	if _, err := hubsim.LoadCA(dir, time.Now().AddDate(11, 0, 0)); err == nil || !strings.Contains(err.Error(), "delete") {
		t.Errorf("eleven years later: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "ca-key.pem"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// TestDerivedKeyText: the key shown for a device of a group is the one that
// the device derives.
func TestDerivedKeyText(t *testing.T) {
	inBubble(t, hubsim.Options{}, func(t *testing.T, c *cloud) {
		must(t, c.CreateEnrollment(hubsim.Enrollment{ID: "g", Group: true}, groupText))
		k := key(t, groupText).Derive("B827EB000001")
		c.provision(k, "B827EB000001")
		text, err := c.ConnectionString("B827EB000001")
		must(t, err)
		shown, err := token.ParseKey(strings.TrimPrefix(text, "HostName=localhost;DeviceId=B827EB000001;SharedAccessKey="))
		must(t, err)
		if !shown.Equal(k) {
			t.Errorf("another key")
		}
	})
}
