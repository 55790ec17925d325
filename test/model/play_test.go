package model_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
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
	"tasmota-azd/internal/relay"
	"tasmota-azd/internal/store"
)

// settled is longer than the device lets a burst wait for its save.
const settled = 5 * time.Millisecond

// A play is one life of the daemon, beside its model.
type play struct {
	t       *testing.T
	world   *world
	model   *model
	dir     string // the state directory
	found   string // what is left of it when the daemon was killed
	boot    int    // counts power-ons
	stopped int    // the boot in which the service was last stopped, -1 for none
	ids     int    // messages sent
	steps   int    // before or behind so many levels the daemon is killed, 0 for not
	d       *daemon

	records []edges.Edge // all that the bank reported
}

// A daemon is one process.
type daemon struct {
	killed   bool
	bank     *relay.Bank
	journal  *journal.Journal
	store    *store.Store
	commands *commands.Interpreter
	upkeep   upkeep
	answers  answers
	events   chan hub.Event
	stop     context.CancelFunc
	done     chan error
}

// An upkeep is a bank that tells when it looks for lost lines.
type upkeep struct {
	*relay.Bank
	next atomic.Value // of time.Time
}

func (u *upkeep) Next() time.Time {
	at := u.Bank.Next()
	u.next.Store(at)
	return at
}

// answers is a hub that counts the replies that say Error.
type answers struct{ all, failed int }

func (a *answers) Progress() (uint64, int)        { return 0, 0 }
func (a *answers) Progressed() <-chan struct{}    { return nil }
func (a *answers) Answer(hub.Method, int, []byte) {}
func (a *answers) Ack(hub.Message)                {}
func (a *answers) Report([]byte)                  {}
func (a *answers) Send(t hub.Telemetry) {
	a.all++
	if strings.HasPrefix(string(t.Body), `{"Command":"Error"`) {
		a.failed++
	}
}

// begin starts a daemon on a new machine.
func begin(t *testing.T, keeps bool) *play {
	w := newWorld(keeps)
	p := &play{t: t, world: w, model: newModel(len(w.pins)), dir: filepath.Join(t.TempDir(), "state"), stopped: -1}
	p.start()
	return p
}

// start does what cmd/tasmota-azd does: state, relays, then the loop.
func (p *play) start() {
	d := &daemon{events: make(chan hub.Event), done: make(chan error, 1)}
	p.d = d
	var err error
	if d.store, err = store.Open(p.dir, nil); err != nil {
		p.t.Fatal(err)
	}
	var state device.State
	if state, d.journal, err = device.Load(d.store); err != nil {
		p.t.Fatal(err)
	}
	bootID := fmt.Sprint("boot-", p.boot)
	p.claim(state, bootID)
	var pins []string
	for _, pin := range p.world.pins {
		pins = append(pins, pin.name)
	}
	relays := device.Noted(d.bank, d.journal, pins)
	d.commands = commands.New(commands.Options{
		Relays: relays, Settings: state.Settings, Backlog: state.Backlog, Started: time.Now(),
	})
	d.upkeep.Bank = d.bank
	dev := device.New(device.Options{
		Hub: &d.answers, Commands: d.commands, Relays: relays, Upkeep: &d.upkeep, HeldBack: relay.ErrHeldBack,
		Pins: pins, Names: []string{"relay 1", "relay 2", "relay 3"}, Store: d.store, State: state, Journal: d.journal, BootID: bootID, FullTopic: "%topic%/",
	})
	var ctx context.Context
	ctx, d.stop = context.WithCancel(context.Background())
	go func() { d.done <- dev.Run(ctx, d.events) }()
	synctest.Wait()
	p.model.settle()
}

// claim makes the bank. Where a pin does not work it must not; then the pins are
// mended, and it is tried again, as the daemon does.
func (p *play) claim(state device.State, bootID string) {
	var wires []relay.Wire
	s := relay.Setup{Cause: cause.Cause{Door: cause.Start}, Restore: p.stopped == p.boot, Edges: p.recorder(p.d)}
	powerOn := state.PowerOn(bootID)
	if powerOn {
		s.Cause.Door = cause.PowerOn
	}
	broken := false
	for i, pin := range p.world.pins {
		w := relay.Wire{Name: fmt.Sprint("relay ", i+1), Pin: hand{pin, &p.d.killed, p.step}, ActiveLow: pin.activeLow}
		if i == len(p.world.pins)-1 {
			w.MinInterval = minInterval
		}
		wires = append(wires, w)
		s.On = append(s.On, state.Wanted(pin.name, powerOn))
		broken = broken || pin.failing || pin.unplugged
	}
	bank, err := relay.New(wires, s)
	if (err != nil) != broken {
		p.t.Fatalf("a start with pins that fail (%v) ends with %v", broken, err)
	}
	if err != nil {
		for i := range p.world.pins {
			p.mend(i)
		}
		time.Sleep(minInterval) // what the first attempt closed may close again
		if bank, err = relay.New(wires, s); err != nil {
			p.t.Fatal(err)
		}
	}
	p.d.bank = bank
	p.model.start(p.boot, p.stopped == p.boot, time.Now())
	if broken {
		time.Sleep(minInterval)
	}
	p.stopped = -1
}

// recorder takes down what d's bank reports, for the ring and for the comparison.
func (p *play) recorder(d *daemon) func(relay.Edge) {
	return func(e relay.Edge) {
		if d.killed && len(p.world.edges) <= len(p.records) {
			return // it thinks so
		}
		r := edges.Edge{Time: e.Time, Relay: e.Relay, Name: e.Name, Pin: e.Pin, To: e.To == relay.On, Cause: e.Cause}
		if e.From != relay.Unknown {
			r.From = new(e.From == relay.On)
		}
		d.journal.Edge(r)
		r.Seq = uint64(len(p.records)) + 1
		p.records = append(p.records, r)
	}
}

// kill ends the daemon as kill -9 does: from now on it moves nothing, and what it
// still saves is not found.
func (p *play) kill() {
	p.shoot()
	p.bury()
}

func (p *play) shoot() {
	p.found = filepath.Join(p.t.TempDir(), "state")
	if err := os.CopyFS(p.found, os.DirFS(p.dir)); err != nil {
		p.t.Fatal(err)
	}
	p.d.killed = true
}

func (p *play) bury() {
	p.end()
	p.dir = p.found
	p.ended()
}

// step is a moment at which the daemon may be killed.
func (p *play) step() {
	if p.steps--; p.steps == 0 {
		p.shoot()
	}
}

// killedUnder plays a command under which the daemon is killed, before or behind the
// n-th level that it drives. The hub delivers its message again: all in all it takes
// effect once.
func (p *play) killedUnder(c command, n int) {
	for _, r := range p.model.relays {
		if !p.world.keeps || r.failing || r.unplugged || r.dead || r.lost {
			return // what became of such a line is not known
		}
	}
	p.pass(minInterval)
	p.model.settle()
	p.steps = n
	id := p.send("/"+c.word, c.arg)
	p.steps = 0
	if p.d.killed {
		p.bury()
		p.start()
		p.d.events <- message(id, "/"+c.word, c.arg)
		synctest.Wait()
	}
	c.model(p.model, id, time.Now())
	p.model.settle()
}

// quit ends it by a signal: before a restart, or for good, which turns relays off.
func (p *play) quit(forGood bool) {
	p.d.stop()
	if err := <-p.d.done; err != nil {
		p.t.Error(err)
	}
	p.model.settle()
	if forGood {
		_ = p.d.bank.Off(cause.Cause{Door: cause.Stop}) // the log tells of pins that fail
		for i := range p.model.relays {
			if p.model.relays[i].on {
				p.model.set(i, false, cause.Stop, "", time.Now())
			}
		}
		p.stopped = p.boot
	}
	_, err := p.d.journal.Done(journal.Outcome{})
	if err := errors.Join(err, p.d.journal.Close(), p.d.store.Close()); err != nil {
		p.t.Error(err)
	}
	p.ended()
}

// end is the end of a daemon's process.
func (p *play) end() {
	p.d.stop()
	if err := errors.Join(<-p.d.done, p.d.journal.Close(), p.d.store.Close()); err != nil {
		p.t.Error(err)
	}
}

// ended is what is true after every end.
func (p *play) ended() {
	p.world.ended()
	p.model.end(p.world.keeps)
}

// powerOn starts the machine.
func (p *play) powerOn() {
	p.boot++
	p.world.boot()
	p.model.boot()
}

// pass lets time pass. Whenever the bank looks for lost lines the model is told
// what came back.
func (p *play) pass(span time.Duration) {
	end := time.Now().Add(span)
	for {
		next, ok := p.d.upkeep.next.Load().(time.Time)
		if !ok || next.IsZero() || next.After(end) {
			time.Sleep(time.Until(end))
			synctest.Wait()
			return
		}
		before := len(p.records)
		p.poke()
		time.Sleep(time.Until(next.Add(settled)))
		synctest.Wait()
		for _, r := range p.records[before:] {
			if r.Cause.Door != cause.Recovered || !p.model.recover(r.Relay-1, r.Time) {
				p.t.Errorf("relay %d moved by itself: %+v", r.Relay, r)
			}
		}
		p.model.settle()
	}
}

// poke asks for a relay, so that the loop has certainly seen what this goroutine
// did and looked at before, as far as the race detector can tell.
func (p *play) poke() { p.send("/Power1", "") }

// send hands a message to the loop, and returns its id.
func (p *play) send(topic, body string) string {
	p.ids++
	id := fmt.Sprint("m", p.ids)
	p.d.events <- message(id, topic, body)
	synctest.Wait()
	return id
}

func message(id, topic, body string) hub.Message {
	return hub.Message{ID: id, Body: []byte(body), Properties: []hub.Property{{Name: "Topic", Value: topic}}}
}

// A command is one that the model knows, too.
type command struct {
	word, arg string
	model     func(m *model, id string, now time.Time) (ok bool)
}

var vocabulary = makeVocabulary()

func makeVocabulary() (all []command) {
	for index, word := range []string{"Power0", "Power1", "Power2", "Power3"} {
		for value, arg := range []string{"off", "on", "toggle"} {
			all = append(all, command{word, arg, func(m *model, id string, now time.Time) bool {
				return m.power(index, value, id, now)
			}})
		}
	}
	for n := range 6 {
		all = append(all, command{"PowerOnState", fmt.Sprint(n), func(m *model, id string, now time.Time) bool {
			return m.powerOnState(n, id, now)
		}})
	}
	for n := range 2 {
		all = append(all, command{"SetOption0", fmt.Sprint(n), func(m *model, _ string, _ time.Time) bool {
			m.now.saveState = n == 1
			return true
		}})
	}
	nothing := func(*model, string, time.Time) bool { return true }
	wrong := func(*model, string, time.Time) bool { return false }
	return append(all, command{"Power1", "", nothing}, command{"Power0", "blink", nothing},
		command{"Foo", "1", nothing}, command{"Power4", "on", wrong})
}

// command runs the n-th command of the vocabulary.
func (p *play) command(n byte) {
	c := vocabulary[int(n)%len(vocabulary)]
	before := p.d.answers
	id := p.send("/"+c.word, c.arg)
	p.answered(c.word+" "+c.arg, before, !c.model(p.model, id, time.Now()))
	p.model.settle()
}

// backlog runs three of them at once.
func (p *play) backlog(n byte) {
	var text []string
	var all []command
	for i := range 3 {
		c := vocabulary[(int(n)+i*7)%len(vocabulary)]
		all, text = append(all, c), append(text, c.word+" "+c.arg)
	}
	before := p.d.answers
	id := p.send("/Backlog0", strings.Join(text, ";"))
	var failed []bool
	for _, c := range all {
		failed = append(failed, !c.model(p.model, id, time.Now()))
	}
	p.model.settle()
	p.answered(strings.Join(text, ";"), before, failed...)
}

// answered compares how many replies say Error.
func (p *play) answered(what string, before answers, failed ...bool) {
	want := 0
	for _, f := range failed {
		if f {
			want++
		}
	}
	if got := p.d.answers.failed - before.failed; got != want {
		p.t.Errorf("%s: %d replies say Error, want %d", what, got, want)
	}
}

// settle lets the device save.
func (p *play) settle() {
	p.pass(settled)
	p.model.settle()
}

// touch does something to a pin.
func (p *play) touch(i int, what byte) {
	pin, r := p.world.pins[i], &p.model.relays[i]
	switch what % 4 {
	case 0:
		pin.failing, r.failing = true, true
	case 1:
		pin.unplug()
		r.unplugged, r.dead, r.level = true, true, unknown
	default:
		p.mend(i)
	}
	p.poke()
}

func (p *play) mend(i int) {
	p.world.pins[i].mend()
	p.model.relays[i].failing, p.model.relays[i].unplugged = false, false
}

// disk makes the disk refuse the file of the state, or take it again. Nothing is lost
// by that: the journal has it all.
func (p *play) disk(what byte) { p.refuse(device.StateFile, what&1 != 0) }

// refuse puts something that cannot be removed where the store writes first.
func (p *play) refuse(name string, refused bool) {
	obstacle := filepath.Join(p.dir, "."+name+".tmp")
	err := os.RemoveAll(obstacle)
	if refused {
		err = errors.Join(err, os.MkdirAll(filepath.Join(obstacle, "x"), 0o700))
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// do plays one step.
func (p *play) do(step, arg byte) {
	switch step % 16 {
	default:
		p.command(arg)
	case 2:
		p.killedUnder(vocabulary[int(arg)%len(vocabulary)], 1+int(arg)/len(vocabulary)%6)
	case 5: // one behind the other
		p.command(arg)
		p.command(arg / 2)
		p.command(arg / 3)
	case 6:
		p.backlog(arg)
	case 7: // killed before the state was saved
		p.command(arg)
		p.kill()
		p.start()
	case 8:
		p.kill()
		p.start()
	case 9:
		p.command(arg)
		p.quit(false)
		p.start()
	case 10:
		p.command(arg)
		p.quit(true)
		p.start()
	case 11: // the power was cut
		p.kill()
		p.powerOn()
		p.start()
	case 12:
		p.quit(arg%2 == 0)
		p.powerOn()
		p.start()
	case 3, 13:
		p.touch(int(arg)%len(p.world.pins), arg/4)
	case 4, 14:
		p.pass(32 * time.Second)
		p.pass(minInterval)
		for i, r := range p.model.relays {
			if r.lost && !r.unplugged && !r.failing {
				p.t.Errorf("relay %d did not come back", i+1)
			}
		}
	case 15:
		p.disk(arg)
		p.pass(time.Minute) // the device tries again
	}
	p.settle()
	p.check()
	p.poke()
}

// check compares everything.
func (p *play) check() {
	p.checkRecords()
	p.checkMoves()
	p.checkRing()
	for i, r := range p.model.relays {
		if got := p.d.bank.On(i); got != r.on {
			p.t.Errorf("relay %d is shown as %v, want %v", i+1, got, r.on)
		}
		if got := p.d.bank.Fault(i); (got != nil) != r.fault {
			p.t.Errorf("relay %d has the fault %v, want one: %v", i+1, got, r.fault)
		}
		if got := p.world.pins[i].level; got != r.level {
			p.t.Errorf("relay %d is %v, want %v", i+1, got, r.level)
		}
	}
	s := p.d.commands.Settings()
	if s.PowerOnState() != p.model.now.powerOnState || s.SaveState() != p.model.now.saveState {
		p.t.Errorf("PowerOnState %d, SetOption0 %v, want %d, %v", s.PowerOnState(), s.SaveState(),
			p.model.now.powerOnState, p.model.now.saveState)
	}
}

// checkRecords: every edge on a pin has one record, and every record one edge.
func (p *play) checkRecords() {
	for i := range max(len(p.records), len(p.world.edges)) {
		edge, record := "none", "none"
		if i < len(p.world.edges) {
			edge = p.world.edges[i].String()
		}
		if i < len(p.records) {
			r := p.records[i]
			record = seen{r.Pin, fromOf(r), levelOf(r.To)}.String()
		}
		if edge != record {
			p.t.Fatalf("edge %d is %s, its record says %s", i+1, edge, record)
		}
	}
}

func fromOf(e edges.Edge) level {
	if e.From == nil {
		return unknown
	}
	return levelOf(*e.From)
}

// checkMoves: the records of each relay are those that should be, and tell why.
func (p *play) checkMoves() {
	got := make([][]moved, len(p.model.relays))
	for _, r := range p.records {
		got[r.Relay-1] = append(got[r.Relay-1], moved{fromOf(r), levelOf(r.To), r.Cause.Door, r.Cause.ID})
	}
	for i, r := range p.model.relays {
		for n := range max(len(got[i]), len(r.moves)) {
			if n >= len(got[i]) || n >= len(r.moves) || got[i][n] != r.moves[n] {
				p.t.Fatalf("relay %d moved %+v, want %+v", i+1, got[i][n:], r.moves[n:])
			}
		}
	}
}

// checkRing: a start would find the records of all edges, and what the model says.
func (p *play) checkRing() {
	left := filepath.Join(p.t.TempDir(), "state")
	if err := os.CopyFS(left, os.DirFS(p.dir)); err != nil {
		p.t.Fatal(err)
	}
	st, err := store.Open(left, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer st.Close()
	state, j, err := device.Load(st)
	if err != nil {
		p.t.Fatal(err)
	}
	defer j.Close()
	p.checkSaved(state)
	got := j.Edges(edges.Most)
	if len(p.records) != p.model.all {
		p.t.Fatalf("there are %d records, want %d", len(p.records), p.model.all)
	}
	if len(got) != min(len(p.records), edges.Most) {
		p.t.Fatalf("%d records are kept, want %d", len(got), len(p.records))
	}
	for i, want := range p.records[len(p.records)-len(got):] {
		g := got[i]
		if g.Seq != want.Seq || g.Relay != want.Relay || g.Name != want.Name || g.Pin != want.Pin || g.To != want.To ||
			fromOf(g) != fromOf(want) || g.Cause != want.Cause || !g.Time.Equal(want.Time.Truncate(time.Microsecond)) {
			p.t.Fatalf("kept is %+v, want %+v", g, want)
		}
	}
}

// checkSaved compares what a start would find with what the model says.
func (p *play) checkSaved(got device.State) {
	want := p.model.saved
	for i, pin := range p.world.pins {
		level := unknown
		if conducts, known := got.Relays[pin.name]; known {
			level = levelOf(conducts)
		}
		if level != want.relays[i] {
			p.t.Errorf("relay %d is saved as %v, want %v", i+1, level, want.relays[i])
		}
	}
	if got.Settings.PowerOnState() != want.powerOnState || got.Settings.SaveState() != want.saveState {
		p.t.Errorf("PowerOnState %d, SetOption0 %v are saved, want %d, %v", got.Settings.PowerOnState(),
			got.Settings.SaveState(), want.powerOnState, want.saveState)
	}
	if id := fmt.Sprint("boot-", want.boot); want.boot >= 0 && got.BootID != id {
		p.t.Errorf("saved under %q, want %q", got.BootID, id)
	}
}

// live plays the steps, two bytes each, and stops at the first that goes wrong.
func live(t *testing.T, keeps bool, steps []byte) {
	synctest.Test(t, func(t *testing.T) {
		p := begin(t, keeps)
		defer p.end()
		p.check()
		p.poke()
		for n := 0; n+1 < len(steps) && !t.Failed(); n += 2 {
			p.do(steps[n], steps[n+1])
			if t.Failed() {
				t.Logf("keeps %v, steps %v", keeps, steps[:n+2])
			}
		}
	})
}

// TestLives plays random lives, the same ones each time.
func TestLives(t *testing.T) {
	lives := 50
	if testing.Short() {
		lives = 20
	}
	for seed := range uint64(lives) {
		random := rand.New(rand.NewPCG(seed, 3))
		steps := make([]byte, 2*(1+random.IntN(50)))
		for i := range steps {
			steps[i] = byte(random.Uint32())
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { live(t, seed%3 > 0, steps) })
	}
}

// FuzzLives looks for lives that end badly.
func FuzzLives(f *testing.F) {
	f.Add(true, []byte{0, 4, 7, 7, 11, 0})                           // on, killed while another one goes on, power cut
	f.Add(false, []byte{0, 14, 0, 1, 12, 0, 10, 0, 9, 0})            // PowerOnState 2 over a reboot and a stop
	f.Add(true, []byte{0, 7, 13, 4, 0, 7, 13, 10, 14, 0, 8, 0})      // on, unplugged, on, plugged in again
	f.Add(true, []byte{13, 4, 0, 7, 13, 10, 14, 0, 8, 0})            // the same, off before
	f.Add(true, []byte{15, 1, 0, 4, 8, 0, 15, 2, 0, 7, 8, 0, 15, 0}) // what the disk did not take is lost
	f.Fuzz(func(t *testing.T, keeps bool, steps []byte) {
		live(t, keeps, steps[:min(len(steps), 120)])
	})
}
