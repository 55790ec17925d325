package hubsim

import (
	"context"
	"maps"
	"sync"
	"time"
)

// A Record is a device-to-cloud message as the cloud's side reads it. It is
// not to be changed.
type Record struct {
	Seq        uint64            // 1, 2, 3 … over all devices
	Device     string            // who sent it
	Hub        string            // to which hub
	Enqueued   time.Time         // by the cloud's clock
	Properties map[string]string // application properties
	System     map[string]string // "content-type", "iothub-connection-device-id" …
	Body       []byte
}

// eventLog holds the records, and writes them to a file if it has one.
type eventLog struct {
	*ring[Record]
	file *eventFile // nil: in memory only
	mu   sync.Mutex // keeps the file in the order of the numbers
}

// Records returns the D2C messages seen so far, wills included, oldest first.
func (s *Sim) Records() []Record {
	all, _ := s.events.since(0)
	return all
}

// RecordsSince returns the D2C messages after number seq, and the number of
// the last one.
func (s *Sim) RecordsSince(seq uint64) ([]Record, uint64) { return s.events.since(seq) }

// WaitRecord returns the first D2C message, past or to come, that is wanted.
func (s *Sim) WaitRecord(ctx context.Context, wanted func(Record) bool) (Record, error) {
	var found Record
	var seen uint64
	err := s.Wait(ctx, func() bool {
		var fresh []Record
		fresh, seen = s.events.since(seen)
		for _, r := range fresh {
			if wanted(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found, err
}

// stamp adds what only the hub knows (H32).
func (ss *session) stamp(r *Record) {
	now := ss.sim.opts.Now()
	r.Device, r.Hub, r.Enqueued = ss.dev.id, ss.hub, now
	if r.System == nil {
		r.System = map[string]string{}
	}
	maps.Copy(r.System, map[string]string{
		"iothub-connection-device-id":          ss.dev.id,
		"iothub-connection-auth-method":        ss.auth,
		"iothub-connection-auth-generation-id": ss.dev.generation,
		"iothub-enqueuedtime":                  now.UTC().Format(timeFormat),
	})
	if ss.modelID != "" {
		r.System["dt-dataschema"] = ss.modelID
	}
}

// timeFormat is how the service writes a time: UTC to the millisecond.
const timeFormat = "2006-01-02T15:04:05.000Z"

// add numbers and keeps a record.
func (e *eventLog) add(r Record) (Record, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r = e.ring.add(func(n uint64) Record { r.Seq = n; return r })
	if e.file == nil {
		return r, nil
	}
	if e.file.lines >= 2*e.max {
		kept, _ := e.since(0)
		return r, e.file.rewrite(kept)
	}
	return r, e.file.append(r)
}

func (e *eventLog) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file != nil {
		e.file.f.Close()
	}
}
