// Package edit changes single values of a configuration file that its owner wrote, and
// leaves everything else as it is: comments, order, layout.
//
// It works on the text, with the positions that YAML's reader gives. What it made is
// read again and compared with what was to come of it, so that the outcome is either
// exactly that or an error; a layout that it does not understand is the owner's to edit.
package edit

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"tasmota-azd/internal/boards"
)

// A Change is one value to be set, or with Remove to be taken away, if it is there.
type Change struct {
	Section, Key string // such as hub and host
	Value        string
	Remove       bool
	// Secret says that the value that stands there is to leave the file. Any other
	// that is removed stays behind as a comment.
	Secret bool
}

// Path is the name of the key, such as hub.host.
func (c Change) Path() string { return c.Section + "." + c.Key }

// ErrLayout is the error for a file that is in order, but written in a way that is not
// understood here.
var ErrLayout = errors.New("the file is laid out in a way that is not changed by itself")

// ErrSyntax is the error for a file that is not YAML, or not of sections and keys.
var ErrSyntax = errors.New("the file is not one of sections and keys")

// Apply returns the text with the changes, and those of them that changed something.
func Apply(text string, changes []Change) (string, []Change, error) {
	want, err := parse(text)
	if err != nil {
		return "", nil, err
	}
	var made []Change
	for _, c := range changes {
		if !c.apply(want) {
			continue
		}
		made = append(made, c)
		if text, err = c.write(text); err != nil {
			return "", nil, fmt.Errorf("%s: %w", c.Path(), err)
		}
	}
	got, err := parse(text)
	if err != nil || !same(want, got) {
		return "", nil, ErrLayout
	}
	return text, made, nil
}

// Value returns what stands for a key, empty if nothing does. A section without a name
// is the outermost.
func Value(text, section, key string) string {
	s, err := parse(text)
	if err != nil {
		return ""
	}
	if section != "" {
		_, s = find(s, section)
	}
	_, v := find(s, key)
	if v == nil || v.Kind != yaml.ScalarNode || null(v) {
		return ""
	}
	return v.Value
}

// parse returns the outermost mapping, one without entries for an empty text.
func parse(text string) (root *yaml.Node, err error) {
	defer func() {
		if recover() != nil { // the reader has panicked on malformed input before
			root, err = nil, ErrSyntax
		}
	}()
	if strings.ContainsAny(strings.ReplaceAll(text, "\r\n", "\n"), "\r\u0085\u2028\u2029\ufeff") {
		return nil, ErrSyntax // line breaks, or none, to YAML alone
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, ErrSyntax
	}
	if doc.Kind == 0 || null(doc.Content[0]) {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return nil, ErrSyntax
	}
	return doc.Content[0], nil
}

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func flow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

// find returns the entry of a key in a mapping, which may be nil.
func find(n *yaml.Node, key string) (k, v *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == key {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// apply changes the tree, and reports whether that changed anything.
func (c Change) apply(root *yaml.Node) bool {
	_, section := find(root, c.Section)
	_, value := find(section, c.Key)
	if c.Remove {
		return value != nil && c.drop(section, value)
	}
	if value != nil && !null(value) && value.Kind == yaml.ScalarNode && value.Value == c.Value {
		return false
	}
	set := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: c.Value}
	switch {
	case value != nil:
		*value = set
		return true
	case section == nil:
		section = &yaml.Node{Kind: yaml.MappingNode}
		root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: c.Section}, section)
	case null(section):
		*section = yaml.Node{Kind: yaml.MappingNode}
	}
	section.Content = append(section.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: c.Key}, &set)
	return true
}

// drop takes a value out of the tree. A key without a value says nothing, and stays.
func (c Change) drop(section, value *yaml.Node) bool {
	if null(value) {
		return false
	}
	for i, n := range section.Content {
		if n == value {
			section.Content = append(section.Content[:i-1:i-1], section.Content[i+1:]...)
			return true
		}
	}
	return false
}

// same reports whether two trees mean the same to this daemon, for which a section
// without entries is as good as none.
func same(a, b *yaml.Node) bool {
	if hollow(a) || hollow(b) {
		return hollow(a) && hollow(b)
	}
	if a.Kind != b.Kind || a.Kind == yaml.ScalarNode && (a.Value != b.Value || a.ShortTag() != b.ShortTag()) {
		return false
	}
	if a.Kind == yaml.MappingNode {
		return sameEntries(a, b) && sameEntries(b, a)
	}
	if len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

func hollow(n *yaml.Node) bool {
	return n == nil || null(n) || n.Kind == yaml.MappingNode && len(n.Content) == 0
}

// sameEntries reports whether what a has, b has.
func sameEntries(a, b *yaml.Node) bool {
	for i := 0; i+1 < len(a.Content); i += 2 {
		k, v := a.Content[i], a.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			return false
		}
		if k2, v2 := find(b, k.Value); !same(v, v2) || k2 == nil && !hollow(v) {
			return false
		}
	}
	return true
}

// write changes the text.
func (c Change) write(text string) (string, error) {
	root, err := parse(text)
	if err != nil { // of the change before
		return "", ErrLayout
	}
	p := page{text: text}
	p.index()
	sectionKey, section := find(root, c.Section)
	switch {
	case section == nil && flow(root):
		return p.flowAdd(root, c.Section+": {"+c.entry()+"}")
	case section == nil:
		return p.append(c), nil
	case flow(section) && section.Kind == yaml.MappingNode:
		return p.flowChange(section, c)
	case flow(root):
		return "", ErrLayout
	case null(section):
		return p.first(c, sectionKey, section)
	case section.Kind != yaml.MappingNode:
		return "", ErrLayout
	}
	return p.blockChange(sectionKey, section, c)
}

// entry is the key with its new value, as it is written.
func (c Change) entry() string { return c.Key + ": " + boards.Scalar(c.Value) }

// comment reports whether a line holds nothing but a comment.
func comment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

// blank reports whether a line holds nothing.
func blank(line string) bool { return strings.TrimSpace(line) == "" }
