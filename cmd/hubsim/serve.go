package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"tasmota-azd/internal/hubsim"
)

// serving is what the flags of serve say.
type serving struct {
	options  hubsim.Options
	listen   string
	hubPort  int
	dpsPort  int
	wsPort   int
	control  *string
	data     string
	caFile   string
	groupKey string
	ready    string
	offset   time.Duration
	steady   bool
	quiet    bool
}

func serveCommand(control *string) *cobra.Command {
	v := &serving{control: control}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the hub and the provisioning service until Ctrl-C",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f := cmd.Flags(); f.Changed("hub-port") && !f.Changed("websocket-port") {
				v.wsPort = 0
			}
			return v.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.listen, "listen", "127.0.0.1", "`address` for devices; 0.0.0.0 lets other machines in")
	f.IntVar(&v.hubPort, "hub-port", 8883, "`port` of the hubs (MQTT over TLS); 0 takes a free one")
	f.IntVar(&v.wsPort, "websocket-port", 4443, "`port` of the hubs for MQTT over WebSocket; 0, and the default next to another --hub-port, takes a free one")
	f.IntVar(&v.dpsPort, "dps-port", 8443, "`port` of the provisioning service (HTTPS); 0 takes a free one")
	f.StringArrayVar(&v.options.Hosts, "hub", []string{"localhost"}, "`name` of a hub, a host name or IP address; can be repeated")
	f.StringVar(&v.options.Gateway, "gateway", "", "play an IoT Edge gateway of this `name` in front of the hubs: their certificate is for it alone")
	f.StringVar(&v.data, "data", "hubsim-data", "`directory` that keeps CA, devices, queues and events; empty keeps nothing")
	f.StringVar(&v.caFile, "ca-file", "", "write the CA certificate that devices must trust to this `file` (default: ca.pem in the data directory)")
	f.StringVar(&v.options.ScopeID, "scope-id", "0ne00000001", "`id` scope of the provisioning service")
	f.StringVar(&v.groupKey, "group-key-file", "", "`file` with the key of the enrollment group \"default\"; made if missing (default: group.key in the data directory)")
	f.DurationVar(&v.options.Lock, "lock", time.Minute, "how long a delivered message waits for its PUBACK")
	f.DurationVar(&v.options.TTL, "ttl", time.Hour, "life of a message whose sender sets none")
	f.DurationVar(&v.options.TokenGrace, "token-grace", 0, "how long a connection outlives its token")
	f.IntVar(&v.options.Quota.Limit, "quota", 0, "how many `messages` each hub takes a day; 0: no limit")
	f.IntVar(&v.options.Quota.Meter, "meter", 4096, "`bytes` that count as one message; 512 on the free tier")
	f.IntVar(&v.options.MaxSubscriptions, "max-subscriptions", 5, "how many subscriptions a connection may have")
	f.BoolVar(&v.options.DeliverUnsubscribed, "deliver-unsubscribed", false, "deliver also what was sent before a device first subscribed")
	f.BoolVar(&v.options.TLSTickets, "tls-tickets", false, "let devices resume TLS sessions")
	f.IntVar(&v.options.DPSPolls, "dps-polls", 1, "how many polls are answered \"assigning\"")
	f.DurationVar(&v.options.DPSRetryAfter, "dps-retry-after", 3*time.Second, "the Retry-After of those answers")
	f.DurationVar(&v.offset, "clock-offset", 0, "how far the cloud's clock is ahead of this machine's")
	f.BoolVar(&v.steady, "steady-clock", false, "the cloud's clock does not follow when this machine's is set")
	f.StringVar(&v.ready, "ready-file", "", "write the addresses to this `file`, in JSON, once all listen")
	f.BoolVar(&v.quiet, "quiet", false, "log nothing")
	return cmd
}

// run serves until ctx ends.
func (v *serving) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := v.settle(stderr); err != nil {
		return err
	}
	sim, ca, err := v.open()
	if err != nil {
		return err
	}
	defer sim.Close()
	group, err := v.enroll(sim)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	at, err := v.start(ctx, g, sim, ca)
	if err != nil {
		return err
	}
	at.CAFile, at.GroupKeyFile = absolute(v.caFile), absolute(group)
	g.Go(func() error { return at.announce(stdout, v.ready) })
	return g.Wait()
}

// settle turns flags into options. A number that is 0 means none here, and the
// default there.
func (v *serving) settle(stderr io.Writer) error {
	for _, h := range v.options.Hosts {
		if !hostName(h) {
			return fmt.Errorf("--hub %q: a host name or an IP address, without a port", h)
		}
	}
	if v.options.Gateway != "" && !hostName(v.options.Gateway) {
		return fmt.Errorf("--gateway %q: a host name or an IP address, without a port", v.options.Gateway)
	}
	if v.options.Quota.Limit < 0 || v.options.Quota.Meter < 1 {
		return fmt.Errorf("--quota %d --meter %d: no limit is 0, and a message has a byte", v.options.Quota.Limit, v.options.Quota.Meter)
	}
	if v.options.DPSPolls == 0 {
		v.options.DPSPolls = -1
	}
	if v.options.DPSRetryAfter == 0 {
		v.options.DPSRetryAfter = -1
	}
	v.options.Now = v.clock()
	if !v.quiet {
		v.options.Log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	if v.data != "" {
		setDefault(&v.caFile, filepath.Join(v.data, "ca.pem"))
		setDefault(&v.groupKey, filepath.Join(v.data, "group.key"))
	}
	return nil
}

// clock is the cloud's.
func (v *serving) clock() func() time.Time {
	if !v.steady {
		return func() time.Time { return time.Now().Add(v.offset) }
	}
	began := time.Now()
	return func() time.Time { return began.Round(0).Add(v.offset + time.Since(began)) }
}

func hostName(h string) bool {
	return h != "" && !strings.ContainsAny(h, "/: \t") || net.ParseIP(h) != nil
}

func setDefault(v *string, to string) {
	if *v == "" {
		*v = to
	}
}

// open makes the cloud and its CA, from the data directory if there is one.
func (v *serving) open() (*hubsim.Sim, *hubsim.CA, error) {
	now := v.options.Now()
	var sim *hubsim.Sim
	var ca *hubsim.CA
	var err error
	if v.data == "" {
		sim = hubsim.New(v.options)
		ca, err = hubsim.NewCA(now)
	} else {
		if sim, err = hubsim.Open(v.data, v.options); err != nil {
			return nil, nil, err
		}
		// The directory holds keys: git is not to take them by accident.
		err = os.WriteFile(filepath.Join(v.data, ".gitignore"), []byte("*\n"), 0o600)
		if err == nil {
			ca, err = hubsim.LoadCA(v.data, now)
		}
	}
	if err == nil && v.caFile != "" {
		err = os.WriteFile(v.caFile, ca.PEM(), 0o644)
	}
	if err != nil {
		sim.Close()
		return nil, nil, err
	}
	return sim, ca, nil
}

// groupID is the enrollment group that serve sees to.
const groupID = "default"

// enroll makes the enrollment group, with the key in its file, and returns the
// file.
func (v *serving) enroll(sim *hubsim.Sim) (string, error) {
	if v.groupKey == "" {
		return "", nil
	}
	key, err := keyFile(v.groupKey)
	if err != nil {
		return "", err
	}
	if old, _, err := sim.EnrollmentKeys(groupID); err == nil {
		if old == key {
			return v.groupKey, nil
		}
		if err := sim.DeleteEnrollment(groupID); err != nil {
			return "", err
		}
	}
	if err := sim.CreateEnrollment(hubsim.Enrollment{ID: groupID, Group: true}, key); err != nil {
		return "", fmt.Errorf("%s: %w", v.groupKey, err)
	}
	return v.groupKey, nil
}
