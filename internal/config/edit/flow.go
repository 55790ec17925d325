package edit

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// An item is one entry of a mapping in braces.
type item struct {
	begin int // of the text behind the brace or comma before it
	end   int // the comma or brace behind it
}

// items finds the entries of the mapping whose brace is at open, and the closing brace.
func (p *page) items(open int) (list []item, closing int, ok bool) {
	depth, begin := 0, open+1
	fresh := true // a quote would begin a text here
	for i := open; i < len(p.text); i++ {
		c := p.text[i]
		switch {
		case c == '#' && (p.text[i-1] == ' ' || p.text[i-1] == '\n' || p.text[i-1] == '\t'):
			end := strings.IndexByte(p.text[i:], '\n')
			if end < 0 {
				return nil, 0, false
			}
			i += end
		case fresh && (c == '"' || c == '\''):
			end := quoteEnd(p.text, i)
			if end < 0 {
				return nil, 0, false
			}
			i, fresh = end-1, false
		case c == '{' || c == '[':
			depth++
			fresh = true
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				if strings.TrimSpace(p.text[begin:i]) != "" {
					list = append(list, item{begin, i})
				}
				return list, i, true
			}
			fresh = false
		case c == ',':
			if depth == 1 {
				list, begin = append(list, item{begin, i}), i+1
			}
			fresh = true
		case c == ':':
			fresh = true
		case c != ' ' && c != '\n' && c != '\r' && c != '\t':
			fresh = false
		}
	}
	return nil, 0, false
}

// flowAdd puts an entry before the others.
func (p *page) flowAdd(mapping *yaml.Node, entry string) (string, error) {
	open := p.at(mapping)
	list, _, ok := p.items(open)
	if !ok {
		return "", ErrLayout
	}
	if len(list) > 0 {
		entry += ", "
	}
	return p.replace(open+1, open+1, entry), nil
}

// flowChange changes a section in braces.
func (p *page) flowChange(section *yaml.Node, c Change) (string, error) {
	key, value := find(section, c.Key)
	if key == nil {
		return p.flowAdd(section, c.entry())
	}
	list, _, ok := p.items(p.at(section))
	if !ok || value.Kind != yaml.ScalarNode {
		return "", ErrLayout
	}
	from := p.at(key)
	for i, it := range list {
		if from < it.begin || from >= it.end {
			continue
		}
		to := p.valueEnd(key, value, it)
		switch {
		case !c.Remove:
			return p.replace(from, to, c.entry()), nil
		case i+1 < len(list):
			next := it.end + 1
			for next < len(p.text) && p.text[next] == ' ' {
				next++
			}
			return p.text[:from] + p.text[to:it.end] + p.text[next:], nil
		case i > 0: // the comma before it goes as well
			comma := list[i-1].end
			return p.text[:comma] + p.text[comma+1:from] + p.text[to:], nil
		}
		return p.replace(from, to, ""), nil
	}
	return "", ErrLayout
}

// valueEnd is the end of an entry without what follows its value, such as a comment.
func (p *page) valueEnd(key, value *yaml.Node, it item) int {
	if null(value) && value.Value == "" {
		if c := p.colon(key); c > 0 && c <= it.end {
			return c
		}
		return p.at(key) + len(key.Value)
	}
	from := p.at(value)
	if value.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		if end := quoteEnd(p.text[:it.end], from); end > 0 {
			return end
		}
	}
	return from + plainEnd(p.text[from:it.end])
}
