package metrics_test

import (
	"testing"
	"time"

	"tasmota-azd/internal/metrics"
)

func TestPage(t *testing.T) {
	h := metrics.NewHistogram(0.01, 0.1)
	for _, d := range []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, time.Second} {
		h.Observe(d)
	}
	copied := h.Clone()
	h.Observe(time.Hour)
	var p metrics.Page
	p.Gauge("a_on", "Whether it is on.", metrics.Sample{Labels: []string{"name", "a \"b\"\n\\\xff", "relay", "1"}, Value: metrics.Is(true)})
	p.Gauge("none", "Not there.")
	p.Counter("b_total", "How often.", metrics.Tally{"y": 2, "x": 1e9}.Samples("door")...)
	p.Counter("c_total", "Once.", metrics.One(0.5))
	p.Histogram("d_seconds", "How long.", "door", map[string]*metrics.Histogram{"c2d": copied})
	p.Histogram("e_seconds", "How long.", "", map[string]*metrics.Histogram{"": metrics.NewHistogram(1)})
	p.Histogram("none_seconds", "Not there.", "", nil)
	want := `# HELP a_on Whether it is on.
# TYPE a_on gauge
a_on{name="a \"b\"\n\\` + "\uFFFD" + `",relay="1"} 1
# HELP b_total How often.
# TYPE b_total counter
b_total{door="x"} 1e+09
b_total{door="y"} 2
# HELP c_total Once.
# TYPE c_total counter
c_total 0.5
# HELP d_seconds How long.
# TYPE d_seconds histogram
d_seconds_bucket{door="c2d",le="0.01"} 2
d_seconds_bucket{door="c2d",le="0.1"} 3
d_seconds_bucket{door="c2d",le="+Inf"} 4
d_seconds_sum{door="c2d"} 1.065
d_seconds_count{door="c2d"} 4
# HELP e_seconds How long.
# TYPE e_seconds histogram
e_seconds_bucket{le="1"} 0
e_seconds_bucket{le="+Inf"} 0
e_seconds_sum 0
e_seconds_count 0
`
	if got := string(p.Text()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
