// Package journal keeps what the daemon did and must not forget: what a command
// decided about a relay before the pin moved, which messages took effect and how
// they were answered, which answers the hub has not got yet, and why each edge
// came about.
//
// It is one log in the state directory, written by the loop that owns the relays.
// A command that moves something is two records: Decide before the pin moves, and
// Done with everything it led to. Between any two steps the daemon may be killed:
// a decision without its Done says what was under way, and the next run finishes
// it, or recognises the message when the hub delivers it again.
//
// What a process wrote is there after its end. A loss of power can take what was
// not yet synced (store.Sync): the last second.
package journal

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/edges"
	"tasmota-azd/internal/store"
)

// File is the name under which the store keeps the journal.
const File = "journal"

// compactAt is the size from which on a journal is worth rewriting, in bytes.
const compactAt = 1 << 20

// A Decision is what a command is about to make of one relay.
type Decision struct {
	Cause cause.Cause `json:"cause"`
	Pin   string      `json:"pin"` // its proper name
	On    bool        `json:"on"`
}

// An Answer is a message for the hub that a command led to.
type Answer struct {
	Number        uint64    `json:"n"` // rises with each answer of this state directory; Done sets it
	Topic         string    `json:"topic"`
	Body          string    `json:"body"`
	CorrelationID string    `json:"cid,omitempty"`
	Component     string    `json:"sub,omitempty"`
	At            time.Time `json:"at"`
}

// A Command is one that ran. Open says that more of it is still in the backlog.
type Command struct {
	Cause cause.Cause `json:"cause"`
	Open  bool        `json:"open,omitempty"`

	// What is known of where it came from.
	Line       string            `json:"line,omitempty"`       // such as "POWER1 toggle"
	Made       time.Time         `json:"made,omitzero"`        // as the sender says
	Arrived    time.Time         `json:"arrived,omitzero"`     // in proven time
	Properties map[string]string `json:"properties,omitempty"` // of the message
}

// An Outcome is what came of the commands that ran in one moment.
type Outcome struct {
	At       time.Time       `json:"at"`              // proven time
	Start    bool            `json:"start,omitempty"` // the first one of a run of the daemon
	Commands []Command       `json:"commands,omitempty"`
	Edges    []edges.Edge    `json:"edges,omitempty"`
	Answers  []Answer        `json:"answers,omitempty"` // each correlates with the message of its command
	State    json.RawMessage `json:"state,omitempty"`   // the whole of what a restart needs, if it is another than before
}

// A record is one line of the log: one of its members is set. A release that means
// something else by one gives it another name: what is of an unknown kind is kept.
type record struct {
	Epoch  string    `json:"epoch,omitempty"` // tells the answers of this journal from those of another
	Decide *Decision `json:"decide,omitempty"`
	Done   *Outcome  `json:"done,omitempty"`
	Past   *Outcome  `json:"past,omitempty"` // a Done, as compacting keeps it: the state knows it
	Sent   uint64    `json:"sent,omitempty"` // the hub has all answers up to this one
}

// A Journal is open for one daemon. Its methods are for one goroutine at a time.
type Journal struct {
	log    *store.Log
	line   []byte         // used again for each record
	unread []store.Record // what load has not read yet
	small  int64          // size after it was compacted
	lacks  bool           // a Done could not be written

	others [][]byte // records of a kind that a later release knows, oldest first
	heavy  int      // their bytes

	epoch   string
	edges   *edges.Ring
	fresh   []edges.Edge // taken down and not yet in the ring, which may not be read yet
	unsaved []edges.Edge // in the ring and not yet written
	ids     ids
	chains  []Chain               // of the last commands, oldest first
	highest uint64                // number of a command among them
	current []Decision            // whose command is not done
	decided map[string][]Decision // those of runs that were killed, by key of the cause
	owed    []Answer
	answer  uint64 // number of the last answer
	sent    uint64 // the hub has all up to this one
}

// Open opens the journal in s. Records get numbers behind after, which is that of
// the newest record of which the saved state knows.
//
// It reads only what is needed to know how the relays were left: see Since. The
// rest is read when it is first asked for, so that relays need not wait for it.
func Open(s *store.Store, after uint64) (*Journal, error) {
	log, records, err := s.OpenLog(File, after)
	if err != nil {
		return nil, err
	}
	return &Journal{
		log: log, unread: records, edges: edges.New(),
		ids: newIDs(), decided: make(map[string][]Decision),
	}, nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.log.Close() }

// Last returns the number of the newest record.
func (j *Journal) Last() uint64 { return j.log.Last() }

// Decide notes what a command is about to make of a relay. Then the pin may move.
func (j *Journal) Decide(d Decision) error {
	j.load()
	j.current = append(j.current, d)
	return j.append(record{Decide: &d})
}

// Decided returns what a run of the daemon that was killed has decided about this
// pin for the same command, first things first, and forgets it. last says that it
// decided no more about it.
func (j *Journal) Decided(why cause.Cause, pin string) (on, last, ok bool) {
	j.load()
	if len(j.decided) == 0 {
		return false, false, false
	}
	list := j.decided[key(why)]
	first := slices.IndexFunc(list, func(d Decision) bool { return d.Pin == pin })
	if first < 0 {
		return false, false, false
	}
	on = list[first].On
	list = slices.Delete(list, first, first+1)
	j.decided[key(why)] = list
	return on, !slices.ContainsFunc(list, func(d Decision) bool { return d.Pin == pin }), true
}

// Unfinished returns the decisions of the commands during which the last run of the
// daemon was killed. It is to be called before anything is written.
func (j *Journal) Unfinished() []Decision {
	j.load()
	return slices.Clone(j.current)
}

// Edge takes an edge down. It is written by the next Done.
func (j *Journal) Edge(e edges.Edge) { j.fresh = append(j.fresh, e) }

// Edges returns the last n edges, oldest first, those included that are not yet
// written.
func (j *Journal) Edges(n int) []edges.Edge {
	j.load()
	j.number()
	return j.edges.Last(n)
}

// number puts the edges that were taken down into the ring.
func (j *Journal) number() {
	for _, e := range j.fresh {
		j.unsaved = append(j.unsaved, j.edges.Add(e))
	}
	j.fresh = j.fresh[:0]
	j.unsaved = j.unsaved[max(len(j.unsaved)-edges.Most, 0):]
}

// Done notes what came of a command, together with the edges since the last Done.
// It returns the answers with their numbers. If it cannot be written all the same
// holds for as long as the daemon runs, the next Done writes the edges, and Compact the
// rest.
func (j *Journal) Done(o Outcome) ([]Answer, error) {
	j.load()
	for i := range o.Answers {
		j.answer++
		o.Answers[i].Number = j.answer
	}
	j.number()
	o.Edges = j.unsaved
	err := j.append(record{Done: &o})
	if err == nil {
		j.unsaved = j.unsaved[:0]
	} else {
		j.lacks = true
	}
	j.owed = append(j.owed, o.Answers...)
	j.finish(o)
	return o.Answers, err
}

// finish takes up what an outcome says about commands.
func (j *Journal) finish(o Outcome) {
	if o.Start {
		for _, d := range j.current {
			j.decided[key(d.Cause)] = append(j.decided[key(d.Cause)], d)
		}
		j.current = nil
	}
	for _, c := range o.Commands {
		j.link(c, o)
		j.current = slices.DeleteFunc(j.current, func(d Decision) bool { return same(d.Cause, c.Cause) })
		if !c.Open && len(j.decided) > 0 {
			delete(j.decided, key(c.Cause))
		}
		if c.Cause.Door == cause.C2D && c.Cause.ID != "" {
			j.ids.add(c, o)
		}
	}
}

// Unsaved returns the edges that the next Done writes. They are good until the next call.
func (j *Journal) Unsaved() []edges.Edge {
	if len(j.fresh) > 0 {
		j.load()
		j.number()
	}
	return j.unsaved
}

// A Past is a message that took effect.
type Past struct {
	Cause   cause.Cause
	Answers []Answer // unless they were too many to be kept
}

// Known returns what became of the message of that id, if it took effect, or began
// to, within the last two days.
func (j *Journal) Known(id string, now time.Time) (Past, bool) {
	j.load()
	return j.ids.get(id, now)
}

// Owed returns the answers that the hub has not got, oldest first.
func (j *Journal) Owed() []Answer {
	j.load()
	return j.owed
}

// Owes tells whether the hub has not got the answer of that number.
func (j *Journal) Owes(number uint64) bool { return number > j.sent }

// Sent notes that the hub has, or will never get, all answers up to this one.
func (j *Journal) Sent(upTo uint64) error {
	j.load()
	if upTo <= j.sent {
		return nil
	}
	j.forget(upTo)
	return j.append(record{Sent: upTo})
}

func (j *Journal) forget(upTo uint64) {
	j.sent = max(j.sent, upTo)
	n := 0
	for n < len(j.owed) && j.owed[n].Number <= upTo {
		n++
	}
	if n < len(j.owed) {
		j.owed = j.owed[n:]
		return
	}
	clear(j.owed)
	j.owed = j.owed[:0] // the room is used again
}

// ID returns a message id for an answer: the same one whenever it is sent, and no
// other's.
func (j *Journal) ID(number uint64) string {
	j.load()
	if j.epoch == "" {
		var b [6]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		j.epoch = hex.EncodeToString(b[:])
		_ = j.append(record{Epoch: j.epoch}) // if the disk takes nothing, ids differ after a restart
	}
	return j.epoch + "-" + strconv.FormatUint(number, 10)
}

func (j *Journal) append(r record) error {
	j.line = r.append(j.line[:0])
	if err := j.log.Append(j.line); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// key tells commands apart, also over runs of the daemon: by the id of the message,
// or else by the number of the command.
func key(c cause.Cause) string {
	if c.ID != "" {
		return string(c.Door) + " " + c.ID
	}
	return string(c.Door) + " #" + strconv.FormatUint(c.Seq, 10)
}

// same tells whether two causes have the same key.
func same(a, b cause.Cause) bool {
	return a.Door == b.Door && a.ID == b.ID && (a.ID != "" || a.Seq == b.Seq)
}
