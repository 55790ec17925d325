package edit

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// blockChange changes a section whose entries have lines of their own.
func (p *page) blockChange(sectionKey, section *yaml.Node, c Change) (string, error) {
	key, value := find(section, c.Key)
	switch {
	case key == nil:
		return p.blockAdd(sectionKey, section, c)
	case p.begin[key.Line-1]+indentOf(p.lines[key.Line-1]) != p.at(key):
		return "", ErrLayout // something stands before the key
	}
	e, ok := p.entry(key, value)
	if !ok {
		return "", ErrLayout
	}
	switch {
	case !c.Remove:
		return p.replace(e.value, e.end, " "+strings.TrimPrefix(c.entry(), c.Key+": ")), nil
	case e.last > key.Line-1: // it goes over several lines
		return p.replace(p.begin[key.Line-1], p.begin[e.last]+len(p.lines[e.last]), ""), nil
	case !c.Secret:
		return p.replace(p.at(key), p.at(key), "#"), nil
	}
	tail := strings.TrimSpace(p.text[e.end:p.end(e.last)])
	if tail != "" { // a comment
		return p.replace(p.at(key), p.end(e.last), tail), nil
	}
	return p.replace(p.begin[e.last], p.begin[e.last]+len(p.lines[e.last]), ""), nil
}

// blockAdd adds an entry: in the place of the comment that shows it, or else as the first.
func (p *page) blockAdd(sectionKey, section *yaml.Node, c Change) (string, error) {
	if len(section.Content) == 0 || section.Content[0].Line == sectionKey.Line {
		return "", ErrLayout
	}
	first := section.Content[0]
	indent := first.Column - 1
	header := sectionKey.Line - 1
	if at, ok := p.silent(header, len(p.lines), indent, c.Key); ok {
		return p.replace(p.begin[at], p.end(at), strings.Repeat(" ", indent)+c.entry()), nil
	}
	return p.below(header, strings.Repeat(" ", indent), c), nil
}

// An extent is where the value of an entry stands.
type extent struct {
	value int // behind the colon
	end   int // of the value
	last  int // the last line
}

// entry finds the extent of an entry.
func (p *page) entry(key, value *yaml.Node) (e extent, ok bool) {
	if value.Kind != yaml.ScalarNode {
		return e, false
	}
	if e.value = p.colon(key); e.value < 0 {
		return e, false
	}
	e.last = key.Line - 1
	e.end = e.value
	if null(value) && value.Value == "" {
		return e, true
	}
	if value.Line == key.Line {
		from := p.at(value)
		if end := p.oneLine(value, from); end > 0 {
			e.end = end
			return e, true
		}
	}
	for i := key.Line; i < len(p.lines); i++ {
		switch line := p.lines[i]; {
		case blank(line):
		case indentOf(line) < key.Column:
			return e, e.last > key.Line-1
		default:
			e.last, e.end = i, p.end(i)
		}
	}
	return e, e.last > key.Line-1
}

// oneLine is the end of a value that ends in the line it begins in, or -1.
func (p *page) oneLine(value *yaml.Node, from int) int {
	line := p.text[from:p.end(value.Line-1)]
	if value.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		if end := quoteEnd(line, 0); end > 0 {
			return from + end
		}
		return -1
	}
	if end := plainEnd(line); value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && line[:end] == value.Value {
		return from + end
	}
	return -1
}

// colon is the place behind the colon of a key, or -1.
func (p *page) colon(key *yaml.Node) int {
	from := p.at(key)
	end := from + len(key.Value)
	if key.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		if end = quoteEnd(p.text, from); end < 0 {
			return -1
		}
	}
	for end < len(p.text) && p.text[end] == ' ' {
		end++
	}
	if end >= len(p.text) || p.text[end] != ':' {
		return -1
	}
	return end + 1
}
