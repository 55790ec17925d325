package main

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var all []float64
	for i := range 200 {
		all = append(all, float64(200-i)) // 200 down to 1
	}
	same := func(v float64) float64 { return v }
	for p, want := range map[int]float64{50: 100, 99: 198, 100: 200, 1: 2} {
		if got := percentile(all, p, same); got != want {
			t.Errorf("percentile %d of 1 to 200 is %v, want %v", p, got, want)
		}
	}
	for want, all := range map[float64][]float64{7: {7}, 2: {3, 2, 1}} {
		if got := percentile(all, 50, same); got != want {
			t.Errorf("percentile 50 of %v is %v, want %v", all, got, want)
		}
	}
}

func TestMiddle(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}, {[]float64{5}, 5}} {
		before := slices.Clone(tt.values)
		if got := middle(tt.values); got != tt.want {
			t.Errorf("middle of %v is %v, want %v", tt.values, got, tt.want)
		}
		if !slices.Equal(tt.values, before) {
			t.Errorf("the values were put in order: %v", tt.values)
		}
	}
}

// TestVerdict: a ratio above 1 is worse, of a rate too; pairs are compared, not medians.
func TestVerdict(t *testing.T) {
	for name, tt := range map[string]struct {
		figure  figure
		ratio   float64
		verdict string
	}{
		"slower":   {figure{daemon: []float64{2, 4, 6}, bare: []float64{1, 4, 3}, within: 1.3}, 2, "NOT MET"},
		"alike":    {figure{daemon: []float64{5, 10}, bare: []float64{4, 8}, within: 1.3}, 1.25, "met"},
		"a rate":   {figure{unit: perSecond, daemon: []float64{50}, bare: []float64{100}, within: 1.3}, 2, "NOT MET"},
		"a limit":  {figure{daemon: []float64{9, 12, 10}, bare: []float64{5, 6, 10}, most: 10}, 1.8, "met"},
		"too much": {figure{daemon: []float64{11}, bare: []float64{11}, most: 10}, 1, "NOT MET"},
		"no aim":   {figure{daemon: []float64{11}, bare: []float64{11}}, 1, ""},
	} {
		if got := middle(tt.figure.ratios()); got != tt.ratio {
			t.Errorf("%s: ratio %v, want %v", name, got, tt.ratio)
		}
		if got := tt.figure.verdict(); got != tt.verdict {
			t.Errorf("%s: %q, want %q", name, got, tt.verdict)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 9371810: "9,371,810"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

// TestProc reads what the kernel says of this process.
func TestProc(t *testing.T) {
	got, err := parseStat([]byte("42 (a) name) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1\n"))
	if want := 3 * time.Second; got != want || err != nil {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if _, err := parseStat([]byte("42 (a) S 1")); err == nil {
		t.Error("processor time was read where there is none")
	}
	if _, err := cpu(os.Getpid()); err != nil {
		t.Error(err)
	}
}
