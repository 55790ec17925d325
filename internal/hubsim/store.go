package hubsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// What a directory keeps of a Sim, beside its CA.
const (
	stateFile  = "state.json"   // devices, subscriptions, queues, enrollments, registrations
	eventsFile = "events.jsonl" // D2C messages, one a line
)

// Open returns a stand-in that keeps its devices, subscriptions, queues,
// enrollments and events in a directory, and begins with what it finds there.
// Operations of the provisioning service, faults and the logs of logins and
// packets end with the process.
func Open(dir string, o Options) (*Sim, error) {
	s := New(o)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, stateFile)
	if err := s.load(path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.store = &store{path: path} // not before: half a state must never be written
	var err error
	s.events.file, err = openEvents(filepath.Join(dir, eventsFile), s.events.ring)
	if err != nil {
		return nil, err
	}
	s.watchAll()
	return s, s.persist()
}

// store is the state file. Of changes that come while it is written, only the
// last is written next.
type store struct {
	path string

	mu      sync.Mutex
	written uint64 // number of the snapshot that is in the file
	data    []byte // what is in the file
}

// persist returns when the present state, or a later one, is in the file.
func (s *Sim) persist() error {
	if s.store == nil {
		return nil
	}
	s.mu.Lock()
	before := s.snapshots
	s.mu.Unlock()
	st := s.store
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.written > before { // by another goroutine, while this one waited
		return nil
	}
	s.mu.Lock()
	s.snapshots++
	number := s.snapshots
	data, err := json.Marshal(s.saved())
	s.mu.Unlock()
	if err == nil && !bytes.Equal(data, st.data) {
		err = writeFile(st.path, data, 0o600)
	}
	if err == nil {
		st.written, st.data = number, data
	}
	return err
}

// persistOrLog is for where nobody can be told.
func (s *Sim) persistOrLog() {
	if err := s.persist(); err != nil {
		s.log.Error("state not kept", "err", err)
	}
}

// The shapes in the state file.
type (
	savedState struct {
		Devices       []savedDevice           `json:"devices"`
		Enrollments   []savedEnrollment       `json:"enrollments"`
		Registrations []Registration          `json:"registrations"`
		Reassigned    map[string]Reassignment `json:"reassigned,omitempty"`
		Certificates  []Certificate           `json:"certificates,omitempty"`
	}
	savedDevice struct {
		ID           string         `json:"id"`
		Hub          string         `json:"hub"`
		Auth         AuthMethod     `json:"authMethod,omitempty"`
		Key          string         `json:"key,omitempty"`
		SecondaryKey string         `json:"secondaryKey,omitempty"`
		Thumbprints  []string       `json:"thumbprints,omitempty"`
		Disabled     bool           `json:"disabled,omitempty"`
		Generation   string         `json:"generation"`
		Sub          subscription   `json:"subscription"`
		LastSeq      uint64         `json:"lastSeq"`
		Queue        []savedMessage `json:"queue,omitempty"`
		Twin         savedTwin      `json:"twin"`
	}
	savedTwin struct {
		Desired  *savedHalf `json:"desired"`
		Reported *savedHalf `json:"reported"`
	}
	savedHalf struct {
		Version    uint64          `json:"version"`
		Properties json.RawMessage `json:"properties"`
	}
	savedMessage struct {
		Message    C2D       `json:"message"`
		Seq        uint64    `json:"seq"`
		Enqueued   time.Time `json:"enqueued"`
		Expires    time.Time `json:"expires"`
		Deliveries int       `json:"deliveryCount"`
	}
	savedEnrollment struct {
		EnrollmentState
		Key          string   `json:"key,omitempty"`
		SecondaryKey string   `json:"secondaryKey,omitempty"`
		Certificates []string `json:"certificates,omitempty"` // in PEM, primary and secondary
	}
)

// saved is the state as it is written. Identities whose key was not given as
// text cannot be kept and are left out. The caller holds s.mu.
func (s *Sim) saved() savedState {
	out := savedState{Reassigned: s.reassigned, Certificates: s.listCertificates()}
	for _, id := range slices.Sorted(maps.Keys(s.devices)) {
		if d := s.devices[id]; d.auth.kept() {
			out.Devices = append(out.Devices, d.saved())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.enrollments)) {
		if e := s.enrollments[id]; e.kept() {
			out.Enrollments = append(out.Enrollments, e.saved())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.registrations)) {
		out.Registrations = append(out.Registrations, *s.registrations[id])
	}
	return out
}

func (d *device) saved() savedDevice {
	out := savedDevice{
		d.id, d.hub, d.auth.method, d.auth.keys[0].text, d.auth.keys[1].text, d.auth.prints,
		d.disabled, d.generation, d.sub, d.lastSeq, nil,
		savedTwin{d.twin.desired.saved(), d.twin.reported.saved()},
	}
	if d.session != nil && d.session.clean {
		out.Sub.On = false // it ends with the session
	}
	for _, m := range d.queue {
		out.Queue = append(out.Queue, savedMessage{m.C2D, m.seq, m.enqueued, m.expires, m.deliveries})
	}
	return out
}

// load reads the state file, if there is one.
func (s *Sim) load(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var in savedState
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	for _, c := range in.Certificates {
		if err := s.AddCertificate(c.Name, []byte(c.PEM)); err != nil {
			return fmt.Errorf("certificate %s: %w", c.Name, err)
		}
	}
	for _, e := range in.Enrollments {
		if err := s.createEnrollment(e); err != nil {
			return fmt.Errorf("enrollment %s: %w", e.ID, err)
		}
	}
	for _, d := range in.Devices {
		if err := s.loadDevice(d); err != nil {
			return fmt.Errorf("device %s: %w", d.ID, err)
		}
	}
	for _, r := range in.Registrations {
		s.registrations[fold(r.ID)] = &r
	}
	maps.Copy(s.reassigned, in.Reassigned)
	return nil
}

func (s *Sim) loadDevice(in savedDevice) error {
	if err := s.createDevice(in); err != nil {
		return err
	}
	d := s.devices[in.ID]
	d.disabled, d.generation, d.sub, d.lastSeq = in.Disabled, in.Generation, in.Sub, in.LastSeq
	if err := errors.Join(d.twin.desired.load(in.Twin.Desired), d.twin.reported.load(in.Twin.Reported)); err != nil {
		return err
	}
	for _, m := range in.Queue {
		d.queue = append(d.queue, &message{C2D: m.Message, seq: m.Seq, enqueued: m.Enqueued, expires: m.Expires, deliveries: m.Deliveries})
	}
	return nil
}

// eventFile is where events are appended. It is written anew when it has grown
// to twice of what is remembered.
type eventFile struct {
	path  string
	lines int
	f     *os.File
}

// openEvents reads the events that were kept into ring.
func openEvents(path string, ring *ring[Record]) (*eventFile, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		var r Record
		if json.Unmarshal(line, &r) != nil {
			continue // the last line, if the process was killed while it wrote
		}
		ring.resume(r.Seq, r)
	}
	e := &eventFile{path: path}
	kept, _ := ring.since(0)
	return e, e.rewrite(kept)
}

func (e *eventFile) rewrite(kept []Record) error {
	var all bytes.Buffer
	for _, r := range kept {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		all.Write(append(line, '\n'))
	}
	if err := writeFile(e.path, all.Bytes(), 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(e.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if e.f != nil {
		e.f.Close() // it was renamed away
	}
	e.f, e.lines = f, len(kept)
	return nil
}

func (e *eventFile) append(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	e.lines++
	return write(e.f, append(line, '\n'))
}

func (h half) saved() *savedHalf {
	return &savedHalf{h.version, encodeObject(h.doc, 0)}
}

// load takes what was saved, if the file is not from before there were twins.
func (h *half) load(in *savedHalf) error {
	if in == nil {
		return nil
	}
	doc, err := parseObject(in.Properties)
	if err != nil {
		return fmt.Errorf("twin: %w", err)
	}
	*h = half{doc, in.Version}
	return nil
}
