package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"tasmota-azd/internal/clock"
	"tasmota-azd/internal/control"
	"tasmota-azd/internal/device"
	"tasmota-azd/internal/metrics"
	"tasmota-azd/internal/relay"
)

// A numbers makes the page of metrics from what the parts know.
type numbers struct {
	device  *device.Device
	clock   *clock.Clock
	hub     *uplink
	moves   *moves
	started time.Time
}

func (n numbers) page(ctx context.Context) (*metrics.Page, error) {
	s, err := n.device.Status(ctx)
	if err != nil {
		return nil, err
	}
	c, err := n.device.Counts(ctx)
	if err != nil {
		return nil, err
	}
	p := new(metrics.Page)
	process(p, n.clock.Wall(n.started))
	n.relays(p, s)
	commandNumbers(p, c)
	n.session(p, s)
	n.debts(p, s)
	n.time(p)
	return p, nil
}

// process tells of the program, by the names that are usual.
func process(p *metrics.Page, started time.Time) {
	p.Gauge("tasmota_build_info", "The release that runs.", metrics.Sample{Labels: []string{"version", version, "goversion", runtime.Version()}, Value: 1})
	p.Gauge("process_start_time_seconds", "When the daemon started, as Unix time.", metrics.One(float64(started.UnixMilli())/1000))
	p.Gauge("go_goroutines", "Goroutines that there are.", metrics.One(float64(runtime.NumGoroutine())))
	if rss, ok := resident(); ok {
		p.Gauge("process_resident_memory_bytes", "Resident memory of the daemon.", metrics.One(rss))
	}
}

// resident is what proc_pid_statm(5) says in pages.
func resident() (bytes float64, ok bool) {
	text, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.Atoi(fields[1])
	return float64(pages * os.Getpagesize()), err == nil
}

func (n numbers) relays(p *metrics.Page, s device.Status) {
	var on, fault, moved []metrics.Sample
	for _, r := range s.Relays {
		labels := []string{"relay", strconv.Itoa(r.Number), "name", r.Name, "pin", r.Pin}
		on = append(on, metrics.Sample{Labels: labels, Value: metrics.Is(r.On)})
		fault = append(fault, metrics.Sample{Labels: labels, Value: metrics.Is(r.Fault != "")})
		moved = append(moved, n.moves.samples(r.Number, r.Pin)...)
	}
	p.Gauge("tasmota_relay_on", "Whether the relay is on.", on...)
	p.Gauge("tasmota_relay_fault", "Whether the relay cannot be driven just now.", fault...)
	p.Counter("tasmota_relay_moves_total", "Moves of a relay, by the door that the cause came in.", moved...)
}

func commandNumbers(p *metrics.Page, c device.Counts) {
	p.Histogram("tasmota_command_duration_seconds", "From the arrival of a command until it is done and noted.", "door", c.Took)
	var all []metrics.Sample
	for o, times := range c.Outcomes {
		all = append(all, metrics.Sample{Labels: []string{"door", o.Door, "outcome", o.What}, Value: float64(times)})
	}
	p.Counter("tasmota_commands_total", "Commands by door and outcome: done, refused, failed.", all...)
}

func (n numbers) session(p *metrics.Page, s device.Status) {
	h := n.hub.now().Counts()
	p.Gauge("tasmota_session_connected", "Whether a session with the hub stands.", metrics.One(metrics.Is(s.Session.Connected)))
	if !s.Session.Since.IsZero() {
		age := n.clock.Now().Sub(s.Session.Since).Seconds()
		p.Gauge("tasmota_session_state_age_seconds", "For how long it has been so.", metrics.One(max(age, 0)))
	}
	if at, ok := n.hub.now().Renewal(); ok {
		p.Gauge("tasmota_token_renewal_in_seconds", "Until the token of the session is renewed.", metrics.One(time.Until(at).Seconds()))
	}
	p.Counter("tasmota_sessions_total", "Sessions that began after there was none.", metrics.One(float64(h.Sessions)))
	p.Histogram("tasmota_renewal_gap_seconds", "Time without a session at each renewal of the token.", "", map[string]*metrics.Histogram{"": h.Gaps})
	p.Counter("tasmota_connection_failures_total", "Attempts to connect that failed and sessions that broke, by cause.", h.Failures.Samples("cause")...)
	p.Gauge("tasmota_outbox_messages", "Messages that the hub has not acknowledged.", metrics.One(float64(h.Waiting)))
	p.Counter("tasmota_outbox_lost_total", "Messages dropped as there was no room for them.", metrics.One(float64(h.Dropped)))
}

func (n numbers) debts(p *metrics.Page, s device.Status) {
	p.Gauge("tasmota_answers_owed", "Answers on the disk that the hub has not got.", metrics.One(float64(s.Owed)))
	p.Gauge("tasmota_backlog_commands", "Commands of backlogs still to come.", metrics.One(float64(s.Backlog)))
	if s.Limit > 0 {
		p.Gauge("tasmota_quota_messages", "Messages of this day (UTC) that are spent.", metrics.One(float64(s.Spent.Messages)))
		p.Gauge("tasmota_quota_limit_messages", "Messages that may be spent in a day.", metrics.One(float64(s.Limit)))
	}
}

func (n numbers) time(p *metrics.Page) {
	_, offset, proven := n.clock.Proven()
	p.Gauge("tasmota_clock_proven", "Whether the time is proven.", metrics.One(metrics.Is(proven)))
	if proven {
		p.Gauge("tasmota_clock_offset_seconds", "How much the system's clock is slow.", metrics.One(offset.Seconds()))
	}
}

// moves count the edges of the relays. A relay is known by its pin: a reload may give it
// another number.
type moves struct {
	mu    sync.Mutex
	count map[move]uint64
}

// A move is a pin and the door by which the cause of its move came.
type move struct{ pin, door string }

func (m *moves) add(e relay.Edge) {
	if e.Relay == 0 || e.From == relay.Unknown {
		return // no relay any more, or the level that a start found and kept
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == nil {
		m.count = make(map[move]uint64)
	}
	m.count[move{e.Pin, string(e.Cause.Door)}]++
}

// samples are those of one relay.
func (m *moves) samples(number int, pin string) (all []metrics.Sample) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, n := range m.count {
		if k.pin == pin {
			all = append(all, metrics.Sample{Labels: []string{"relay", strconv.Itoa(number), "pin", pin, "door", k.door}, Value: float64(n)})
		}
	}
	return all
}

// A page serves the numbers at an address, which a reload may change. A daemon works
// without.
type page struct {
	numbers control.Metrics
	address chan string // the next one; empty for none
	log     *slog.Logger
}

func newPage(numbers control.Metrics, log *slog.Logger) *page {
	return &page{numbers: numbers, address: make(chan string), log: log}
}

// serve serves the page until ctx ends.
func (p *page) serve(ctx context.Context, address string) {
	for {
		one, stop := context.WithCancel(ctx)
		done, at := make(chan struct{}), address
		go func() {
			defer close(done)
			p.at(one, at)
		}()
		select {
		case address = <-p.address:
			stop()
			<-done
		case <-done:
			stop()
			return
		}
	}
}

// at serves the page at one address until ctx ends, or waits for that if it cannot.
func (p *page) at(ctx context.Context, address string) {
	if address != "" {
		s, err := control.ListenMetrics(address, p.numbers, p.log)
		if err == nil {
			p.log.Info("metrics can be asked for", "url", "http://"+s.Address().String()+"/metrics")
			err = s.Serve(ctx)
		}
		if err != nil {
			p.log.Warn("nobody can ask for the metrics", "err", err)
		}
	}
	<-ctx.Done()
}
