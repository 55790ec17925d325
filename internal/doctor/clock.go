package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"tasmota-azd/internal/clock"
)

var clockChecks = []Check{
	{Name: "time-servers", Group: "clock", What: "the time servers answer", Needs: []string{"file", "network"}, After: []string{"name-server"}, Within: 8 * time.Second,
		Remedy: "let UDP port 123 out, or name servers of your network in ntp.servers: sudoedit CONFIG", run: (*patient).timeServers},
	{Name: "clock", Group: "clock", What: "the time can be proven, and the system's is right", Needs: []string{"time-servers"}, Within: 8 * time.Second,
		Remedy: "sudo timedatectl set-ntp true (the daemon goes by the proven time meanwhile)", run: (*patient).clock},
}

const (
	// tolerated is how far the system's clock may be off: beyond it, what other programs
	// log does not fit what this one does.
	tolerated = 5 * time.Second
)

func (p *patient) timeServers(ctx context.Context) Finding {
	servers := p.cfg.NTP.Servers
	if len(servers) == 0 {
		return skip("ntp.servers is empty: the system's clock is trusted")
	}
	named := slices.ContainsFunc(servers, func(s string) bool {
		host, _ := endpoint(s)
		return net.ParseIP(host) == nil
	})
	if named && p.nameless {
		return unknown("not checked, because name-server failed")
	}
	p.samples = make(map[string]sample)
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, server := range servers {
		asking.Go(func() {
			s, err := clock.NTP(ctx, server, time.Now)
			mu.Lock()
			defer mu.Unlock()
			p.samples[server] = sample{s, err}
		})
	}
	asking.Wait()
	var silent []string
	for _, server := range servers {
		if err := p.samples[server].err; err != nil {
			silent = append(silent, fmt.Sprintf("%s: %v", server, err))
		}
	}
	why := strings.Join(silent, "; ")
	switch {
	case silent == nil:
		return ok(strings.Join(servers, ", ") + " answer")
	case len(silent) < len(servers):
		return warn(fmt.Sprintf("%d of %d do not answer: %s", len(silent), len(servers), why), "")
	}
	if synchronised, err := clock.SystemSynchronised(ctx); err == nil && synchronised {
		return warn("none answers, and the system says that its clock is right: "+why, "")
	}
	return fault("none answers: "+why, "")
}

// errAsked is for a server that the clock asks again.
var errAsked = errors.New("no answer")

// clock proves the time as the daemon does, from the same answers.
func (p *patient) clock(ctx context.Context) Finding {
	c := clock.New(clock.Options{
		Servers: p.cfg.NTP.Servers,
		Query: func(_ context.Context, server string, _ func() time.Time) (clock.Sample, error) {
			s, known := p.samples[server]
			if !known {
				return clock.Sample{}, errAsked
			}
			return s.Sample, s.err
		},
	})
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second) // for the system's word
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	defer running.Wait()
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		var said []string
		for _, server := range p.cfg.NTP.Servers {
			if s := p.samples[server]; s.err == nil {
				said = append(said, fmt.Sprintf("%s by %v", server, s.Offset.Round(time.Second)))
			}
		}
		return fault("not proven: the system shows "+time.Now().UTC().Format(time.DateTime)+" UTC, and it is slow, say "+strings.Join(said, ", "),
			"name servers that agree, three or more, in ntp.servers: sudoedit "+p.o.Config)
	}
	p.now = c.Now
	source, slow, _ := c.Proven()
	found := fmt.Sprintf("proven by %s; the system's clock is slow by %v", source, slow.Round(time.Millisecond))
	if slow.Abs() > tolerated {
		return warn(found, "")
	}
	return ok(found)
}
