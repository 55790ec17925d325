package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// fill puts what root says into w, and notes what does not belong there.
func (b *book) fill(w *written, root *yaml.Node) {
	b.into(w, root, "", root.Line)
}

// A filler takes its value from a node itself. The node is nil if there is no
// value; line is then that of the section.
type filler interface {
	fill(b *book, n *yaml.Node, path string, line int)
}

// into fills dst, a pointer to a filler or to a struct, from n. It descends
// without n as well, so that every value knows its path and a line.
func (b *book) into(dst any, n *yaml.Node, path string, line int) {
	if n != nil {
		line = n.Line
		n = b.usable(n, path)
	}
	if f, ok := dst.(filler); ok {
		f.fill(b, n, path, line)
		return
	}
	b.section(reflect.ValueOf(dst).Elem(), n, path, line)
}

// usable returns n, or nil if it is null or uses a part of YAML that this
// file does without.
func (b *book) usable(n *yaml.Node, path string) *yaml.Node {
	switch {
	case n.Kind == yaml.AliasNode:
		b.unfit(n, path, "anchors and aliases are not used in this file; write the value itself, in quotes if it begins with *")
	case n.Style&yaml.TaggedStyle != 0:
		b.unfit(n, path, "tags are not used in this file; write the value in quotes if it begins with !")
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
	default:
		return n
	}
	return nil
}

// unfit notes that n cannot be the value of a key, which is then not reported
// as missing as well.
func (b *book) unfit(n *yaml.Node, path, text string) {
	b.note(n.Line, path, text)
	b.excuse(path)
}

// section fills the struct dst from a mapping.
func (b *book) section(dst reflect.Value, n *yaml.Node, path string, line int) {
	if n != nil && n.Kind != yaml.MappingNode {
		b.unfit(n, path, notSection(n, names(dst.Type())))
		n = nil
	}
	values := b.entries(n, path, dst.Type())
	for name, i := range fields(dst.Type()) {
		e, ok := values[name]
		if !ok {
			e.line = line
		}
		b.into(dst.Field(i).Addr().Interface(), e.value, join(path, name), e.line)
	}
}

func notSection(n *yaml.Node, names []string) string {
	what := fmt.Sprintf("keys are expected here, indented and one a line: %s", strings.Join(names, ", "))
	if n.Kind == yaml.ScalarNode {
		return said(n.Value, what)
	}
	return what + `; without "- " before them`
}

// An entry is the value of a key and the line of the key.
type entry struct {
	value *yaml.Node
	line  int
}

// entries returns the known keys of a mapping, and notes the others.
func (b *book) entries(n *yaml.Node, path string, section reflect.Type) map[string]entry {
	if n == nil {
		return nil
	}
	found := map[string]entry{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0 || key.ShortTag() == "!!merge" {
			b.note(key.Line, path, "a key must be a simple word; nothing else of YAML is used here")
			continue
		}
		first, twice := found[key.Value]
		switch {
		case !slices.Contains(names(section), key.Value):
			b.unknown(key, path, names(section))
		case twice:
			b.note(key.Line, join(path, key.Value), fmt.Sprintf("is given twice, first in line %d; remove one of the two", first.line))
		default:
			found[key.Value] = entry{value, key.Line}
		}
	}
	return found
}

func (s *scalar) fill(b *book, n *yaml.Node, path string, line int) {
	*s = scalar{path: path, line: line}
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		b.unfit(n, path, "takes one value, not a list")
	case n.Kind == yaml.MappingNode:
		b.unfit(n, path, "takes one value, no keys of its own; a text with braces or with a colon and a blank needs quotes")
	default:
		s.text, s.tag = n.Value, n.ShortTag()
		s.plain = n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
		s.given = true
	}
}

// maxItems is the longest list that is looked at.
const maxItems = 1000

func (l *list[T]) fill(b *book, n *yaml.Node, path string, line int) {
	*l = list[T]{path: path, line: line}
	switch {
	case n == nil:
	case n.Kind != yaml.SequenceNode:
		b.unfit(n, path, `is a list: each entry begins with "- ", or all stand in [ ]`)
	case len(n.Content) > maxItems:
		b.unfit(n, path, fmt.Sprintf("has %d entries, far too many", len(n.Content)))
	default:
		l.given = true
		l.items = make([]T, len(n.Content))
		for i, item := range n.Content {
			b.into(&l.items[i], item, fmt.Sprintf("%s[%d]", path, i), item.Line)
		}
	}
}
