// Command renewal measures how long a device is without a session when its token
// is renewed: the daemon's own client, many times over, with real TLS on loopback
// and with round trips as long as those to a data centre. docs/performance.md says
// what came out.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"
)

// Options say what is measured.
type options struct {
	renewals int
	devices  int
	tokenTTL time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.renewals, "renewals", 200, "renewals for each round trip time")
	flag.IntVar(&o.devices, "devices", 20, "devices that share them")
	flag.DurationVar(&o.tokenTTL, "token-ttl", 5*time.Second, "life of a token")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "renewal: %v\n", err)
		os.Exit(1)
	}
}

// run measures with one round trip time after the other, and prints the table.
func run(ctx context.Context, o options, out io.Writer) error {
	var all []result
	for _, rtt := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		fmt.Fprintf(os.Stderr, "renewal: round trips of %v …\n", rtt)
		r, err := measure(ctx, o, rtt)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	return table(out, all)
}

func table(out io.Writer, all []result) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "round trip\trenewals\tat the hub, p50\tp99\tDISCONNECT to CONNACK, p50\tp99\tto SUBACK, p50\tp99\tlost\twills")
	for _, r := range all {
		fmt.Fprintf(t, "%v\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", r.rtt, len(r.hub),
			percentile(r.hub, 50), percentile(r.hub, 99), percentile(r.connack, 50), percentile(r.connack, 99),
			percentile(r.suback, 50), percentile(r.suback, 99), r.lost, r.wills)
	}
	return t.Flush()
}
