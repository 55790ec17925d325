package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/hubsim"
	"tasmota-azd/internal/token"
	"tasmota-azd/test/lab"
)

// A result is what was measured with one round trip time.
type result struct {
	rtt     time.Duration
	hub     []time.Duration // between two sessions of a device, as the hub sees it
	connack []time.Duration // from the device's DISCONNECT to the CONNACK
	suback  []time.Duration // and to the SUBACK
	lost    int             // sessions that ended otherwise, as the machine stood still for too long
	wills   int             // messages that the hub published as if the device were gone
}

// measure lets devices connect and renew until there are enough renewals.
func measure(ctx context.Context, o options, rtt time.Duration) (result, error) {
	dir, err := os.MkdirTemp("", "renewal")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	cloud, err := lab.NewCloud(dir, hubsim.Options{})
	if err != nil {
		return result{}, err
	}
	defer cloud.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	far, err := newDistance(ctx, cloud, rtt)
	if err != nil {
		return result{}, err
	}
	defer far.close()
	watches := make([]*watch, o.devices)
	var running sync.WaitGroup
	for i := range watches {
		watches[i] = &watch{}
		if err := start(ctx, &running, cloud, far, watches[i], fmt.Sprintf("device-%d", i), o); err != nil {
			return result{}, err
		}
	}
	enough := func() bool { return len(cloud.Logins()) >= o.renewals+o.devices }
	err = cloud.Wait(ctx, enough)
	stop()
	running.Wait()
	if err != nil {
		return result{}, err
	}
	return collect(cloud, watches, rtt)
}

// start runs a client of the hub that has nothing to do but to renew its tokens.
func start(ctx context.Context, running *sync.WaitGroup, cloud *lab.Cloud, far *distance, w *watch, id string, o options) error {
	text := hubsim.NewKey()
	key, err := token.ParseKey(text)
	if err != nil {
		return err
	}
	if err := cloud.AddDevice(hubsim.Device{ID: id, Key: key}); err != nil {
		return err
	}
	client := hub.New(hub.Options{
		Identify: func(context.Context, hub.Trouble) (hub.Identity, error) {
			return hub.Identity{Host: "localhost", DeviceID: id, Key: key}, nil
		},
		TokenTTL: o.tokenTTL,
		Will:     func(string) hub.Telemetry { return hub.Telemetry{Body: []byte("gone")} },
		Dial: func(ctx context.Context, host string, _ int) (net.Conn, error) {
			return far.dial(ctx, host, w)
		},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	events := make(chan hub.Event)
	running.Go(func() {
		for {
			select {
			case <-events:
			case <-ctx.Done():
				return
			}
		}
	})
	running.Go(func() { client.Run(ctx, events) })
	return nil
}

// collect puts together what the hub and the devices have seen.
func collect(cloud *lab.Cloud, watches []*watch, rtt time.Duration) (result, error) {
	r := result{rtt: rtt}
	last := map[string]hubsim.Login{}
	for _, l := range cloud.Logins() {
		if l.Code != 0 {
			return r, fmt.Errorf("%s was refused: %s", l.Device, l.Why)
		}
		switch before, ok := last[l.Device]; {
		case ok && before.End == "the device sent DISCONNECT":
			r.hub = append(r.hub, l.Time.Sub(before.Ended))
		case ok:
			r.lost++
		}
		last[l.Device] = l
	}
	for _, w := range watches {
		r.connack = append(r.connack, w.connack...)
		r.suback = append(r.suback, w.suback...)
	}
	if len(r.connack) == 0 || len(r.suback) == 0 {
		return r, errors.New("no renewal was seen")
	}
	for _, record := range cloud.Records() {
		if record.Properties["iothub-MessageType"] == "Will" {
			r.wills++
		}
	}
	return r, nil
}

// percentile is the smallest time that p in a hundred do not exceed.
func percentile(all []time.Duration, p int) string {
	all = slices.Sorted(slices.Values(all))
	d := all[max(0, (len(all)*p+99)/100-1)]
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// A watch notes when a device says goodbye, and when the hub lets it in again.
type watch struct {
	mu      sync.Mutex
	gone    time.Time // when DISCONNECT was sent, zero before the first
	connack []time.Duration
	suback  []time.Duration
}

// The first bytes of the packets that are looked for.
const (
	connack    = 0x20
	suback     = 0x90
	disconnect = 0xe0
)

func (w *watch) saw(first byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case first == disconnect:
		w.gone = time.Now()
	case first == connack && !w.gone.IsZero():
		w.connack = append(w.connack, time.Since(w.gone))
	case first == suback && !w.gone.IsZero():
		w.suback = append(w.suback, time.Since(w.gone))
		w.gone = time.Time{} // what follows without a DISCONNECT is no renewal
	}
}

// A watched connection shows the first byte of each packet to a watch. The stand-in
// and the client write packets one by one, so each starts a TLS record of its own.
type watched struct {
	*tls.Conn
	watch *watch
	rest  []byte // of the record that was read last
}

func (c *watched) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		record := make([]byte, 64<<10)
		n, err := c.Conn.Read(record)
		if err != nil {
			return 0, err
		}
		c.rest = record[:n]
		c.watch.saw(record[0])
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *watched) Write(p []byte) (int, error) {
	c.watch.saw(p[0])
	return c.Conn.Write(p)
}
