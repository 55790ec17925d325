package device_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/store"
)

// cloud notes what the device says, in order: "ack <id>" or "<topic> <body>".
type cloud struct {
	mu      sync.Mutex
	words   []string
	sent    []hub.Telemetry
	away    bool // nothing arrives
	dropped int
	step    func(when string)

	progressed chan struct{}
	patches    []json.RawMessage // reported
}

// Progress says that all has arrived, or nothing.
func (c *cloud) Progress() (oldest uint64, dropped int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.sent {
		if c.away && t.Number != 0 {
			return t.Number, c.dropped
		}
	}
	return 0, c.dropped
}

func (c *cloud) Progressed() <-chan struct{} { return c.progressed }

func (c *cloud) Send(t hub.Telemetry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.words = append(c.words, t.Topic+" "+string(t.Body))
	c.sent = append(c.sent, t)
	c.noteStep("behind the sending of " + string(t.Body))
	select {
	case c.progressed <- struct{}{}:
	default:
	}
}

func (c *cloud) noteStep(when string) {
	if c.step != nil {
		c.step(when)
	}
}

func (c *cloud) Ack(m hub.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noteStep("before the acknowledgement")
	c.words = append(c.words, "ack "+m.ID)
	c.noteStep("behind the acknowledgement")
}

func (c *cloud) Answer(m hub.Method, status int, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.words = append(c.words, fmt.Sprintf("answer %s %d %s", m.ID, status, body))
}

func (c *cloud) Report(patch []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.patches = append(c.patches, patch)
}

func (c *cloud) said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.words)
}

func (c *cloud) telemetry() []hub.Telemetry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.sent)
}

// bank is relays that note each move with its cause.
type bank struct {
	mu     sync.Mutex
	on     []bool
	noted  []string
	others []string // pins, in place of those that all tests have
	broken error
	edge   func(edges.Edge)
	step   func(when string, on []bool)
}

func (b *bank) noteStep(when string) {
	if b.step != nil {
		b.step(when, b.on)
	}
}

func (b *bank) Len() int { return len(b.on) }

func (b *bank) On(i int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.on[i]
}

func (b *bank) Fault(int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

func (b *bank) Set(i int, on bool, why cause.Cause) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return b.broken
	}
	b.noteStep("before the pin")
	if b.on[i] != on {
		b.edge(edges.Edge{Time: time.Now(), Relay: i + 1, Pin: b.pin(i), From: new(b.on[i]), To: on, Cause: why})
	}
	b.on[i] = on
	b.noteStep("behind the pin")
	b.noted = append(b.noted, fmt.Sprintf("%d %v by %s", i+1, on, why))
	return nil
}

func (b *bank) pin(i int) string {
	if b.others != nil {
		return b.others[i]
	}
	return pins[i]
}

func (b *bank) moves() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.noted)
}

func (b *bank) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = err
}

var pins = []string{"GPIO17", "GPIO27"}

// A rig is a running device loop with everything around it replaced but the
// interpreter and the store.
type rig struct {
	cloud   cloud
	bank    bank
	dir     string
	logger  *slog.Logger
	maxAge  []time.Duration
	limit   int
	store   *store.Store
	state   device.State
	journal *journal.Journal
	beats   atomic.Int32
	events  chan hub.Event
	stop    context.CancelFunc
	done    chan error
	log     bytes.Buffer // read it when the loop waits
	upkeep  upkeep
	device  *device.Device
}

// upkeep is one deadline of the relays, and what then happens.
type upkeep struct {
	at   time.Time
	work func()
}

func (u *upkeep) Next() time.Time { return u.at }
func (u *upkeep) Tick(time.Time)  { u.at = time.Time{}; u.work() }

// errRest is what a bank answers that does not want to move now.
var errRest = errors.New("held back")

func start(t *testing.T, dir string, template string) *rig {
	t.Helper()
	r := prepare(t, dir)
	r.run(t, template)
	return r
}

// prepare opens what the last run left; run is the loop.
func prepare(t *testing.T, dir string) *rig {
	t.Helper()
	r := &rig{dir: dir, events: make(chan hub.Event), done: make(chan error, 1)}
	r.cloud.progressed = make(chan struct{}, 1)
	r.logger = slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &r.log), nil))
	var err error
	if r.store, err = store.Open(dir, r.logger); err != nil {
		t.Fatal(err)
	}
	if r.state, r.journal, err = device.Load(r.store); err != nil {
		t.Fatal(err)
	}
	r.bank.edge = r.journal.Edge
	r.bank.on = []bool{r.state.Relays["GPIO17"], r.state.Relays["GPIO27"]}
	return r
}

func (r *rig) run(t *testing.T, template string) {
	t.Helper()
	relays := device.Noted(&r.bank, r.journal, pins)
	r.device = device.New(device.Options{
		Hub: &r.cloud,
		Commands: commands.New(commands.Options{
			Relays: relays, Settings: r.state.Settings, Backlog: r.state.Backlog,
			Period: 300 * time.Second, Started: time.Now(), MaxAge: r.maxAge,
		}),
		Relays: relays, Upkeep: &r.upkeep, HeldBack: errRest, Pins: pins,
		Store: r.store, State: r.state, Journal: r.journal, Guarded: len(r.maxAge) > 0, Limit: r.limit, Meter: 512,
		FullTopic: template, Beat: 10 * time.Second, Alive: func() { r.beats.Add(1) }, Log: r.logger,
	})
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() {
		r.done <- errors.Join(r.device.Run(ctx, r.events), r.journal.Close(), r.store.Close())
	}()
	synctest.Wait()
}

func (r *rig) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Error(err)
	}
}

// take hands over an event and waits until its effect is saved.
func (r *rig) take(ev hub.Event) {
	r.events <- ev
	time.Sleep(5 * time.Millisecond)
	synctest.Wait()
}

func command(id, topic, body string) hub.Message {
	return hub.Message{ID: id, Body: []byte(body), Properties: []hub.Property{{Name: "Topic", Value: topic}}}
}

func connected() hub.Connected { return hub.Connected{Host: "h", DeviceID: "gw1", Port: 8883} }

func TestCommandIsRunAnsweredAndAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(connected())
		before := len(r.cloud.telemetry())
		r.take(command("m1", "/power2", "toggle"))
		if got, want := r.cloud.said()[before:], []string{`gw1/RESULT {"POWER2":"ON"}`, "ack m1"}; !slices.Equal(got, want) {
			t.Errorf("device said %q, want %q", got, want)
		}
		if got := r.cloud.telemetry()[before].CorrelationID; got != "m1" {
			t.Errorf("answer correlates with %q, want m1", got)
		}
		if want := []string{"2 true by c2d m1"}; !slices.Equal(r.bank.moves(), want) {
			t.Errorf("moves %q, want %q", r.bank.moves(), want)
		}
	})
}

func TestMessageIsRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		for range 3 {
			r.take(command("m1", "power", "toggle"))
		}
		if want := []string{"1 true by c2d m1"}; !slices.Equal(r.bank.moves(), want) {
			t.Errorf("moves %q, want %q", r.bank.moves(), want)
		}
		if acks := count(r.cloud.said(), "ack m1"); acks != 3 {
			t.Errorf("%d acknowledgements, want one for each delivery", acks)
		}
		r.take(command("", "power", "toggle")) // without an id nothing can be recognised
		r.take(command("", "power", "toggle"))
		if got := len(r.bank.moves()); got != 3 {
			t.Errorf("%d moves, want 3", got)
		}
	})
}

func TestMessageWithoutTopicIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(hub.Message{ID: "m1", Body: []byte("toggle")})
		if want := []string{"ack m1"}; !slices.Equal(r.cloud.said(), want) {
			t.Errorf("device said %q, want %q", r.cloud.said(), want)
		}
		if len(r.bank.moves()) != 0 {
			t.Errorf("moves %q, want none", r.bank.moves())
		}
	})
}

func TestBacklogIsAcknowledgedWhenItIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(command("m1", "/backlog", "power1 on;delay 20;power1 off"))
		r.take(command("m2", "/power2", "on"))
		if acks := count(r.cloud.said(), "ack "); acks != 0 {
			t.Errorf("%d acknowledgements while the backlog runs: %q", acks, r.cloud.said())
		}
		r.take(command("m1", "/backlog", "power1 on;delay 20;power1 off")) // the hub's lock ended
		time.Sleep(3 * time.Second)
		synctest.Wait()
		said := r.cloud.said()
		tail := said[len(said)-3:]
		if want := []string{"ack m1", "ack m2", "ack m1"}; !slices.Equal(tail, want) {
			t.Errorf("last words %q, want %q", tail, want)
		}
		want := []string{"1 true by c2d m1", "2 true by c2d m2", "1 false by c2d m1"}
		if !slices.Equal(r.bank.moves(), want) {
			t.Errorf("moves %q, want %q", r.bank.moves(), want)
		}
	})
}

func TestLongBacklogIsAcknowledgedBeforeTheLockEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(command("m1", "/backlog", "power1 on;delay 3600;power1 off"))
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if count(r.cloud.said(), "ack m1") != 0 {
			t.Error("acknowledged before 30 s")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if count(r.cloud.said(), "ack m1") != 1 {
			t.Error("not acknowledged after 31 s")
		}
	})
}

func TestStopFinishesTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.take(command("m1", "/backlog", "power1 on;delay 20;power2 on"))
		r.end(t)
		if count(r.cloud.said(), "ack m1") != 1 || !r.bank.on[1] {
			t.Errorf("stopped before the end of the backlog: %q", r.cloud.said())
		}
		r = start(t, dir, "%topic%/")
		defer r.end(t)
		if want := []bool{true, true}; !slices.Equal(r.bank.on, want) {
			t.Errorf("after a restart relays %v, want %v", r.bank.on, want)
		}
	})
}

func TestStopLeavesWhatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		r.take(command("m1", "/backlog", "power1 on;delay 200;power2 on"))
		begin := time.Now()
		r.end(t)
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("stop took %v", took)
		}
		if count(r.cloud.said(), "ack") != 0 {
			t.Errorf("a message was acknowledged that was not worked off: %q", r.cloud.said())
		}
		r = start(t, r.dir, "%topic%/") // and goes on
		defer r.end(t)
		r.take(command("m1", "/backlog", "power1 on;delay 200;power2 on"))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if want := []string{"2 true by c2d m1"}; !slices.Equal(r.bank.moves(), want) || count(r.cloud.said(), "ack m1") != 1 {
			t.Errorf("after a restart moves %q, want %q; said %q", r.bank.moves(), want, r.cloud.said())
		}
	})
}

func TestStateIsSavedBeforeTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.take(command("m1", "/power1", "on"))
		r.take(command("m2", "/teleperiod", "60"))
		saved := peek(t, dir)
		if !saved.Relays["GPIO17"] || saved.Relays["GPIO27"] || saved.Settings.TelePeriod != 60 {
			t.Errorf("saved %+v", saved)
		}
		r.end(t)
	})
}

func TestSetOption0OffSavesNoRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.take(command("", "/power1", "on"))
		r.take(command("", "/setoption0", "0"))
		if saved := peek(t, dir); saved.Relays["GPIO17"] {
			t.Error("a relay is saved as on although SetOption0 is 0")
		}
		r.end(t)
	})
}

func TestFailingPinIsReportedAndNotSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, "%topic%/")
		r.bank.fail(errors.New("relay 1 on GPIO17: permission denied"))
		r.take(connected())
		r.take(command("m1", "/power1", "on"))
		if !slices.Contains(r.cloud.said(), `gw1/RESULT {"Command":"Error","Input":"POWER on"}`) {
			t.Errorf("device said %q", r.cloud.said())
		}
		if peek(t, dir).Relays["GPIO17"] {
			t.Error("a level that was never driven is saved")
		}
		r.end(t)
	})
}

func TestClassicTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%prefix%/%topic%/")
		defer r.end(t)
		r.take(connected())
		r.take(command("", "/power1", ""))
		var topics []string
		for _, m := range r.cloud.telemetry() {
			topics = append(topics, m.Topic)
		}
		want := []string{"tele/gw1/INFO1", "tele/gw1/INFO2", "tele/gw1/INFO3", "tele/gw1/STATE", "stat/gw1/RESULT"}
		if !slices.Equal(topics, want) {
			t.Errorf("topics %q, want %q", topics, want)
		}
		if will := device.Will("%prefix%/%topic%/", "gw1"); will.Topic != "tele/gw1/LWT" || string(will.Body) != `{"LWT":"Offline"}` {
			t.Errorf("will %+v", will)
		}
	})
}

func TestPeriodicStateOnlyWhileConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		r.take(connected())
		time.Sleep(601 * time.Second)
		synctest.Wait()
		r.take(hub.Disconnected{Err: errors.New("link lost")})
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := count(r.cloud.said(), "gw1/STATE "); got != 3 {
			t.Errorf("%d STATE in ten minutes and an hour without a session, want 3", got)
		}
	})
}

func TestWatchdogIsFedByTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), "%topic%/")
		defer r.end(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := r.beats.Load(); n < 6 || n > 8 {
			t.Errorf("%d beats in a minute, want one each 10 s", n)
		}
	})
}

func count(said []string, start string) int {
	n := 0
	for _, s := range said {
		if strings.HasPrefix(s, start) {
			n++
		}
	}
	return n
}
