package trial_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/boards"
	"tasmota-azd/internal/boards/trial"
)

// A board is a relay board with somebody in front of it, who answers truly.
type board struct {
	pins   []*pin
	on     []bool       // the relays
	moved  map[int]bool // those that clicked since the last yes
	out    bytes.Buffer
	say    io.Writer // to the trial
	answer func(question string) string
	slow   time.Duration // to answer
}

// A pin drives relay, which closes at the level high or not.
type pin struct {
	b      *board
	relay  int // -1: a loose wire
	high   bool
	levels []bool
	err    error
}

func (p *pin) Drive(high bool) error {
	if p.err != nil {
		return p.err
	}
	p.levels = append(p.levels, high)
	if p.relay < 0 {
		return nil
	}
	on := high == p.high
	p.b.on[p.relay] = on
	p.b.moved[p.relay] = true
	return nil
}

// Write shows the person what the trial says. A question ends without a line end.
func (b *board) Write(text []byte) (int, error) {
	b.out.Write(text)
	if s := string(text); strings.HasSuffix(s, ": ") {
		answer := b.answer(s)
		go func() {
			time.Sleep(b.slow)
			_, _ = io.WriteString(b.say, answer+"\n") // fails when the trial is over
		}()
	}
	return len(text), nil
}

// truth answers as it is, with numbers.
func (b *board) truth(question string) string {
	switch {
	case strings.Contains(question, "yes to click"):
		clear(b.moved)
		return "yes"
	case strings.Contains(question, "Which relay"):
		for i := range b.on {
			if b.moved[i] {
				return fmt.Sprint(i + 1)
			}
		}
		return "none"
	}
	return map[bool]string{true: "yes", false: "no"}[slices.Contains(b.on, true)]
}

// run tries entries on the board.
func (b *board) run(ctx context.Context, entries []boards.Entry) ([]trial.Finding, error) {
	in, say := io.Pipe()
	defer in.Close()
	b.say, b.on, b.moved = say, make([]bool, len(entries)), map[int]bool{}
	var pins []trial.Pin
	for _, p := range b.pins {
		p.b = b
		pins = append(pins, p)
	}
	return trial.Run(ctx, trial.Options{Entries: entries, Pins: pins, In: in, Out: b})
}

func entries(n int, active boards.Polarity) []boards.Entry {
	var all []boards.Entry
	for i := range n {
		all = append(all, boards.Entry{Name: fmt.Sprintf("CH%d", i+1), Pin: fmt.Sprintf("GPIO%d", i+4), Active: active})
	}
	return all
}

// TestTruth wires boards at random, and finds out how.
func TestTruth(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			n := 1 + r.IntN(8)
			was := entries(n, []boards.Polarity{boards.High, boards.Low, boards.Unknown}[r.IntN(3)])
			b := &board{}
			want := slices.Clone(was)
			for i, relay := range r.Perm(n) {
				p := &pin{relay: relay, high: r.IntN(2) == 0}
				b.pins = append(b.pins, p)
				want[relay].Pin, want[relay].Active = was[i].Pin, boards.Low
				if p.high {
					want[relay].Active = boards.High
				}
			}
			b.answer = b.truth
			findings, err := b.run(t.Context(), was)
			if err != nil {
				t.Fatal(err)
			}
			got, doubts := trial.Correct(was, findings)
			if !trial.Same(got, want) || len(doubts) > 0 {
				t.Errorf("seed %d: found %+v, want %+v; doubts %q\n%s", seed, got, want, doubts, &b.out)
			}
			if slices.Contains(b.on, true) {
				t.Errorf("seed %d: left on: %v", seed, b.on)
			}
		})
	}
}

// script answers with these, one after the other.
func script(answers ...string) func(string) string {
	return func(string) string {
		if len(answers) == 0 {
			return "end"
		}
		next := answers[0]
		answers = answers[1:]
		return next
	}
}

func TestScripts(t *testing.T) {
	right := func(active boards.Polarity, relay int) trial.Finding {
		return trial.Finding{Tested: true, Relay: relay, Active: active}
	}
	for name, tt := range map[string]struct {
		answers []string
		want    []trial.Finding
		levels  string // of the pins, one after the other
	}{
		"as it should be": {[]string{"yes", "", "no", "yes", "", "no"}, []trial.Finding{right(boards.High, 0), right(boards.High, 1)}, "LHLLL LHLLL"},
		"nothing typed":   {[]string{"", "y", "YES", "click", "end"}, []trial.Finding{{}, {}}, " "},
		"skipped":         {[]string{"skip", "yes", "ch2", "no"}, []trial.Finding{{}, right(boards.High, 1)}, " LHLLL"},
		"ended":           {[]string{"yes", "CH1", "no", "end"}, []trial.Finding{right(boards.High, 0), {}}, "LHLLL "},
		"again":           {[]string{"yes", "again", "end"}, []trial.Finding{{}, {}}, "LHLL "},
		"twice":           {[]string{"yes", "again", "yes", "none", "end"}, []trial.Finding{{Tested: true, Relay: -1, Active: boards.Unknown}, {}}, "LHLLHLL "},
		"upside down":     {[]string{"yes", "2", "yes", "yes", "1", "yes"}, []trial.Finding{right(boards.Low, 1), right(boards.Low, 0)}, "LHLHH LHLHH"},
		"misheard":        {[]string{"yes", "CH3", "0", "3", "nothing", "CH2", "maybe", "no"}, []trial.Finding{right(boards.High, 1), {}}, "LHLLL "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &board{pins: []*pin{{relay: 0, high: true}, {relay: 1, high: true}}, answer: script(tt.answers...)}
				got, err := b.run(t.Context(), entries(2, boards.High))
				if err != nil || !slices.Equal(got, tt.want) {
					t.Errorf("%v: %+v, want %+v\n%s", err, got, tt.want, &b.out)
				}
				if levels := b.pins[0].String() + " " + b.pins[1].String(); levels != tt.levels {
					t.Errorf("driven %q, want %q", levels, tt.levels)
				}
			})
		})
	}
}

// String is what was driven.
func (p *pin) String() string {
	var s strings.Builder
	for _, high := range p.levels {
		s.WriteByte(map[bool]byte{true: 'H', false: 'L'}[high])
	}
	return s.String()
}

// TestInterrupted ends a trial at every moment. No relay stays on, none that was
// not agreed to is touched.
func TestInterrupted(t *testing.T) {
	for _, after := range []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 1700 * time.Millisecond, 3 * time.Second, 4700 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			b := &board{pins: []*pin{{relay: 0, high: false}, {relay: 1, high: false}, {relay: 2}}}
			b.answer = func(q string) string {
				if strings.Contains(q, "3 of 3") {
					t.Error("the third was reached")
				}
				return b.truth(q)
			}
			b.slow = 500 * time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			_, err := b.run(ctx, entries(3, boards.Low))
			if !errors.Is(err, trial.ErrInterrupted) {
				t.Errorf("after %v: %v", after, err)
			}
			if slices.Contains(b.on, true) || len(b.pins[2].levels) > 0 {
				t.Errorf("after %v: relays %v, the last pin %v", after, b.on, b.pins[2])
			}
			time.Sleep(time.Second) // for the answer that is on its way
		})
	}
}

func TestNobody(t *testing.T) {
	_, err := trial.Run(t.Context(), trial.Options{Entries: entries(1, boards.High), Pins: []trial.Pin{&pin{}}, In: strings.NewReader(""), Out: io.Discard})
	if !errors.Is(err, trial.ErrNoAnswer) {
		t.Error(err)
	}
}

func TestPinFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("on fire")
		b := &board{pins: []*pin{{relay: 0, high: true}, {err: broken}}, answer: script("yes", "", "no", "yes")}
		got, err := b.run(t.Context(), entries(2, boards.High))
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "CH2 on GPIO5: on fire") || !got[0].Tested || got[1].Tested {
			t.Errorf("%v %+v", err, got)
		}
	})
}

func TestCorrect(t *testing.T) {
	yes := func(relay int) trial.Finding { return trial.Finding{Tested: true, Relay: relay, Active: boards.Low} }
	none := trial.Finding{Tested: true, Relay: -1, Active: boards.Unknown}
	for name, tt := range map[string]struct {
		active   boards.Polarity
		findings []trial.Finding
		want     string
		doubts   []string
	}{
		"swapped": {boards.High, []trial.Finding{yes(1), yes(0)},
			"CH1 GPIO5 low (GPIO4 before) CH2 GPIO4 low (GPIO5 before)", nil},
		"only the polarity": {boards.High, []trial.Finding{yes(0), yes(1)}, "CH1 GPIO4 low () CH2 GPIO5 low ()", nil},
		"not tested": {boards.High, []trial.Finding{{}, yes(1)}, "CH1 GPIO4 high () CH2 GPIO5 low ()",
			[]string{"CH1 on GPIO4 was not tested"}},
		"not known": {boards.Unknown, []trial.Finding{none, {}}, "CH1 GPIO4 unknown (not known; GPIO4 before) CH2 GPIO5 unknown (not known; GPIO5 before)",
			[]string{"nothing clicked for CH1 on GPIO4; see whether it is wired there and the board has its supply", "CH2 on GPIO5 was not tested"}},
		"both the same": {boards.High, []trial.Finding{yes(0), yes(0)}, "CH1  high (not known; GPIO4 before) CH2  high (not known; GPIO5 before)",
			[]string{"CH1 clicked for more than one pin, GPIO4 and GPIO5; test these again", "CH2 clicked for no pin, and its own, GPIO5, moves CH1"}},
		"one way": {boards.High, []trial.Finding{yes(1), none}, "CH1  high (not known; GPIO4 before) CH2 GPIO4 low (GPIO5 before)",
			[]string{"CH1 clicked for no pin, and its own, GPIO4, moves CH2"}},
	} {
		t.Run(name, func(t *testing.T) {
			was := entries(2, tt.active)
			got, doubts := trial.Correct(was, tt.findings)
			var text []string
			for _, e := range got {
				text = append(text, fmt.Sprintf("%s %s %s (%s)", e.Name, e.Pin, e.Active, e.Comment))
			}
			if strings.Join(text, " ") != tt.want || !slices.Equal(doubts, tt.doubts) {
				t.Errorf("got  %q %q\nwant %q %q", strings.Join(text, " "), doubts, tt.want, tt.doubts)
			}
			if trial.Same(was, got) && len(tt.doubts) == 0 {
				t.Error("a change is not seen")
			}
		})
	}
}

// FuzzRun: whatever is typed, no relay stays on and every relay that was tested
// is one of the list.
func FuzzRun(f *testing.F) {
	for _, s := range []string{"yes\n\nno\nyes\n2\nno\n", "yes\nagain\nyes\nnone\nend\n", "skip\nskip\n", "", "yes", "yes\n-1\n999999999999999999999\nCH2\nyes\n", strings.Repeat("x", 1<<17)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		synctest.Test(t, func(t *testing.T) {
			b := &board{pins: []*pin{{relay: 0, high: true}, {relay: 1, high: true}}, on: make([]bool, 2), moved: map[int]bool{}}
			for _, p := range b.pins {
				p.b = b
			}
			got, err := trial.Run(t.Context(), trial.Options{Entries: entries(2, boards.High), Pins: []trial.Pin{b.pins[0], b.pins[1]}, In: strings.NewReader(typed), Out: io.Discard})
			if err == nil && len(got) != 2 {
				t.Errorf("%d findings", len(got))
			}
			for i, fi := range got {
				if fi.Tested && (fi.Relay < -1 || fi.Relay > 1) || !fi.Tested && fi != (trial.Finding{}) {
					t.Errorf("finding %d: %+v", i, fi)
				}
				// A person who lies about the light leaves a relay on; nobody else does.
				if fi.Active != boards.Low && b.on[i] {
					t.Errorf("relay %d is on", i+1)
				}
			}
		})
	})
}
