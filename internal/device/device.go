// Package device is the joint between the hub and the command language: hub
// events come in, commands are run, answers and telemetry go out, and what must
// outlive the daemon is saved.
//
// It owns the loop that owns the device's state. Nothing else touches the
// interpreter or the relays while the loop runs, so neither needs a lock.
package device

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/journal"
	"tasmota-azd/internal/lasting"
	"tasmota-azd/internal/store"
)

const (
	// syncAfter is how long what was written may wait to be flushed to the disk. A
	// killed daemon loses nothing in that time, only a power cut can.
	syncAfter = time.Second
	// saveEvery is how many records of the journal a start may have to read beside the
	// saved state. Saving it more often wears the disk out: a new file takes three times
	// as many writes as a record.
	saveEvery = 256
	// saveAgain is when a save that failed is tried again, if no command comes before.
	saveAgain = time.Minute
	// ackAfter is how long a message waits for the last command of its backlog. It
	// stays below the hub's lock of 60 s (contract 4.2), after which the hub would
	// deliver the message again.
	ackAfter = 30 * time.Second
	// finishWithin bounds what a stop may still do: commands left in a backlog.
	finishWithin = 3 * time.Second
	// settleAfter is how long what the hub has confirmed may wait to be noted: a
	// burst is noted once.
	settleAfter = 2 * time.Millisecond
)

// A Hub takes what the device has to say. hub.Client is one.
type Hub interface {
	Send(hub.Telemetry)
	Ack(hub.Message)
	Answer(m hub.Method, status int, body []byte)
	Progress() (oldest uint64, dropped int)
	Progressed() <-chan struct{}
	Report(patch []byte)
}

// An Upkeep is work of the relays that falls due by itself, such as getting back a
// line that was lost.
type Upkeep interface {
	Next() time.Time // when Tick is next needed, or zero
	Tick(now time.Time)
}

// noUpkeep is for relays that need none.
type noUpkeep struct{}

func (noUpkeep) Next() time.Time { return time.Time{} }
func (noUpkeep) Tick(time.Time)  {}

// Options say what a Device works with. Upkeep, HeldBack, Wall, Alive, Status and Log
// may be nil.
type Options struct {
	Hub       Hub
	Commands  *commands.Interpreter // over these Relays
	Relays    *Relays
	Upkeep    Upkeep
	HeldBack  error    // matches an error of Relays that says: not broken, but not now
	Pins      []string // the proper name of each relay's pin
	Names     []string // what the owner calls each relay
	Store     *store.Store
	State     State                     // as Load returned it
	Journal   *journal.Journal          // as well
	BootID    string                    // of the running kernel, empty if it has none
	FullTopic string                    // such as "%topic%/"
	Wall      func(time.Time) time.Time // proven time at that moment
	Guarded   bool                      // commands are refused if they are too old
	Limit     int                       // messages of a day of UTC, 0 for no limit
	Meter     int                       // bytes that count as one message
	Beat      time.Duration             // how often Alive must be called, 0 for never
	Alive     func()                    // called from the loop: it runs
	Status    func(string)              // one line about the connection, for systemctl status
	Log       *slog.Logger
}

// A Device runs the loop. Use New.
type Device struct {
	o       Options
	seq     uint64 // number of the last command
	topic   topics
	unacked []waiting
	asked   []*asked // methods and local commands, in the order in which they came
	session standing
	watch   watchers
	counts  Counts
	over    chan struct{} // closed when the loop has ended

	requests chan func(now time.Time) // from other goroutines of the daemon
	shadow   shadow
	runID    string // tells the methods of this run from those of others
	handed   uint64 // number of the last answer that the hub was given
	queue    cloudQueue
	meter    meter
	ending   bool          // the loop is about to end
	dropped  int           // messages that the hub's queue had no room for
	lost     int           // of them, those that nobody was told of
	pause    time.Time     // when there is something to settle, or zero
	noted    State         // what a restart would find
	saved    State         // what the file says
	unsaved  lasting.Fault // the disk takes nothing
	syncAt   time.Time     // when the store is due to be flushed, or zero
	turns    bool          // the loop has turned once
	beatAt   time.Time     // when Alive is due, or zero
}

// A waiting message has been run but not yet acknowledged.
type waiting struct {
	message hub.Message
	command commands.Command
	until   time.Time
}

// New returns a Device that has not started.
func New(o Options) *Device {
	if o.Upkeep == nil {
		o.Upkeep = noUpkeep{}
	}
	if o.Alive == nil {
		o.Alive = func() {}
	}
	if o.Status == nil {
		o.Status = func(string) {}
	}
	if o.Wall == nil {
		o.Wall = func(t time.Time) time.Time { return t }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Device{over: make(chan struct{}), requests: make(chan func(time.Time)), counts: newCounts(), o: o, seq: o.Journal.Last(), noted: o.State, topic: newTopics(o.FullTopic, ""), runID: rand.Text()[:8]}
	d.queue.empty, d.queue.said = o.State.Empty, o.State.Empty
	d.meter = newMeter(o.Limit, o.Meter, o.State.Spent)
	d.remember()
	return d
}

// Run serves events until ctx is done. Then it finishes what is in the backlog,
// for 3 s at the most, saves and returns.
func (d *Device) Run(ctx context.Context, events <-chan hub.Event) error {
	defer close(d.over)
	d.begin(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		d.alive(time.Now())
		if at := d.next(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return d.finish()
		case ev := <-events:
			d.handle(time.Now(), ev)
		case f := <-d.requests:
			f(time.Now())
		case <-d.o.Hub.Progressed():
			d.soon(time.Now())
		case <-timer.C:
			d.tick(time.Now())
		}
	}
}

// next is when the loop has something to do by itself, or zero.
func (d *Device) next() time.Time {
	at := earliest(earliest(d.o.Commands.Next(), d.o.Upkeep.Next()), earliest(d.syncAt, d.pause))
	if len(d.unacked) > 0 {
		at = earliest(at, d.unacked[0].until)
	}
	if len(d.asked) > 0 {
		at = earliest(at, d.asked[0].until)
	}
	return earliest(earliest(at, earliest(d.shadow.lookAt, d.meter.until)), d.beatAt)
}

// tick does what is due at now.
func (d *Device) tick(now time.Time) {
	if due(d.o.Commands.Next(), now) {
		replies, err := d.o.Commands.Tick(now)
		d.publish(now, nil, replies)
		d.acknowledge(now)
		d.tell(replies, err)
		d.answer(now)
		if err != nil {
			d.o.Log.Log(context.Background(), d.level(err), "queued command failed", "err", err)
			d.fail(now, err, cause.Cause{})
		}
	}
	if due(d.o.Upkeep.Next(), now) {
		d.o.Upkeep.Tick(now)
		d.soon(now) // a relay may have got another state
	}
	if due(d.pause, now) || len(d.unacked) > 0 && due(d.unacked[0].until, now) ||
		len(d.asked) > 0 && due(d.asked[0].until, now) {
		d.settle(now)
	}
	if due(d.meter.until, now) {
		d.newDay(now)
	}
	if due(d.shadow.lookAt, now) {
		d.report(now)
	}
	if due(d.syncAt, now) {
		d.save(now)
	}
}

// soon notes what has happened when the burst is over.
func (d *Device) soon(now time.Time) { d.pause = earliest(d.pause, now.Add(settleAfter)) }

// alive tells that the loop turns: once, and then as often as the watchdog asks.
func (d *Device) alive(now time.Time) {
	switch {
	case !d.turns:
		d.turns = true
	case !due(d.beatAt, now):
		return
	}
	d.o.Alive()
	if d.o.Beat > 0 {
		d.beatAt = now.Add(d.o.Beat)
	}
}

// finish works off the backlog and saves. What is not finished goes on after the
// next start.
func (d *Device) finish() error {
	end := time.Now().Add(finishWithin)
	d.ending = true
	for d.owes() {
		at := d.o.Commands.Next()
		if at.IsZero() || at.After(end) {
			d.o.Log.Info("stopped with commands left in the backlog; they go on after the next start", "messages", len(d.unacked))
			break
		}
		<-wake(at)
		d.tick(time.Now())
		d.settle(time.Now())
	}
	d.answerAll()
	d.settle(time.Now())
	return nil
}

// wake is a channel that is ready at at, and never if at is zero.
func wake(at time.Time) <-chan time.Time {
	if at.IsZero() {
		return nil
	}
	return time.After(time.Until(at))
}

// due reports whether a deadline, of which zero means none, has come.
func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// earliest is the earlier of two times, of which zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
