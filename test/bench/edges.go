package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tasmota-azd/test/uml"
)

// drivers are the ways to a line that are compared, by the names of gpio.driver.
var drivers = []string{"sim", "gpiochip", "periph"}

// An edgeFigure is how long commands took to the edge with one driver, and the bare
// ioctl in the same boots; a value for each boot.
type edgeFigure struct {
	driver   string
	p50, p99 figure // bare is the ioctl
}

// measureEdges boots the small kernel with each driver by turns. Where it cannot be
// booted the report says so.
func measureEdges(ctx context.Context, s *stage, o options, r *report) error {
	if out, err := exec.CommandContext(ctx, o.uml, "--check").CombinedOutput(); err != nil {
		r.noEdges = strings.TrimSpace(string(out))
		return nil
	}
	for _, driver := range drivers {
		r.edges = append(r.edges, edgeFigure{
			driver: driver, p50: figure{unit: microseconds}, p99: figure{unit: microseconds},
		})
	}
	for range o.boots {
		for i := range r.edges {
			took, err := bootEdges(ctx, s, o, r.edges[i].driver)
			if err != nil {
				return fmt.Errorf("%s: %w", r.edges[i].driver, err)
			}
			for device, all := range took {
				r.edges[i].p50.add(device, percentile(all, 50, asFloat))
				r.edges[i].p99.add(device, percentile(all, 99, asFloat))
			}
		}
	}
	return nil
}

func asFloat(d time.Duration) float64 { return float64(d) }

// bootEdges is one boot. It returns what each command and each ioctl took.
func bootEdges(ctx context.Context, s *stage, o options, driver string) (map[string][]time.Duration, error) {
	trace := filepath.Join(s.dir, "trace")
	cmd := exec.CommandContext(ctx, o.uml, "--timeout", "300", "--trace", trace,
		"--bin", filepath.Join(o.bin, "tasmota-azd"), "--bin", filepath.Join(o.bin, "edge"),
		"--cmd", fmt.Sprintf("edge -driver %s -commands %d", driver, o.single))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	f, err := os.Open(trace)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	events, err := uml.ParseTrace(f)
	if err != nil {
		return nil, err
	}
	return pairEdges(&stdout, events, o.single)
}

// pairEdges finds for each beginning that the guest has printed the first edge after it.
func pairEdges(printed io.Reader, events []uml.Event, each int) (map[string][]time.Duration, error) {
	text, err := io.ReadAll(printed)
	if err != nil {
		return nil, err
	}
	begins, edges := map[string][]time.Duration{}, map[string][]time.Duration{}
	for _, e := range events {
		if strings.HasPrefix(e.What, "set ") {
			edges[e.Line] = append(edges[e.Line], e.At)
		}
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, fmt.Errorf("the guest printed %q", line)
		}
		ns, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return nil, err
		}
		if to := map[string]map[string][]time.Duration{"begin": begins, "edge": edges}[f[0]]; to != nil {
			to[f[1]] = append(to[f[1]], time.Duration(ns))
		}
	}
	took := map[string][]time.Duration{}
	for line, device := range map[string]string{"GPIO17": "daemon", "GPIO27": "bare"} {
		took[device] = between(begins[line], edges[line])
		if len(took[device]) != each {
			return nil, fmt.Errorf("%d edges of %s for %d beginnings, want %d", len(took[device]), line, len(begins[line]), each)
		}
	}
	return took, nil
}

// between returns the time from each beginning to the first edge after it, of those that
// have one before the next beginning.
func between(begins, edges []time.Duration) (all []time.Duration) {
	for i, begin := range begins {
		begin = begin.Truncate(time.Microsecond) // as the trace does
		for _, at := range edges {
			if at >= begin && (i+1 == len(begins) || at < begins[i+1]) {
				all = append(all, at-begin)
				break
			}
		}
	}
	return all
}

// printEdges writes the table of drivers.
func (r *report) printEdges(out io.Writer) error {
	if r.noEdges != "" {
		_, err := fmt.Fprintf(out, "\nNOT MEASURED, command to edge for each driver: %s\n", r.noEdges)
		return err
	}
	if len(r.edges) == 0 {
		return errors.New("no edges were measured")
	}
	fmt.Fprintf(out, "\nIn the small kernel, from the hub's queue to the edge; %d boots × %d commands\n\n", r.options.boots, r.options.single)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tcommand\tbare ioctl\tratio\t")
	for _, f := range r.edges {
		fmt.Fprintf(t, "%s, p50\t%s\t%s\t%s\t\n", f.driver, f.p50.values(f.p50.daemon), f.p50.values(f.p50.bare), f.p50.ratio())
		fmt.Fprintf(t, "%s, p99\t%s\t%s\t%s\t\n", f.driver, f.p99.values(f.p99.daemon), f.p99.values(f.p99.bare), f.p99.ratio())
	}
	return t.Flush()
}
