package twin

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strings"
)

var errNoObject = errors.New("not an object of properties")

// Parse reads one half of a twin. Members that are the hub's own, such as $version,
// are left out.
func Parse(text json.RawMessage) (Document, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc Document
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, errNoObject
	}
	maps.DeleteFunc(doc, func(name string, _ any) bool { return strings.HasPrefix(name, "$") })
	return doc, nil
}

// Diff returns the merge patch that makes want of have; it is empty if they are the
// same. What is not in want is removed: all reported properties are the device's own.
func Diff(have, want Document) Document {
	patch := Document{}
	for name := range have {
		if _, ok := want[name]; !ok {
			patch[name] = nil
		}
	}
	for name, w := range want {
		h, ok := have[name]
		inner, innerHave := object(w), object(h)
		switch {
		case inner != nil && innerHave != nil:
			if p := Diff(innerHave, inner); len(p) > 0 {
				patch[name] = map[string]any(p)
			}
		case !ok || !equal(h, w):
			patch[name] = w
		}
	}
	markComponents(patch, want)
	return patch
}

// Whole returns a merge patch that says all of want, and removes what only have has.
func Whole(have, want Document) Document { return over(Diff(have, want), want) }

// over lays all of want over a patch. What the patch removes stays removed.
func over(patch, want Document) Document {
	out := maps.Clone(patch)
	if out == nil {
		out = Document{}
	}
	for name, w := range want {
		out[name] = w
		if inner := object(w); inner != nil {
			out[name] = map[string]any(over(object(patch[name]), inner))
		}
	}
	return out
}

// markComponents puts the mark that makes a component of an object into each patch
// of one (contract, section 11.4).
func markComponents(patch, want Document) {
	for name, p := range patch {
		inner, whole := object(p), object(want[name])
		if mark, ok := whole["__t"]; ok && inner != nil {
			inner["__t"] = mark
		}
	}
}

// Merge returns have as it is after a merge patch (contract, section 6.3).
func Merge(have, patch Document) Document {
	out := maps.Clone(have)
	if out == nil {
		out = Document{}
	}
	for name, p := range patch {
		switch inner := object(p); {
		case p == nil:
			delete(out, name)
		case inner != nil:
			out[name] = map[string]any(Merge(object(out[name]), inner))
		default:
			out[name] = p
		}
	}
	return out
}

// object returns v as a document if it is an object, else nil.
func object(v any) Document {
	switch v := v.(type) {
	case map[string]any:
		return v
	case Document:
		return v
	}
	return nil
}

// equal compares values of which at most one is an object.
func equal(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}
