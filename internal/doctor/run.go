package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Run makes the checks, those that wait for nothing at the same time, and hands each
// result to tell in the order of Checks. Whatever hangs ends with its time. The error is
// that of the file, as config.Load returns it, or that of pins it names and the machine
// has not.
func Run(ctx context.Context, o Options, tell func(Result)) error {
	checks, err := chosen(Checks(), o.Only)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, total)
	defer cancel()
	p := newPatient(o)
	results := make([]Result, len(checks))
	done := make([]chan struct{}, len(checks))
	at := make(map[string]int)
	for i, c := range checks {
		done[i], at[c.Name] = make(chan struct{}), i
	}
	for i, c := range checks {
		go func() {
			defer close(done[i])
			var before []Result
			for _, name := range slices.Concat(c.Needs, c.After) {
				if n, ok := at[name]; ok {
					<-done[n]
					before = append(before, results[n])
				}
			}
			results[i] = c.result(ctx, p, before[:min(len(before), len(c.Needs))])
		}()
	}
	for i := range checks {
		if o.Waiting != nil {
			o.Waiting(checks[i].Name)
		}
		<-done[i]
		tell(results[i])
	}
	return p.mistake
}

// result makes the check, unless one that it needs has failed.
func (c Check) result(ctx context.Context, p *patient, needs []Result) Result {
	r := Result{Name: c.Name, Group: c.Group, What: c.What}
	f := blocked(needs)
	if c.off != nil && p.loaded.Load() {
		if why := c.off(p); why != "" {
			f = skip(why)
		}
	}
	if f.Outcome == "" {
		f = c.within(ctx, p)
	}
	r.Outcome, r.Found, r.blocks = f.Outcome, oneLine(f.Found), f.blocks
	if f.Outcome == Warning || f.Outcome == Fault {
		r.Remedy = f.Remedy
		if r.Remedy == "" {
			r.Remedy = strings.ReplaceAll(c.Remedy, "CONFIG", p.o.Config)
		}
	}
	return r
}

// within makes the check. One that is not done in time is a fault of its own: what it
// looks at does not answer.
func (c Check) within(ctx context.Context, p *patient) Finding {
	limit := c.Within
	if limit == 0 {
		limit = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found := make(chan Finding, 1)
	go func() { found <- c.run(p, ctx) }()
	select {
	case f := <-found:
		return f
	case <-time.After(limit + time.Second): // as a disk that hangs heeds no context
		return fault(fmt.Sprintf("no answer within %v", limit), "")
	}
}

// blocked is why a check is not made, or nothing.
func blocked(needs []Result) Finding {
	for _, n := range needs {
		switch {
		case n.Outcome == Fault:
			return unknown("not checked, because " + n.Name + " failed")
		case n.Outcome == Warning && n.blocks:
			return unknown("not checked, because of what " + n.Name + " found")
		case n.blocks:
			return unknown("not checked, because " + n.Name + " was not")
		}
	}
	return Finding{}
}

// oneLine keeps a text from elsewhere from breaking the report.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "))
	if len(s) > 600 {
		s = strings.ToValidUTF8(s[:600], "") + "…"
	}
	return s
}

// chosen leaves the checks of those names and groups, and all that they need.
func chosen(all []Check, only []string) ([]Check, error) {
	if len(only) == 0 {
		return all, nil
	}
	wanted := make(map[string]bool)
	var want func(Check)
	want = func(c Check) {
		wanted[c.Name] = true
		for _, name := range slices.Concat(c.Needs, c.After) {
			if n := slices.IndexFunc(all, func(o Check) bool { return o.Name == name }); n >= 0 && !wanted[name] {
				want(all[n])
			}
		}
	}
	for _, word := range only {
		known := false
		for _, c := range all {
			if c.Name == word || c.Group == word {
				known = true
				want(c)
			}
		}
		if !known {
			return nil, fmt.Errorf("no check and no group of checks is called %q; tasmota-azd check --list names them", word)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c Check) bool { return !wanted[c.Name] }), nil
}
