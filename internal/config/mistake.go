package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An Error holds every mistake of a configuration file.
type Error struct {
	File     string
	Mistakes []Mistake // in the order of their lines, never empty
}

// A Mistake is one thing that has to be changed in the file.
type Mistake struct {
	Line int    // from 1; 0 if the whole file is meant
	Key  string // such as relays[2].pin; empty if no key is meant
	Text string // the value, unless it may be secret, and what would be right
}

// Error returns one line for each mistake, each beginning with file and line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		lines[i] = m.in(e.File)
	}
	return strings.Join(lines, "\n")
}

func (m Mistake) in(file string) string {
	var b strings.Builder
	b.WriteString(file)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d", m.Line)
	}
	if m.Key != "" {
		b.WriteString(": " + m.Key)
	}
	b.WriteString(": " + m.Text)
	return b.String()
}

// fail returns an error with a single mistake that concerns no key.
func fail(file string, line int, text string) *Error {
	return &Error{File: file, Mistakes: []Mistake{{Line: line, Text: text}}}
}

// A book is where mistakes and warnings are written down.
type book struct {
	file     string
	mistakes []Mistake
	warnings []Mistake
	excused  map[string]bool // keys that are not to be reported as missing as well
}

// wrong notes that the value of s is a mistake, and quotes it.
func (b *book) wrong(s scalar, format string, args ...any) {
	b.note(s.line, s.path, said(s.text, fmt.Sprintf(format, args...)))
}

// hidden notes a mistake in s, whose value is not to be shown.
func (b *book) hidden(s scalar, format string, args ...any) {
	b.note(s.line, s.path, fmt.Sprintf(format, args...))
}

// missing notes that a key should be there, unless it is, but mistyped.
func (b *book) missing(s scalar, format string, args ...any) {
	section, _, _ := strings.Cut(s.path, ".")
	if !b.excused[s.path] && !b.excused[section] && !b.excused[""] {
		b.note(s.line, s.path, "is missing; "+fmt.Sprintf(format, args...))
	}
}

// excuse keeps a key, a section or the whole file, which has the path "", from
// being reported as missing.
func (b *book) excuse(path string) {
	if b.excused == nil {
		b.excused = map[string]bool{}
	}
	b.excused[path] = true
}

// maxMistakes is how many mistakes are listed. A file with more of them is
// none for this daemon, and judging it on would take long.
const maxMistakes = 100

// full reports whether further mistakes would not be listed.
func (b *book) full() bool { return len(b.mistakes) >= maxMistakes }

func (b *book) note(line int, key, text string) {
	if b.full() {
		return
	}
	b.mistakes = append(b.mistakes, Mistake{Line: line, Key: key, Text: text})
}

func (b *book) warn(s scalar, format string, args ...any) {
	b.warnings = append(b.warnings, Mistake{Line: s.line, Key: s.path, Text: fmt.Sprintf(format, args...)})
}

// warned returns the warnings as lines, in the order of the file.
func (b *book) warned() []string {
	slices.SortStableFunc(b.warnings, byLine)
	var lines []string
	for _, w := range b.warnings {
		lines = append(lines, w.in(b.file))
	}
	return lines
}

// err returns all mistakes, or nil.
func (b *book) err() error {
	if len(b.mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(b.mistakes, byLine)
	if b.full() {
		last := b.mistakes[len(b.mistakes)-1].Line
		b.mistakes = append(b.mistakes, Mistake{Line: last, Text: "there may be more mistakes; correct these first"})
	}
	return &Error{File: b.file, Mistakes: b.mistakes}
}

func byLine(a, b Mistake) int { return cmp.Compare(a.Line, b.Line) }

// said joins a value and what is to be said about it: "x" is not a number, or
// "x": write a number.
func said(value, text string) string {
	verb, _, _ := strings.Cut(text, " ")
	switch verb {
	case "is", "has", "holds", "lacks", "begins":
		return quote(value) + " " + text
	}
	return quote(value) + ": " + text
}

// maxQuoted is how much of a value a message shows, in characters.
const maxQuoted = 64

// quote returns a value for a message: in quotes, on one line, shortened, and
// not at all if it looks like a key that stands in the wrong place.
func quote(text string) string {
	if secretive(text) {
		return "(not shown, it looks like a key)"
	}
	if utf8.RuneCountInString(text) > maxQuoted {
		return strconv.Quote(string([]rune(text)[:maxQuoted])) + "…"
	}
	return strconv.Quote(text)
}

var (
	base64Word = pattern(`[A-Za-z0-9+/]{20,}(={1,2}($|[^A-Za-z0-9+/]))?`)

	// A name is what people and programs write between two slashes: without capitals, or in
	// them, or LikeThis. A number may follow.
	name = pattern(`^([a-z0-9]*|[A-Z]*[0-9]*|[a-z]*([A-Z][a-z]{2,})+[0-9]*)$`)
)

// secretive reports whether text may hold a key, a connection string or a
// token. Keys of 16 to 64 bytes (contract, section 2.5) have 22 to 86
// characters of base64. Nearly all of them are padded, which nothing else is. One without
// is no path of names: of random words of 22 characters 3 in 100,000 are, of 32 one in two
// million.
func secretive(text string) bool {
	lower := strings.ToLower(text)
	for _, sign := range []string{"sharedaccess", "accesskey", "sig=", "private key"} {
		if strings.Contains(lower, sign) {
			return true
		}
	}
	for _, word := range base64Word().FindAllString(text, -1) {
		if strings.Contains(word, "=") || !ofNames(word) {
			return true
		}
	}
	return false
}

// ofNames reports whether a word is a path of names, or one of them.
func ofNames(word string) bool {
	for part := range strings.SplitSeq(word, "/") {
		if !name().MatchString(part) {
			return false
		}
	}
	return true
}
