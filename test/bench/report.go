package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A unit is how a value is shown.
type unit int

const (
	milliseconds unit = iota // of nanoseconds
	microseconds             // of nanoseconds
	mebibytes                // of bytes
	bytesUnit
	perSecond
	wakes // of threads, per second
)

func (u unit) text(v float64) string {
	switch u {
	case milliseconds:
		return fmt.Sprintf("%.2f ms", v/float64(time.Millisecond))
	case microseconds:
		return fmt.Sprintf("%.0f µs", v/float64(time.Microsecond))
	case mebibytes:
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	case wakes:
		return fmt.Sprintf("%.2f/s", v)
	case perSecond:
		return grouped(int(v+0.5)) + "/s"
	}
	return grouped(int(v))
}

// grouped writes 9371810 as 9,371,810.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// A report is what is printed at the end.
type report struct {
	options options
	figures []figure
	edges   []edgeFigure
	noEdges string // why there are none
	took    time.Duration
}

// print writes the table. The figures that the targets are about come first.
func (r *report) print(out io.Writer) error {
	o := r.options
	fmt.Fprintf(out, "linux/%s, %d cores, %s, load %s; took %v\n", runtime.GOARCH, runtime.NumCPU(), runtime.Version(), load(), r.took.Round(time.Second))
	fmt.Fprintf(out, "%d starts, %d × %d single commands, %d × %d in bursts; medians, and in brackets the range over the rounds\n\n",
		o.starts, o.rounds, o.single, o.rounds, o.burst)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tdaemon\tbare\tratio\ttarget\t")
	for _, f := range r.figures {
		if len(f.daemon) == 0 {
			continue // not asked for
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", f.name, f.values(f.daemon), f.values(f.bare), f.ratio(), f.target(), f.verdict())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nA ratio above 1 is the daemon's disadvantage, also in commands per second.")
	return r.printEdges(out)
}

// values is the median, and the range if there is one.
func (f *figure) values(all []float64) string {
	text := f.unit.text(middle(all))
	low, high := slices.Min(all), slices.Max(all)
	if low == high {
		return text
	}
	number := func(v float64) string {
		s, _, _ := strings.Cut(f.unit.text(v), " ")
		return strings.TrimSuffix(s, "/s")
	}
	return fmt.Sprintf("%s [%s–%s]", text, number(low), number(high))
}

func (f *figure) ratio() string {
	all := f.ratios()
	text := fmt.Sprintf("%.2f", middle(all))
	if low, high := slices.Min(all), slices.Max(all); low != high {
		text += fmt.Sprintf(" [%.2f–%.2f]", low, high)
	}
	return text
}

func (f *figure) target() string {
	switch {
	case f.within != 0:
		return fmt.Sprintf("ratio ≤ %.1f", f.within)
	case f.most != 0:
		return "≤ " + f.unit.text(f.most)
	}
	return ""
}

// load is the machine's, of the last minute: what else it does makes noise.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return cmp.Or(minute, "unknown")
}
