package config

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tasmota-azd/configs"
)

// A Key is one key of the file, as the schema and the manual explain it.
type Key struct {
	Path    string // hub.port, relays[].pin; of a section hub
	Allowed string // what its value may be, in words; empty for a section
	Default string // as it is written; empty without one, or if it depends
	Example string // as it is written, of a key without default
	About   string // one paragraph, from the comments of the sample
	Heading string // of the part of the file that begins with this key
}

// Keys returns all keys in the order of the sample.
func Keys() []Key {
	all, shown, rules := []Key(nil), explained(configs.Sample), rules()
	for section, name := range known() {
		path := join(section, name)
		e := shown[path]
		k := Key{Path: path, About: e.about, Heading: e.heading}
		if r, ok := rules[path]; ok {
			k.Allowed = r.allowed()
			if e.off && hasDefault(r) && !strings.Contains(e.about, "By default") { // which tells of another key
				k.Default = e.value
			} else {
				k.Example = e.value
			}
		}
		all = append(all, k)
	}
	slices.SortStableFunc(all, func(a, b Key) int { return cmp.Compare(shown[a.Path].line, shown[b.Path].line) })
	return all
}

// Schema returns the JSON schema (draft 7) of the file. What it refuses Parse refuses
// too; what it cannot say, such as that a file exists, only Parse does.
func Schema() map[string]any {
	s := schemaBook{keys: map[string]Key{}, rules: rules()}
	for _, k := range Keys() {
		s.keys[k.Path] = k
	}
	root := s.section(reflect.TypeFor[written](), "")
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Configuration of tasmota-azd"
	root["type"] = "object"
	return root
}

// A schemaBook has what is known of the keys besides their types.
type schemaBook struct {
	keys  map[string]Key
	rules map[string]rule
}

// section is the schema of a section: a struct of the parser.
func (s schemaBook) section(section reflect.Type, path string) map[string]any {
	properties := map[string]any{}
	for name, i := range fields(section) {
		properties[name] = s.value(section.Field(i).Type, join(path, name))
	}
	return map[string]any{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
}

func (s schemaBook) value(value reflect.Type, path string) map[string]any {
	var m map[string]any
	switch value {
	case reflect.TypeFor[scalar]():
		m = s.rules[path].schema()
	case reflect.TypeFor[list[scalar]]():
		m = entries(s.rules[path].schema(), maxServers)
	case reflect.TypeFor[list[writtenRelay]]():
		m = entries(s.section(reflect.TypeFor[writtenRelay](), path+"[]"), maxRelays)
	default:
		m = s.section(value, path)
	}
	k := s.keys[path]
	m["description"] = k.About
	if k.Default != "" {
		m["default"] = plainValue(k.Default)
	}
	if k.Example != "" {
		m["examples"] = []any{plainValue(k.Example)}
	}
	return m
}

// entries is the schema of a list. An entry, other than a value, is never empty.
func entries(entry map[string]any, most int) map[string]any {
	if types, ok := entry["type"].([]string); ok {
		entry["type"] = types[:len(types)-1] // all but null, which comes last
	}
	return map[string]any{"type": []string{"array", "null"}, "items": entry, "maxItems": most}
}

// plainValue is a value as YAML reads it.
func plainValue(text string) (value any) {
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		panic(err) // the sample is built in, and a test reads it
	}
	return value
}

// An explanation is what the sample says of a key.
type explanation struct {
	about, heading, value string
	off                   bool // the line has no effect as it stands
	line                  int
}

var (
	sampleLine = pattern(`^( *)(?:- )?(#?)([a-z][a-z0-9_]*):(?: (.*))?$`)
	headLine   = pattern(`^# -+ (.*?) -+$`)
)

// explained reads the sample. The comment right above a key explains it; without one
// it shares that of the key before.
func explained(sample string) map[string]explanation {
	all := map[string]explanation{}
	var about []string
	var section, last, heading string
	for line := range strings.Lines(sample) {
		line = strings.TrimRight(line, "\n")
		if m := headLine().FindStringSubmatch(line); m != nil {
			heading, about = m[1], nil
			continue
		}
		if comment, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "# "); ok {
			about = append(about, comment)
			continue
		}
		m := sampleLine().FindStringSubmatch(line)
		if m == nil {
			about = nil
			continue
		}
		if len(about) > 0 {
			last, about = strings.Join(about, " "), nil
		}
		path := samplePath(&section, m)
		all[path] = explanation{about: last, heading: heading, value: m[4], off: m[2] != "", line: len(all)}
		heading = ""
	}
	return all
}

// samplePath is the path of the key in a line, of which section begins or goes on.
func samplePath(section *string, line []string) string {
	switch indent, name := line[1], line[3]; {
	case indent == "":
		*section = name
		return name
	case *section == "relays":
		return "relays[]." + name
	default:
		return join(*section, name)
	}
}
