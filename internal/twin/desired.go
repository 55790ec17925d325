package twin

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// A Wish is one desired property that is to be dealt with.
type Wish struct {
	Path    string          // where it stands, such as "relays/1/power" or "relay1/on"
	Want    json.RawMessage // as it was written
	Command string          // what to run for it, such as "POWER1"
	Arg     string          // such as "ON"

	// Err says why it cannot be run: ErrUnknown, or a mistake in the value.
	Err error
}

// ErrUnknown says that there is no such setting.
var ErrUnknown = errors.New("no setting of this device")

// maxRelay is the highest relay that is looked at. No device has more than 32.
const maxRelay = 99

// Changes returns what is to be done about a whole document of desired properties,
// in the order in which to do it: settings in the order given, then relays by their
// number. What was desired before, and dealt with, is left out: it was applied when
// it was written, and others may have switched since. gone are the paths in known
// that are desired no longer.
func Changes(desired json.RawMessage, known Memory, settings []Setting) (todo []Wish, gone []string, err error) {
	f, err := flatten(desired, settings)
	if err != nil {
		return nil, nil, err
	}
	present := make(map[string]bool)
	for _, w := range f.wishes {
		present[w.Path] = true
		if before, ok := known[w.Path]; !ok || !same(before.Want, w.Want) {
			todo = append(todo, w)
		}
	}
	for path := range known {
		if !present[path] {
			gone = append(gone, path)
		}
	}
	slices.Sort(gone)
	return todo, gone, nil
}

// Patch returns what is to be done about a change of desired properties, as Changes
// does. All that is in it was written just now, also if it was desired before.
func Patch(patch json.RawMessage, known Memory, settings []Setting) (todo []Wish, gone []string, err error) {
	f, err := flatten(patch, settings)
	if err != nil {
		return nil, nil, err
	}
	for path := range known {
		if slices.ContainsFunc(f.removed, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") }) {
			gone = append(gone, path)
		}
	}
	slices.Sort(gone)
	return f.wishes, gone, nil
}

// flat is a document of desired properties, taken apart.
type flat struct {
	settings []Setting
	wishes   []Wish
	removed  []string // paths of what is null
}

func flatten(doc json.RawMessage, settings []Setting) (flat, error) {
	f := flat{settings: settings}
	root, ok := members(doc)
	if !ok {
		return f, errors.New("desired properties that are no object")
	}
	for name, value := range root {
		switch {
		case f.null(name, value) || strings.HasPrefix(name, "$"):
		case name == "relays":
			f.relays(value)
		case name == "settings":
			f.group(value)
		default:
			f.plugAndPlay(name, value)
		}
	}
	slices.SortFunc(f.wishes, f.order)
	return f, nil
}

// relays takes {"1":{"power":"ON"}} apart. Members that are not known are left to
// whoever wrote them.
func (f *flat) relays(value json.RawMessage) {
	all, _ := members(value)
	for name, relay := range all {
		n, ok := number(name)
		if f.null("relays/"+name, relay) || !ok {
			continue
		}
		inner, _ := members(relay)
		path := "relays/" + name + "/power"
		if power, ok := inner["power"]; ok && !f.null(path, power) {
			f.power(path, n, power)
		}
	}
}

// group takes {"TelePeriod":60} apart.
func (f *flat) group(value json.RawMessage) {
	all, _ := members(value)
	for name, v := range all {
		if path := "settings/" + name; name != "ack" && !f.null(path, v) {
			f.setting(path, name, v)
		}
	}
}

// plugAndPlay takes a property of the model: of a component relay1, or one of the
// settings.
func (f *flat) plugAndPlay(name string, value json.RawMessage) {
	if index, ok := strings.CutPrefix(name, "relay"); ok {
		n, ok := number(index)
		inner, ok2 := members(value)
		path := name + "/on"
		if on, ok3 := inner["on"]; ok && ok2 && ok3 && !f.null(path, on) {
			f.power(path, n, on)
		}
		return
	}
	if f.known(name) >= 0 {
		f.setting(name, name, value)
	}
}

func (f *flat) power(path string, n int, value json.RawMessage) {
	w := Wish{Path: path, Want: value, Command: "POWER" + strconv.Itoa(n)}
	w.Arg, w.Err = state(value)
	f.wishes = append(f.wishes, w)
}

func (f *flat) setting(path, name string, value json.RawMessage) {
	w := Wish{Path: path, Want: value, Command: name}
	w.Arg, w.Err = scalar(value)
	if f.known(name) < 0 {
		w.Err = ErrUnknown
	}
	f.wishes = append(f.wishes, w)
}

// known returns the place of a setting among those that there are, or -1. The letter
// case of a command does not count.
func (f *flat) known(name string) int {
	return slices.IndexFunc(f.settings, func(s Setting) bool { return strings.EqualFold(s.Name, name) })
}

// null notes what is removed.
func (f *flat) null(path string, value json.RawMessage) bool {
	if string(value) != "null" {
		return false
	}
	f.removed = append(f.removed, path)
	return true
}

// order puts settings before relays, as a setting may change what a relay does;
// where a thing is desired in both forms, Plug and Play comes later and counts.
func (f *flat) order(a, b Wish) int {
	return cmp.Or(cmp.Compare(f.rank(a), f.rank(b)), strings.Compare(a.Path, b.Path))
}

func (f *flat) rank(w Wish) int {
	form := 0
	if !strings.HasPrefix(w.Path, "relays/") && !strings.HasPrefix(w.Path, "settings/") {
		form = 1
	}
	if n, ok := strings.CutPrefix(w.Command, "POWER"); ok {
		if relay, ok := number(n); ok { // and not the setting PowerOnState
			return 1000 + 2*relay + form
		}
	}
	return 2*(f.known(w.Command)+1) + form
}
