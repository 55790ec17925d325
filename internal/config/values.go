package config

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The readers of values have this in common: they leave the default alone if
// the value is not given or is a mistake, which they note, and report whether
// they have set it.

// text reads a text in which fault finds nothing wrong.
func (c *checker) text(s scalar, into *string, fault func(string) string) bool {
	if !c.worded(s) {
		return false
	}
	if why := fault(s.text); why != "" {
		c.wrong(s, "%s", why)
		return false
	}
	*into = s.text
	return true
}

// worded reports whether s has a value, without blanks around it.
func (c *checker) worded(s scalar) bool {
	switch {
	case !s.given:
		return false
	case s.text == "":
		c.hidden(s, "is empty; write a value, or nothing at all (without quotes) for the default")
		return false
	case strings.TrimSpace(s.text) != s.text:
		c.wrong(s, "begins or ends with a blank; remove it")
		return false
	}
	return true
}

// path reads the name of a file or directory.
func (c *checker) path(s scalar, into *string) bool {
	if !c.text(s, into, pathFault) {
		return false
	}
	*into = c.resolve(s.text)
	return true
}

func pathFault(path string) string {
	switch {
	case strings.HasPrefix(path, "~"):
		return "~ has no meaning here; write the whole path, beginning with /"
	case strings.Contains(path, "$"):
		return "variables are not filled in here; write the whole path, beginning with /"
	case len(path) > 4095:
		return "is longer than a path can be"
	case strings.ContainsFunc(path, unicode.IsControl):
		return "holds a control character"
	}
	return ""
}

// resolve joins a relative path to the directory of the configuration.
func (c *checker) resolve(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.dir, path)
}

// choice reads one of some words.
func (c *checker) choice(s scalar, into *string, words choice) bool {
	return c.text(s, into, func(text string) string {
		if slices.Contains(words, text) {
			return ""
		}
		if near := nearest(text, words); near != "" {
			return "did you mean " + near + "? " + oneOf(words) + " is possible"
		}
		return oneOf(words) + " is possible"
	})
}

var decimal = pattern(`^(0|[1-9][0-9]{0,8})$`)

// integer reads a number.
func (c *checker) integer(s scalar, into *int, allowed whole) bool {
	if !s.given {
		return false
	}
	n, err := strconv.Atoi(s.text)
	switch inside := err == nil && allowed.lo <= n && n <= allowed.hi; {
	case inside && decimal().MatchString(s.text) && s.tag != "!!int":
		c.wrong(s, "write the number without quotes")
	case inside && decimal().MatchString(s.text):
		*into = n
		return true
	case inside:
		c.wrong(s, "write it as %d; with a leading 0 or + it means something else to some readers of YAML", n)
	case err == nil:
		c.wrong(s, "is out of range; a number from %d to %d is possible", allowed.lo, allowed.hi)
	default:
		c.wrong(s, "is not a number; a plain number from %d to %d is possible", allowed.lo, allowed.hi)
	}
	return false
}

// boolean reads true or false. YAML once took other words for them too, and
// some programs still do.
func (c *checker) boolean(s scalar, into *bool) bool {
	if !s.given {
		return false
	}
	if s.tag == "!!bool" && s.plain {
		*into = strings.EqualFold(s.text, "true")
		return true
	}
	switch strings.ToLower(s.text) {
	case "true", "false":
		c.wrong(s, "write %s without quotes", strings.ToLower(s.text))
	case "yes", "on", "y", "1":
		c.wrong(s, "write true; only true and false are possible")
	case "no", "off", "n", "0":
		c.wrong(s, "write false; only true and false are possible")
	default:
		c.wrong(s, "true or false is possible")
	}
	return false
}

// duration reads a time with its unit.
func (c *checker) duration(s scalar, into *time.Duration, allowed span) bool {
	if !s.given {
		return false
	}
	d, err := time.ParseDuration(s.text)
	switch {
	case err != nil:
		c.wrong(s, "%s; %s is possible", durationFault(s.text), allowed.words)
	case d < allowed.lo || d > allowed.hi:
		c.wrong(s, "is out of range; %s is possible", allowed.words)
	default:
		*into = d
		return true
	}
	return false
}

func (c *checker) wholeSeconds(s scalar, d time.Duration) {
	if d%time.Second != 0 {
		c.wrong(s, "holds a part of a second; whole seconds are possible, such as %v", max(d.Round(time.Second), time.Second))
	}
}

var (
	bareNumber = pattern(`^[0-9]+$`)
	numberUnit = pattern(`(?i)^([0-9]{1,6}) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)$`)
)

// durationFault says what is wrong with a duration that Go does not read.
func durationFault(text string) string {
	if bareNumber().MatchString(text) {
		return "lacks its unit; if seconds are meant write " + text + "s"
	}
	m := numberUnit().FindStringSubmatch(text)
	if m == nil {
		return "is not a time, such as 45s, 90m or 1h30m"
	}
	n, unit := m[1], strings.ToLower(m[2][:1])
	if unit == "d" {
		days, _ := strconv.Atoi(n) // six digits at most
		n, unit = strconv.Itoa(24*days), "h"
	}
	return "write it as " + n + unit
}
