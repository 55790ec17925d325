// Package year_test lets the daemon's parts live a year in a bubble of invented time:
// a token each hour, links that are lost, days without quota, a hub with a new
// certificate, a clock that is smeared over a leap second, summer time. No command
// may be lost or take effect twice, and no login be refused by the device's own fault.
//
// `make year` plays the whole year; `go test ./test/year` the first weeks.
package year_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // for summer time, on machines that have no zones

	"tasmota-azd/internal/cause"
	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/store"
	"tasmota-azd/internal/token"
)

var days = flag.Int("days", 25, "how many days to play; from 300 on all that is to happen does")

const (
	hubName  = "contoso.azure-devices.net"
	deviceID = "pump"
	secret   = "jNz5mAED7S6cwBfdwDO7vWozxrhf3BqeqABjaumHObY="
)

// relays are two that remember by whom each was moved.
type relays struct {
	mu sync.Mutex
	on [2]bool
	by map[string]int // moves by the id of the message
}

func (r *relays) Len() int        { return len(r.on) }
func (r *relays) Fault(int) error { return nil }

func (r *relays) On(i int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.on[i]
}

func (r *relays) Set(i int, on bool, why cause.Cause) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on[i] != on {
		r.on[i] = on
		r.by[why.ID]++
	}
	return nil
}

// moved takes how often a message moved relays.
func (r *relays) moved(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.by[id]
	delete(r.by, id)
	return n
}

// A life is the daemon and its cloud.
type life struct {
	t      *testing.T
	chance *rand.Rand
	relays relays
	sim    *hubsim.Sim
	roots  *x509.CertPool
	server atomic.Pointer[tls.Config]
	down   atomic.Bool // nobody listens
	smear  atomic.Int64

	sent    map[string]bool   // ids of messages that the hub took, not yet answered
	answers map[string]string // message id of the answer, by the id of the command
	closed  []string          // ids that are answered, for a while
	seen    uint64            // number of the last record that was looked at
	logins  int               // those that were looked at
	quota   bool              // the day's messages are used up, or were a moment ago
	tally   tally
}

// A tally is what is printed in the end.
type tally struct {
	Days, Commands, Answers, Repeated, Outages, Logins, Refused, Reports int
}

func (l *life) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// now is the device's clock: its time servers smear a leap second.
func (l *life) now() time.Time { return time.Now().Add(time.Duration(l.smear.Load())) }

// newCertificate makes the hub show a certificate of a new authority.
func (l *life) newCertificate() {
	ca, err := hubsim.NewCA(time.Now())
	l.must(err)
	config, err := l.sim.TLSConfig(ca)
	l.must(err)
	l.roots.AppendCertsFromPEM(ca.PEM())
	l.server.Store(config)
}

// dial is a link through a pipe, with TLS.
func (l *life) dial(ctx context.Context, host string, _ int) (net.Conn, error) {
	if l.down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	here, there := net.Pipe()
	go l.sim.ServeConn(tls.Server(there, l.server.Load()))
	c := tls.Client(here, &tls.Config{ServerName: host, RootCAs: l.roots, Time: l.now, MinVersion: tls.VersionTLS12})
	return c, c.HandshakeContext(ctx)
}

// start puts the parts together as cmd/tasmota-azd does, and returns what ends them.
func (l *life) start(dir string) (stop func()) {
	log := slog.New(slog.NewTextHandler(l.t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	st, err := store.Open(dir, log)
	l.must(err)
	state, j, err := device.Load(st)
	l.must(err)
	key, err := token.ParseKey(secret)
	l.must(err)
	client := hub.New(hub.Options{
		Identify: func(context.Context, hub.Trouble) (hub.Identity, error) {
			return hub.Identity{Host: hubName, DeviceID: deviceID, Key: key}, nil
		},
		Now: l.now, Dial: l.dial, Log: log,
		Will: func(id string) hub.Telemetry { return device.Will("%topic%/", id) },
	})
	noted := device.Noted(&l.relays, j, []string{"GPIO17", "GPIO27"})
	wall := func(t time.Time) time.Time { return t.Add(time.Duration(l.smear.Load())).Local() }
	dev := device.New(device.Options{
		Hub: client, Relays: noted, Pins: []string{"GPIO17", "GPIO27"}, Names: []string{"Pump", "Gate"},
		Commands: commands.New(commands.Options{
			Relays: noted, Settings: state.Settings, Backlog: state.Backlog, Period: time.Hour, Started: time.Now(), Wall: wall,
		}),
		Store: st, State: state, Journal: j, FullTopic: "%topic%/", Wall: wall, Log: log,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done, events := make(chan error, 2), make(chan hub.Event)
	online, offline := context.WithCancel(context.Background())
	go func() { done <- client.Run(online, events) }()
	go func() { done <- dev.Run(ctx, events); offline() }()
	return func() {
		cancel()
		l.must(errors.Join(<-done, <-done, j.Close(), st.Close()))
	}
}

// send lets somebody switch a relay.
func (l *life) send() {
	id := fmt.Sprint("m", l.tally.Commands+1)
	m := hubsim.C2D{MessageID: id, Body: []byte("toggle")}
	m.Properties = []hubsim.Property{{Name: "Topic", Value: fmt.Sprint("/power", 1+l.chance.IntN(2))}}
	if _, err := l.sim.Send(deviceID, m); err != nil {
		if !l.quota {
			l.t.Errorf("the hub took no command: %v", err)
		}
		return
	}
	l.tally.Commands++
	l.sent[id] = true
}

// look takes up what has arrived in the cloud, and the logins.
func (l *life) look() {
	records, last := l.sim.RecordsSince(l.seen)
	l.seen = last
	for _, r := range records {
		switch {
		case strings.HasSuffix(r.Properties["topic"], "/RESULT"):
			l.answer(r)
		case strings.HasSuffix(r.Properties["topic"], "/STATE"):
			l.tally.Reports++
			l.report(r)
		}
	}
	all := l.sim.Logins()
	for _, g := range all {
		if g.Seq <= uint64(l.logins) {
			continue
		}
		l.logins = int(g.Seq)
		l.tally.Logins++
		if g.Code != 0 {
			l.tally.Refused++
			if !l.quota {
				l.t.Errorf("a login was refused at %v: %+v", g.Time, g)
			}
		}
	}
}

// answer is one answer that arrived.
func (l *life) answer(r hubsim.Record) {
	id, mid := r.System["correlation-id"], r.System["message-id"]
	if first, again := l.answers[id]; again {
		l.tally.Repeated++
		if first != mid {
			l.t.Errorf("%s is answered twice, by %s and %s", id, first, mid)
		}
		return
	}
	if !l.sent[id] {
		l.t.Errorf("an answer to %q, which was not asked or was answered long ago", id)
	}
	if n := l.relays.moved(id); n != 1 {
		l.t.Errorf("%s moved relays %d times", id, n)
	}
	delete(l.sent, id)
	l.tally.Answers++
	l.answers[id] = mid
	l.closed = append(l.closed, id)
	if len(l.closed) > 2000 {
		delete(l.answers, l.closed[0])
		l.closed = l.closed[1:]
	}
}

// report is one STATE: its time must be that of the board's clock on the wall.
func (l *life) report(r hubsim.Record) {
	_, rest, _ := strings.Cut(string(r.Body), `"Time":"`)
	text, _, _ := strings.Cut(rest, `"`)
	at, err := time.ParseInLocation("2006-01-02T15:04:05", text, time.Local)
	if err != nil {
		l.t.Errorf("a STATE without a time: %s", r.Body)
	}
	off := r.Enqueued.Sub(at).Abs()
	if ambiguous := r.Enqueued.Add(time.Hour).Sub(at).Abs(); min(off, ambiguous) > 90*time.Second {
		l.t.Errorf("STATE says %s at %v", text, r.Enqueued.Local())
	}
}

// outage takes the hub away for a while.
func (l *life) outage() {
	l.tally.Outages++
	switch l.chance.IntN(3) {
	case 0:
		l.must(l.sim.Kick(deviceID))
	case 1:
		l.must(l.sim.Reset(deviceID))
	default:
		l.must(l.sim.Freeze(deviceID))
	}
	l.down.Store(true)
	time.Sleep(time.Minute + time.Duration(l.chance.IntN(180))*time.Minute)
	l.down.Store(false)
}

// spend uses up the day's messages but a few.
func (l *life) spend() {
	l.quota = true
	l.must(l.sim.Spend(hubName, 7990))
}

// day plays one.
func (l *life) day(n int) {
	l.tally.Days++
	switch n {
	case 20, 150: // somebody else spends what the hub lets through in a day, for two days
		l.must(l.sim.SetQuota(hubsim.Quota{Limit: 8000, Publish: hubsim.OverDrop, Connect: hubsim.OverRefuse}))
		if n == 150 {
			l.must(l.sim.SetQuota(hubsim.Quota{Limit: 8000, Publish: hubsim.OverClose, Connect: hubsim.OverSever}))
		}
		l.spend()
	case 21, 151:
		l.spend()
	case 22, 152:
		l.must(l.sim.SetQuota(hubsim.Quota{}))
	case 23, 153:
		l.quota = false
	case 10, 180:
		l.newCertificate()
	}
	end := time.Now().Add(24 * time.Hour)
	for time.Now().Before(end) {
		if n%182 == 15 { // a leap second: half a second slow at noon, right again a day later
			left := time.Until(end)
			l.smear.Store(-int64(min(left, 24*time.Hour-left) / (24 * time.Hour / time.Second)))
		}
		time.Sleep(time.Duration(l.chance.IntN(120)) * time.Minute)
		switch l.chance.IntN(20) {
		case 0:
			l.outage()
		default:
			l.send()
		}
	}
	l.look()
}

func TestYear(t *testing.T) {
	local := time.Local
	defer func() { time.Local = local }()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	time.Local = zone
	synctest.Test(t, func(t *testing.T) {
		l := &life{
			t: t, chance: rand.New(rand.NewPCG(4, 15)), roots: x509.NewCertPool(),
			sent: make(map[string]bool), answers: make(map[string]string),
		}
		l.relays.by = make(map[string]int)
		l.sim = hubsim.New(hubsim.Options{Hosts: []string{hubName}, TTL: 48 * time.Hour, Keep: 300})
		defer l.sim.Close()
		key, err := token.ParseKey(secret)
		l.must(err)
		l.must(l.sim.AddDevice(hubsim.Device{ID: deviceID, Key: key, Hub: hubName}))
		l.newCertificate()
		stop := l.start(t.TempDir())
		var early, late uint64
		for n := 1; n <= *days && !t.Failed(); n++ {
			l.day(n)
			switch n {
			case *days / 3:
				early = heap()
			case *days:
				time.Sleep(12 * time.Hour) // what is under way arrives
				l.look()
				late = heap()
			}
		}
		stop()
		synctest.Wait()
		if len(l.sent) > 0 {
			t.Errorf("%d commands were lost: %v", len(l.sent), l.sent)
		}
		if late > early+early/4+512<<10 {
			t.Errorf("the heap grew from %d to %d bytes", early, late)
		}
		t.Logf("%+v, heap %d KiB after a third, %d KiB in the end", l.tally, early>>10, late>>10)
		fmt.Printf("year: %+v; heap %d KiB after a third of it, %d KiB in the end\n", l.tally, early>>10, late>>10)
	})
}

// heap is what is in use, of the daemon and its cloud together.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
