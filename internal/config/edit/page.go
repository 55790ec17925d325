package edit

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A page is the text as lines.
type page struct {
	text  string
	lines []string // each with its end
	begin []int    // where each begins in text
}

func (p *page) index() {
	p.lines = strings.SplitAfter(p.text, "\n")
	at := 0
	for _, line := range p.lines {
		p.begin = append(p.begin, at)
		at += len(line)
	}
}

// at is where a node begins in the text. Columns are counted in characters.
func (p *page) at(n *yaml.Node) int {
	line := p.lines[n.Line-1]
	i := 0
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(line[i:])
		i += size
	}
	return p.begin[n.Line-1] + i
}

// end is the end of line i, without its line break.
func (p *page) end(i int) int {
	return p.begin[i] + len(strings.TrimRight(p.lines[i], "\r\n"))
}

// newline is how lines of this text end.
func (p *page) newline() string {
	if strings.HasSuffix(p.lines[0], "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// replace puts something in the place of a part of the text.
func (p *page) replace(from, to int, with string) string { return p.text[:from] + with + p.text[to:] }

// append puts a new section at the end.
func (p *page) append(c Change) string {
	nl := p.newline()
	text := p.text
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += nl
	}
	return text + c.Section + ":" + nl + "  " + c.entry() + nl
}

// first puts the first entry into a section that has none.
func (p *page) first(c Change, key, section *yaml.Node) (string, error) {
	i := key.Line - 1
	if section.Value != "" { // null is written out
		from := p.at(section)
		q := page{text: p.replace(from, from+len(section.Value), "")}
		q.index()
		*p = q
	}
	if at, ok := p.silent(i, len(p.lines), 0, c.Key); ok {
		indent := p.lines[at][:indentOf(p.lines[at])]
		return p.replace(p.begin[at], p.end(at), indent+c.entry()), nil
	}
	return p.below(i, "  ", c), nil
}

// below puts an entry into the line after line i.
func (p *page) below(i int, indent string, c Change) string {
	at := p.end(i)
	return p.replace(at, at, p.newline()+indent+c.entry())
}

// silent finds a line such as "#key: value", by which the sample shows a setting that
// has no effect, before the next section begins. An indent of 0 means any.
func (p *page) silent(after, before, indent int, key string) (int, bool) {
	for i := after + 1; i < before; i++ {
		line := p.lines[i]
		depth := indentOf(line)
		if depth == 0 && !blank(line) && !comment(line) {
			return 0, false
		}
		rest, off := strings.CutPrefix(line[depth:], "#")
		if off && strings.HasPrefix(rest, key+":") && depth > 0 && (indent == 0 || depth == indent) {
			return i, true
		}
	}
	return 0, false
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// quoteEnd is the end of the quoted text that begins at i, or -1.
func quoteEnd(text string, i int) int {
	q := text[i]
	for j := i + 1; j < len(text); j++ {
		switch {
		case text[j] == '\\' && q == '"':
			j++
		case text[j] == q && q == '\'' && j+1 < len(text) && text[j+1] == q:
			j++
		case text[j] == q:
			return j + 1
		}
	}
	return -1
}

// plainEnd is the end of the plain text at the beginning of a line's rest: before a
// comment and the blanks in front of it.
func plainEnd(rest string) int {
	for i := range len(rest) {
		if rest[i] == '#' && i > 0 && (rest[i-1] == ' ' || rest[i-1] == '\t') {
			rest = rest[:i]
			break
		}
	}
	return len(strings.TrimRight(rest, " \t\r\n"))
}
