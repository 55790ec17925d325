package main

import (
	"math"
	"slices"
)

// A figure is one thing that was measured several times, of both programs.
type figure struct {
	name   string
	unit   unit
	daemon []float64
	bare   []float64
	within float64 // target: not worse than the bare program by more than this factor, 0 for none
	most   float64 // target: the daemon's median is at most this, 0 for none
}

// add notes a value of the program that is called device at the hub.
func (f *figure) add(device string, value float64) {
	if device == "bare" {
		f.bare = append(f.bare, value)
		return
	}
	f.daemon = append(f.daemon, value)
}

// ratios are how much more the daemon takes than the bare program, measurement by
// measurement, as the two were made one right after the other. Of a rate, less is more.
func (f *figure) ratios() []float64 {
	all := make([]float64, len(f.daemon))
	for i := range all {
		all[i] = f.daemon[i] / f.bare[i]
		if f.unit == perSecond {
			all[i] = 1 / all[i]
		}
	}
	return all
}

// verdict compares the medians with the target. A figure without one has none.
func (f *figure) verdict() string {
	switch {
	case f.within != 0 && middle(f.ratios()) > f.within, f.most != 0 && middle(f.daemon) > f.most:
		return "NOT MET"
	case f.within != 0, f.most != 0:
		return "met"
	}
	return ""
}

// middle is the median of values.
func middle(values []float64) float64 { return median(values, func(v float64) float64 { return v }) }

// median is the middle one of what of gives for each, or the mean of the middle two.
func median[T any](all []T, of func(T) float64) float64 {
	values := sorted(all, of)
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// percentile is the smallest value that p in a hundred do not exceed.
func percentile[T any](all []T, p int, of func(T) float64) float64 {
	values := sorted(all, of)
	if len(values) == 0 {
		return math.NaN()
	}
	return values[max(0, (len(values)*p+99)/100-1)]
}

func sorted[T any](all []T, of func(T) float64) []float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = of(v)
	}
	slices.Sort(values)
	return values
}
