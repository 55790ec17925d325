package clock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"tasmota-azd/internal/clock"
)

// long is how far the local clock of these tests is behind, as on a board that
// comes up with the date of its file system.
const long = 2000 * time.Hour

// world is what the servers of a test answer, and a record of who was asked.
type world struct {
	mu      sync.Mutex
	servers map[string]func() (clock.Sample, error)
	asked   []string
	at      []time.Duration // since the start of the test
	start   time.Time
	log     *logged
}

// logged is a log that is read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(servers map[string]func() (clock.Sample, error)) *world {
	return &world{servers: servers, start: time.Now(), log: new(logged)}
}

func (w *world) query(ctx context.Context, server string, _ func() time.Time) (clock.Sample, error) {
	w.mu.Lock()
	w.asked = append(w.asked, server)
	w.at = append(w.at, time.Since(w.start))
	answer := w.servers[server]
	w.mu.Unlock()
	if answer == nil { // silent
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		<-ctx.Done()
		return clock.Sample{}, ctx.Err()
	}
	return answer()
}

// set replaces what a server answers from now on.
func (w *world) set(server string, answer func() (clock.Sample, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[server] = answer
}

// options returns those of a clock in this world. The bubble of a test begins
// in the year 2000.
func (w *world) options(servers ...string) clock.Options {
	return clock.Options{
		Servers:      servers,
		Floor:        time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC),
		Query:        w.query,
		Synchronised: func(context.Context) (bool, error) { return false, nil },
		Log:          newLogger(w.log),
	}
}

// newLogger writes the lines an owner sees.
func newLogger(l *logged) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// off answers with an offset, good to 20 ms.
func off(d time.Duration) func() (clock.Sample, error) {
	return func() (clock.Sample, error) { return clock.Sample{Offset: d, Error: 20 * time.Millisecond}, nil }
}

func refuse() (clock.Sample, error) { return clock.Sample{}, errors.New("no route") }

// run runs a clock in the bubble until the test ends.
func run(t *testing.T, c *clock.Clock) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
}

// pass lets time pass in the bubble, and what is due then be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// ahead returns how far the clock is ahead of the bubble's time.
func ahead(c *clock.Clock) time.Duration { return c.Now().Sub(time.Now().Round(0)) }

func TestWhoIsBelieved(t *testing.T) {
	silent := (func() (clock.Sample, error))(nil)
	honest, near, lying, lying2 := off(long), off(long+300*time.Millisecond), off(long+3*time.Minute), off(long-3*time.Minute)
	early := off(0) // a time before the floor
	for _, tt := range []struct {
		name    string
		answers []func() (clock.Sample, error)
		after   time.Duration // when it must be proven; a minute: not in the first round
		proven  bool
	}{
		{"one", []func() (clock.Sample, error){honest}, 0, true},
		{"one silent", []func() (clock.Sample, error){silent}, 6 * time.Second, false},
		{"one before the floor", []func() (clock.Sample, error){early}, 6 * time.Second, false},
		{"two", []func() (clock.Sample, error){honest, near}, 0, true},
		{"two, one silent", []func() (clock.Sample, error){silent, honest}, 5 * time.Second, true},
		{"two, one unreachable", []func() (clock.Sample, error){refuse, honest}, 0, true},
		{"two, one lying", []func() (clock.Sample, error){honest, lying}, 6 * time.Second, false},
		{"two, one before the floor", []func() (clock.Sample, error){honest, early}, 0, true},
		{"three", []func() (clock.Sample, error){honest, near, honest}, 0, true},
		{"three, one silent: not waited for", []func() (clock.Sample, error){silent, near, honest}, 0, true},
		{"three, one lying", []func() (clock.Sample, error){lying, near, honest}, 0, true},
		{"three, one silent, one lying", []func() (clock.Sample, error){lying, silent, honest}, 60 * time.Second, false},
		{"three, two lying apart", []func() (clock.Sample, error){lying, lying2, honest}, 60 * time.Second, false},
		{"three, two silent: not at once", []func() (clock.Sample, error){honest, silent, silent}, 6 * time.Second, false},
		{"three, two silent: in the end", []func() (clock.Sample, error){honest, silent, silent}, 55 * time.Second, true},
		{"three silent", []func() (clock.Sample, error){silent, silent, silent}, 60 * time.Second, false},
		{"four, two dead", []func() (clock.Sample, error){refuse, near, refuse, honest}, 0, true},
		{"four, half lying alike", []func() (clock.Sample, error){lying, lying, honest, near}, 60 * time.Second, false},
		{"five, two lying alike", []func() (clock.Sample, error){lying, lying, honest, near, honest}, 0, true},
		{"five, two lying, two dead", []func() (clock.Sample, error){lying, lying2, honest, near, refuse}, 60 * time.Second, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(make(map[string]func() (clock.Sample, error)))
				var servers []string
				for i, a := range tt.answers {
					servers = append(servers, fmt.Sprint("s", i))
					w.servers[servers[i]] = a
				}
				c := clock.New(w.options(servers...))
				run(t, c)
				pass(tt.after)
				source, offset, ok := c.Proven()
				if ok != tt.proven {
					t.Fatalf("proven: %v by %q, want %v\n%s", ok, source, tt.proven, w.log)
				}
				if ok && ((offset-long).Abs() > time.Second || (ahead(c)-long).Abs() > time.Second) {
					t.Errorf("off by %v, Now by %v, want %v", offset, ahead(c), long)
				}
				if !ok && ahead(c) != 0 {
					t.Errorf("Now is %v off the system clock without a proof", ahead(c))
				}
			})
		})
	}
}

// TestBestIsTaken: of those that agree, the one with the smallest error.
func TestBestIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sample := func(offset, err time.Duration) func() (clock.Sample, error) {
			return func() (clock.Sample, error) { return clock.Sample{Offset: offset, Error: err}, nil }
		}
		w := newWorld(map[string]func() (clock.Sample, error){
			"a": sample(long+400*time.Millisecond, 500*time.Millisecond), "b": sample(long, 5*time.Millisecond)})
		good := w.servers["b"]
		w.servers["b"] = func() (clock.Sample, error) {
			time.Sleep(time.Second) // it comes second
			return good()
		}
		c := clock.New(w.options("a", "b"))
		run(t, c)
		pass(time.Second)
		if ahead(c) != long {
			t.Errorf("ahead by %v, want %v", ahead(c), long)
		}
	})
}

// TestAloneAndUnsteady: a lone answer that changes is never believed.
func TestAloneAndUnsteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		w := newWorld(map[string]func() (clock.Sample, error){"b": refuse, "c": refuse, "a": func() (clock.Sample, error) {
			n++
			return off(long + time.Duration(n)*time.Minute)()
		}})
		c := clock.New(w.options("a", "b", "c"))
		run(t, c)
		pass(time.Hour)
		if source, _, ok := c.Proven(); ok {
			t.Errorf("proven by %s", source)
		}
	})
}

func TestOutvotedServerIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": off(long), "b": off(long), "c": off(long + 3*time.Minute), "d": off(long), "e": nil})
		w.servers["a"] = func() (clock.Sample, error) { // the last answer, or the liar is not waited for
			time.Sleep(time.Second)
			return off(long)()
		}
		c := clock.New(w.options("a", "b", "c", "d", "e"))
		run(t, c)
		pass(5 * time.Hour)
		if got := strings.Count(w.log.String(), `servers="c by 3m0s"`); got != 1 {
			t.Errorf("the liar was named %d times in 5 hours, want once:\n%s", got, w.log)
		}
	})
}

func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": refuse})
		c := clock.New(w.options("a"))
		run(t, c)
		if err := c.Wait(ended(t)); !errors.Is(err, errEnded) {
			t.Errorf("Wait: %v", err)
		}
		pass(40*time.Minute + time.Second)
		want := []time.Duration{0, 2, 6, 14, 30, 62, 122, 182, 242}
		for i := range want {
			want[i] *= time.Second
		}
		if got := w.at[:len(want)]; !slices.Equal(got, want) {
			t.Errorf("asked at %v, want %v", got, want)
		}
		if got := strings.Count(w.log.String(), "time not proven yet"); got != 3 { // at 0, 15 and 30 minutes
			t.Errorf("%d lines in 40 minutes, want 3:\n%s", got, w.log)
		}
		for _, word := range []string{"level=WARN", "a: no route; system clock: not synchronised", "relays work on", "retry_in=2s"} {
			if line, _, _ := strings.Cut(w.log.String(), "\n"); !strings.Contains(line, word) {
				t.Errorf("first line lacks %q: %s", word, line)
			}
		}
		w.set("a", off(long))
		pass(time.Minute)
		if err := c.Wait(ended(t)); err != nil {
			t.Errorf("Wait after the proof: %v", err)
		}
		if !strings.Contains(w.log.String(), `level=INFO msg="time proven" source=a system_clock_slow_by=2000h0m0s after=40m`) {
			t.Errorf("the end of it is not logged:\n%s", w.log)
		}
	})
}

var errEnded = errors.New("the test does not wait")

// ended returns a context that is over.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnded)
	return ctx
}

// TestRetriesBeginAnew: a round that proves something ends the growing pauses.
func TestRetriesBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": refuse})
		c := clock.New(w.options("a"))
		run(t, c)
		pass(10 * time.Second) // asked at 0, 2, 6
		w.set("a", off(long))
		pass(10 * time.Second) // at 14
		w.set("a", refuse)
		pass(time.Hour) // an hour later, and 2, 6, 14 seconds after that
		w.mu.Lock()
		defer w.mu.Unlock()
		if got, want := w.at[4:7], []time.Duration{3614 * time.Second, 3616 * time.Second, 3620 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("asked at %v, want %v", got, want)
		}
	})
}

// TestBetterWitness: that servers vouch for what was the system's word is news.
func TestBetterWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": refuse})
		o := w.options("a")
		o.Floor = w.start
		o.Synchronised = func(context.Context) (bool, error) { return true, nil }
		run(t, clock.New(o))
		w.set("a", off(0))
		pass(time.Hour)
		if !strings.Contains(w.log.String(), `level=INFO msg="time proven again" source=a`) {
			t.Errorf("logged %s", w.log)
		}
	})
}

func TestWaitEndsWithProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": refuse})
		c := clock.New(w.options("a"))
		run(t, c)
		time.AfterFunc(time.Second, func() { w.set("a", off(long)) })
		if err := c.Wait(t.Context()); err != nil || time.Since(w.start) != 2*time.Second {
			t.Errorf("Wait returned %v after %v, want 2s", err, time.Since(w.start))
		}
	})
}

func TestSystemWord(t *testing.T) {
	yes := func(context.Context) (bool, error) { return true, nil }
	for _, tt := range []struct {
		name  string
		floor time.Time
		word  func(context.Context) (bool, error)
		want  string // in the log
	}{
		{"yes", time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), yes, `msg="time proven" source="synchronised system clock"`},
		{"no", time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), func(context.Context) (bool, error) { return false, nil }, "a: no route; system clock: not synchronised"},
		{"cannot say", time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), func(context.Context) (bool, error) { return true, errors.New("no bus") }, "a: no route; system clock: no bus"},
		{"before the floor", time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC), yes, "system clock: it says 2000-01-01 00:00:00, but this release is of 2000-01-02 or later"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(map[string]func() (clock.Sample, error){"a": refuse})
				o := w.options("a")
				o.Synchronised, o.Floor = tt.word, tt.floor
				c := clock.New(o)
				run(t, c)
				_, _, ok := c.Proven()
				if proven := tt.name == "yes"; ok != proven || !strings.Contains(w.log.String(), tt.want) {
					t.Errorf("proven %v, logged %s", ok, w.log)
				}
			})
		})
	}
}

// TestServersOverrideSystemWord: what the servers say counts more, as soon as
// they say something, and is kept when the system says otherwise later.
func TestServersOverrideSystemWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": refuse})
		o := w.options("a")
		o.Floor = w.start
		o.Synchronised = func(context.Context) (bool, error) { return true, nil }
		c := clock.New(o)
		run(t, c)
		for i, want := range []struct {
			answer  func() (clock.Sample, error)
			ahead   time.Duration
			logLine string
		}{
			{refuse, 0, "time proven"},
			{off(long), long, "proven time corrected"},
			{refuse, long, "time not checked: what was proven stays"},
			{off(long), long, `msg="time proven again" source=a system_clock_slow_by=2000h0m0s lasted=2s`},
		} {
			w.set("a", want.answer)
			pass(time.Hour)
			if ahead(c) != want.ahead || !strings.Contains(w.log.String(), want.logLine) {
				t.Errorf("step %d: Now is off by %v, want %v\n%s", i, ahead(c), want.ahead, w.log)
			}
		}
	})
}

func TestHourlyCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": off(long), "b": off(long), "c": off(long)})
		c := clock.New(w.options("a", "b", "c"))
		run(t, c)
		shift := long
		for i, step := range []struct {
			what    string
			a, b, c time.Duration // what the servers say, beyond long; -1 for silence
			want    time.Duration
		}{
			{"a little drift is followed", 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
			{"one liar changes nothing", 0, 0, 3 * time.Minute, 0},
			{"silence changes nothing", -1, -1, -1, 0},
			{"one answer that confirms is fine", -1, 50 * time.Millisecond, -1, 50 * time.Millisecond},
			{"one answer that does not is none", -1, 3 * time.Minute, -1, 50 * time.Millisecond},
			{"the majority moves it, as after a suspend", 8 * time.Hour, 8 * time.Hour, -1, 8 * time.Hour},
		} {
			for name, d := range map[string]time.Duration{"a": step.a, "b": step.b, "c": step.c} {
				if d < 0 {
					w.set(name, refuse)
				} else {
					w.set(name, off(long+d))
				}
			}
			pass(4 * time.Hour) // a check that failed is repeated ever more slowly
			if shift = ahead(c); shift != long+step.want {
				t.Errorf("step %d, %s: ahead by %v more, want %v", i, step.what, shift-long, step.want)
			}
		}
		if got := strings.Count(w.log.String(), "proven time corrected"); got != 1 {
			t.Errorf("%d corrections logged, want 1:\n%s", got, w.log)
		}
	})
}

func TestCheckedHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": off(long)})
		c := clock.New(w.options("a"))
		run(t, c)
		pass(24*time.Hour + time.Second)
		if len(w.at) != 25 || w.at[24] != 24*time.Hour {
			t.Errorf("asked %d times in a day, last at %v", len(w.at), w.at[len(w.at)-1])
		}
		if lines := strings.Count(w.log.String(), "\n"); lines != 1 {
			t.Errorf("%d lines in a quiet day, want 1:\n%s", lines, w.log)
		}
	})
}

// TestOffline: a proven clock whose servers are gone neither storms nor talks.
func TestOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": off(long)})
		c := clock.New(w.options("a"))
		run(t, c)
		w.set("a", refuse)
		pass(48 * time.Hour)
		if len(w.at) > 48+12 {
			t.Errorf("asked %d times in two days", len(w.at))
		}
		if got := strings.Count(w.log.String(), "time not checked"); got != 2 {
			t.Errorf("%d warnings in two days, want 2:\n%s", got, w.log)
		}
	})
}

func TestKissIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": func() (clock.Sample, error) { return clock.Kiss() }, "b": refuse})
		c := clock.New(w.options("a", "b"))
		run(t, c)
		pass(29 * time.Minute)
		count := func(server string) (n int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, s := range w.asked {
				if s == server {
					n++
				}
			}
			return n
		}
		if count("a") != 1 || count("b") < 20 {
			t.Errorf("asked a %d times, b %d times", count("a"), count("b"))
		}
		pass(3 * time.Minute)
		if count("a") != 2 {
			t.Errorf("after half an hour a was asked %d times, want 2", count("a"))
		}
	})
}

// stepped returns t as it would have been read after a step of the system
// clock by d, in whole seconds: the monotonic reading is the same. It reaches
// into time.Time, whose first word holds the seconds above 30 bits of
// nanoseconds; the test that uses it checks that this is so.
func stepped(t time.Time, d time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) += uint64(d/time.Second) << 30
	return t
}

// steppable is a system clock that can be set while its monotonic clock runs on.
// The clock of a bubble has no monotonic reading, so one from outside is wound
// on by the time that passes in the bubble.
type steppable struct {
	base, start time.Time
	step        atomic.Int64
}

func (s *steppable) now() time.Time {
	return stepped(s.base.Add(time.Since(s.start)), time.Duration(s.step.Load()))
}

// set steps the clock so that it is d ahead of what it would show.
func (s *steppable) set(d time.Duration) { s.step.Store(int64(d)) }

func TestStepOfSystemClock(t *testing.T) {
	base := time.Now() // outside the bubble
	if s := stepped(base, time.Hour); s.Sub(base) != 0 || s.Round(0).Sub(base.Round(0)) != time.Hour {
		t.Fatal("time.Time is laid out in another way: mend stepped")
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": off(long)})
		system := &steppable{base: base, start: w.start}
		o := w.options("a")
		o.Now = system.now
		c := clock.New(o)
		run(t, c)
		earlier := system.now()
		for _, d := range []time.Duration{0, 5 * time.Hour, -5000 * time.Hour} {
			system.set(d)
			pass(90 * time.Minute) // a check happens too
			if got, want := c.Now(), base.Round(0).Add(time.Since(w.start)+long); !got.Equal(want) {
				t.Errorf("system clock stepped by %v: Now is %v, want %v", d, got, want)
			}
			if got, want := c.Wall(earlier), base.Round(0).Add(long); !got.Equal(want) {
				t.Errorf("system clock stepped by %v: Wall of a moment before is %v, want %v", d, got, want)
			}
			if _, slow, _ := c.Proven(); slow != long-d {
				t.Errorf("system clock is slow by %v, want %v", slow, long-d)
			}
		}
	})
}

// TestNoServers: the system clock is trusted and followed, but not before the
// floor.
func TestNoServers(t *testing.T) {
	base := time.Now()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		system := &steppable{base: base, start: w.start}
		o := w.options()
		o.Now, o.Floor = system.now, base.Add(time.Hour)
		c := clock.New(o)
		run(t, c)
		if _, _, ok := c.Proven(); ok || !strings.Contains(w.log.String(), "but this release is of") {
			t.Errorf("proven %v before the floor; logged %s", ok, w.log)
		}
		for _, step := range []struct{ by, shown time.Duration }{
			{48 * time.Hour, 48 * time.Hour},
			{50 * time.Hour, 50 * time.Hour},    // followed
			{-1000 * time.Hour, 48 * time.Hour}, // not below the floor: counted on from the proof
		} {
			system.set(step.by)
			pass(2 * time.Second)
			if source, _, ok := c.Proven(); !ok || source != "system clock" {
				t.Errorf("Proven: %q, %v", source, ok)
			}
			if got, want := c.Now(), base.Round(0).Add(time.Since(w.start)+step.shown); !got.Equal(want) {
				t.Errorf("system clock stepped by %v: Now is %v, want %v", step.by, got, want)
			}
		}
		if len(w.asked) > 0 {
			t.Error("somebody was asked")
		}
	})
}

// TestRunEnds: also in the middle of a question.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]func() (clock.Sample, error){"a": nil, "b": nil})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := clock.New(w.options("a", "b")).Run(ctx); err != nil {
			t.Error(err)
		}
		if d := time.Since(w.start); d != time.Second {
			t.Errorf("Run took %v after its context ended", d-time.Second)
		}
	})
}

func TestUnproven(t *testing.T) {
	c := clock.New(clock.Options{})
	if d := time.Since(c.Now()); d < 0 || d > time.Second {
		t.Errorf("Now is off by %v", d)
	}
	if _, _, ok := c.Proven(); ok {
		t.Error("proven without a proof")
	}
}
