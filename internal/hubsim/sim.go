// Package hubsim is a local stand-in of Azure IoT Hub and of its Device
// Provisioning Service, for people without an Azure account and for tests.
//
// It owns the cloud's side of the wire and nothing of the device's: who may
// connect, which topics there are, what is queued, locked, completed and
// expired. An IoT hub is not a message broker: no device hears another, and
// nothing is retained. Where the service is stricter than MQTT, so is the
// stand-in; where nobody knows what the service does, docs/hubsim.md names
// the choice that was made. Rules called H01, D02, T03 and so on are those of
// the azure-iot contract, section 13.
//
// Everything that lasts (locks, time to live, keep-alive, grace of a token)
// runs on package time, so that a Sim lives in a testing/synctest bubble. The
// one clock that may be set wrong is Options.Now: it judges tokens and dates
// certificates and events.
package hubsim

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are the properties of the stand-in. The zero value is a hub called
// localhost that behaves as the documentation of Azure says.
type Options struct {
	Hosts []string // names of the hubs, default "localhost"; each has its own devices

	// Gateway makes the stand-in an IoT Edge gateway of this name, behind which
	// the hubs are (G01): the certificate is for it alone, and username and token
	// still name a hub. Default: devices come to the hubs themselves.
	Gateway string

	Now func() time.Time // the cloud's clock, default time.Now

	Lock                time.Duration // how long a delivered C2D message waits for its PUBACK, default 60 s
	TTL                 time.Duration // life of a C2D message whose sender sets none, default 1 h
	TokenGrace          time.Duration // how long a connection outlives its token, default 0
	MaxSubscriptions    int           // per connection, default 5
	DeliverUnsubscribed bool          // deliver also what was sent before a device's first SUBSCRIBE (H20b)
	Keep                int           // how many events, logins and packets are remembered, default 10,000 each

	// TLSTickets lets devices resume TLS sessions. Whether the service does is
	// not known. Who resumes is shown no certificate, nor a wrong one.
	TLSTickets bool

	ScopeID       string        // id scope of the provisioning service, default "0ne00000001"
	DPSPolls      int           // how many polls are answered "assigning" before the result, default 1; below 0 none
	DPSRetryAfter time.Duration // the Retry-After of those answers, default 3 s; below 0 says 0

	// Allocate is the custom allocation (D12): it is asked when a device
	// registers. What it leaves empty stays as it is; an error ends the
	// registration as failed with 400207. Default: none.
	Allocate func(Allocation) (Reassignment, error)

	Quota    Quota    // default: messages are counted, and none refused
	Throttle Throttle // default: none

	Log *slog.Logger // default: nothing is logged
}

func (o Options) withDefaults() Options {
	o.Quota = o.Quota.withDefaults()
	setDefault(&o.Lock, 60*time.Second)
	setDefault(&o.TTL, time.Hour)
	setDefault(&o.MaxSubscriptions, 5)
	setDefault(&o.Keep, 10_000)
	setDefault(&o.ScopeID, "0ne00000001")
	setDefault(&o.DPSPolls, 1)
	setDefault(&o.DPSRetryAfter, 3*time.Second)
	if len(o.Hosts) == 0 {
		o.Hosts = []string{"localhost"}
	}
	o.Hosts = slices.Clone(o.Hosts)
	for i, h := range o.Hosts {
		o.Hosts[i] = strings.ToLower(h)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// A Sim is one cloud: its hubs, its devices and its provisioning service. All
// methods are safe for concurrent use.
type Sim struct {
	opts   Options
	log    *slog.Logger
	faults faultTable
	events *eventLog
	trace  *ring[Packet]
	store  *store // nil: nothing is kept

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced when something happened that a caller may wait for
	closed   bool
	ended    chan struct{} // closed by Close
	devices  map[string]*device
	logins   *ring[Login]
	feedback *ring[Feedback]
	links    map[*link]struct{}
	conns    uint64

	lastCall uint64 // number of the last direct method, over all devices

	quota    Quota
	tallies  map[string]*tally // of the day, by hub
	throttle Throttle
	shaped   map[string]time.Time // the next turn of each hub

	snapshots uint64 // how many were made for the store

	certificates map[string]*x509.Certificate // CAs of devices

	enrollments   map[string]*enrollment // by fold(id), as the next two
	registrations map[string]*Registration
	reassigned    map[string]Reassignment
	operations    *operations

	running sync.WaitGroup // what serves connections
}

// New returns a stand-in without devices. It starts nothing.
func New(o Options) *Sim {
	o = o.withDefaults()
	return &Sim{
		opts:     o,
		log:      o.Log,
		events:   &eventLog{ring: newRing[Record](o.Keep)},
		trace:    newRing[Packet](o.Keep),
		changed:  make(chan struct{}),
		ended:    make(chan struct{}),
		devices:  map[string]*device{},
		logins:   newRing[Login](o.Keep),
		feedback: newRing[Feedback](o.Keep),
		links:    map[*link]struct{}{},

		quota:    o.Quota,
		tallies:  map[string]*tally{},
		throttle: o.Throttle,
		shaped:   map[string]time.Time{},

		certificates: map[string]*x509.Certificate{},

		enrollments:   map[string]*enrollment{},
		registrations: map[string]*Registration{},
		reassigned:    map[string]Reassignment{},
		operations:    &operations{byID: map[string]*operation{}},
	}
}

// Close ends every connection and waits until nothing of the Sim runs.
// Connections that come later are closed at once.
func (s *Sim) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.ended)
	}
	for _, d := range s.devices {
		if d.session != nil {
			s.end(d.session, errClosing)
		}
	}
	conns := make([]net.Conn, 0, len(s.links))
	for l := range s.links {
		conns = append(conns, l.conn)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	s.running.Wait()
	s.events.close()
}

// admit registers a connection, unless the Sim is closed.
func (s *Sim) admit(conn net.Conn) (*link, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	s.conns++
	l := &link{conn: conn, id: s.conns, trace: s.trace}
	s.links[l] = struct{}{}
	s.running.Add(1)
	return l, true
}

func (s *Sim) release(l *link) {
	l.conn.Close()
	s.mu.Lock()
	delete(s.links, l)
	s.mu.Unlock()
	s.running.Done()
}

// notify wakes whoever waits for a change. The caller holds s.mu.
func (s *Sim) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Wait returns when cond holds. It asks cond at once and again after every
// event, login, delivery, completion and end of a session; cond may call the
// Sim's methods. The error is the cause of ctx, or that the Sim was closed.
func (s *Sim) Wait(ctx context.Context, cond func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ended:
			return errClosing
		}
	}
}

// hasHost reports whether one of the hubs is called host.
func (s *Sim) hasHost(host string) bool {
	return slices.Contains(s.opts.Hosts, host)
}
