package config_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"tasmota-azd/internal/config"
)

// beyond is what a schema cannot say, or says worse: the mistakes that only the parser
// finds, by its words for them. Each must be met by a mutation.
var beyond = []struct{ name, words string }{
	{"a key that is needed, with or without another", `^is missing; `},
	{"a key that excludes another", `is given together with|is given as well as|is given, but|has no use with|has no place beside board:|has a meaning only beside board:`},
	{"a file that exists, and what is in it", ` does not exist; | cannot be read: |is not an ordinary file|this file holds|^in .*: |looks like the secret itself|certificate in PEM`},
	{"what is in a secret", `this is JSON|base64|bytes|connection string|nothing stands there|SharedAccess|looks like the name of a file|this is a key`},
	{"the range of a time", `is out of range; .*[smh]( is possible|\))|holds a part of a second`},
	{"how a number is spelled", `write it as [0-9]+; with a leading 0|is not a number; a plain number`},
	{"how a text is spelled that is a number or a truth value", ``}, // by spelledText
	{"a value that is in its list already", `is in the list already|is already the (name|pin) of|is the same relay as`},
	{"a relay that the board has", `is no relay of this board|which level switches its relays on`},
	{"pins by the numbers of a header or a chip", `write GPIO|write P1_|positions P1_1 to P1_40|this position of the header|is not a pin; |begins its offset with 0|the sim driver has`},
	{"an address that is another service's", `is the provisioning service|IoT Central|endpoint for events|is the portal`},
	{"an IPv6 address", `IPv6 address`},
	{"a port behind a colon", `the port after the colon`},
	{"a scope with the letter O", `begins with the letter O`},
	{"an id that is no registration id", `is the registration id too`},
}

// theSchema is the schema as the program prints it.
func theSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(config.Schema())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON is what an editor makes of YAML 1.2. Dates are texts there.
func asJSON(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.DocumentNode:
		return asJSON(t, n.Content[0])
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = asJSON(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := []any{}
		for _, item := range n.Content {
			l = append(l, asJSON(t, item))
		}
		return l
	}
	if tag := n.ShortTag(); tag == "!!str" || tag == "!!timestamp" {
		return n.Value
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatalf("%q: %v", n.Value, err)
	}
	return v
}

// A comparer holds the parser against the schema.
type comparer struct {
	schema           *jsonschema.Schema
	compiled         map[string]*regexp.Regexp
	file             string
	texts            map[string]bool // keys that hold a text
	met              map[string]int  // of beyond
	right            int
	refusedByBoth    int
	parserRefusesYet int
}

// compare has parser and schema judge a configuration, and fails the test where they
// differ in another way than beyond says. The change is what made it.
func (c *comparer) compare(t *testing.T, text, change string) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || doc.Kind == 0 {
		t.Fatalf("%v: %s", err, text)
	}
	refused := c.schema.Validate(asJSON(t, &doc))
	_, err := config.Parse(strings.NewReader(text), c.file)
	switch {
	case err == nil && refused != nil:
		t.Errorf("the parser takes what the schema refuses: %s\n%v", change, refused)
	case err == nil:
		c.right++
	case refused != nil:
		c.refusedByBoth++
	default:
		c.parserRefusesYet++
		for _, m := range err.(*config.Error).Mistakes {
			if !c.excused(m, &doc) {
				t.Errorf("the schema takes what the parser refuses: %s\n%s: %s", change, m.Key, m.Text)
			}
		}
	}
}

func (c *comparer) words(pattern string) *regexp.Regexp {
	if c.compiled[pattern] == nil {
		c.compiled[pattern] = regexp.MustCompile(pattern)
	}
	return c.compiled[pattern]
}

// excused reports whether a mistake is one that only the parser can find.
func (c *comparer) excused(m config.Mistake, doc *yaml.Node) bool {
	for _, b := range beyond {
		if b.words != "" && c.words(b.words).MatchString(m.Text) {
			c.met[b.name]++
			return true
		}
	}
	if spelledText(m, c.texts, doc) {
		c.met["how a text is spelled that is a number or a truth value"]++
		return true
	}
	return false
}

var index = regexp.MustCompile(`\[[0-9]+\]`)

// spelledText reports whether a mistake is about a text that is a number or a truth
// value to YAML.
func spelledText(m config.Mistake, texts map[string]bool, doc *yaml.Node) bool {
	key := index.ReplaceAllString(m.Key, "[]")
	if !texts[key] && !texts[strings.TrimSuffix(key, "[]")] {
		return false
	}
	found := false
	leaves(doc, "", func(_ string, n *yaml.Node) {
		found = found || n.Line == m.Line && slices.Contains([]string{"!!int", "!!float", "!!bool"}, n.ShortTag())
	})
	return found
}

// leaves calls f for all values of a document that are neither sections nor lists.
func leaves(n *yaml.Node, path string, f func(string, *yaml.Node)) {
	for i, child := range n.Content {
		switch n.Kind {
		case yaml.DocumentNode:
			leaves(child, "", f)
		case yaml.MappingNode:
			if i%2 == 1 {
				leaves(child, strings.TrimPrefix(path+"."+n.Content[i-1].Value, "."), f)
			}
		default:
			leaves(child, path+"[]", f)
		}
	}
	if n.Kind == yaml.ScalarNode {
		f(path, n)
	}
}

// bases are configurations without a mistake that together have every key.
func bases(t *testing.T) (texts []string, file string) {
	t.Helper()
	text, dir := filled(t)
	shown := setting.ReplaceAllStringFunc(text, func(line string) string {
		m := setting.FindStringSubmatch(line)
		exclusive := []string{"key", "key_file", "secondary_key_file", "cert_file", "cert_key_file", "connection_string",
			"connection_string_file", "registration_id", "ca_file", "board", "channel"}
		if m[3] == "" || slices.Contains(exclusive, m[4]) {
			return line
		}
		return strings.Replace(line, "#", "", 1)
	})
	shown = regexp.MustCompile(`(?m)^ *#.*\n`).ReplaceAllString(shown, "")
	texts = []string{
		shown,
		"hub: {connection_string: '" + connection + "', ca_file: }\nrelays: [{name: A, pin: GPIO17}, {name: B, pin: 18, active_low: true}]\n",
		"hub: {connection_string_file: device.connection}\n" + relays,
		"dps: {scope_id: 0ne00223A39, key: " + key + ", registration_id: pump-1, endpoint: 'h.example:443'}\n" + relays,
		"dps: {scope_id: 0ne00223A39, key_file: device.key}\nhub: {device_id: pump}\nboard: waveshare-rpi-relay-board\n" +
			"relays: [{channel: CH1, name: Pump, min_interval: 1m}, {channel: '2', active_low: false, max_age: 10s}]\n",
		"hub: {host: h.example, key: " + key + "}\ngpio: {driver: sim}\nntp: {servers: ['[2001:db8::1]:123', 'time.example:123']}\n" + relays,
	}
	if err := os.WriteFile(filepath.Join(dir, "device.connection"), []byte(connection), 0o600); err != nil {
		t.Fatal(err)
	}
	return texts, filepath.Join(dir, "config.yaml")
}

// spoilt are values in the place of one that is right.
func spoilt(rng *rand.Rand, right string) []string {
	all := []string{"null", "true", "True", "yes", "0", "1", "-1", "+5", "010", "0x1F", "1e3", "8.5", "8883.0", "70000", "400000000", "99999999999",
		"{}", "[]", "[x]", "{a: 1}", "''", "' x'", "'x '", "x", "off", "OFF", "2026-11-25", "60", "0s", "-0s", "5s", "90m", "1h30m", "49h", "1.5s", "5d", "10 s", "'8883'", "'true'",
		"GPIO5", "GPIO017", "gpio17", "P1_6", "P1_11", "'7J1 Header Pin11'", "gpiochip0:17", "gpiochip0:017", "'17'", "'-'",
		"h.azure-devices.net", "'h.azure-devices.net.'", "my.azureiotcentral.com", "global.azure-devices-provisioning.net", "'https://h.example'", "'h.example:8883'", "'h.example:0'",
		"'[::1]'", "'[x]'", "'a/b'", "'a//b'", "'a#b'", "'50%'", "'%topic%/x'", "'" + key + "'", "one0022", "device.key", "'~/x'", "'$HOME/x'", "/x", "group", "mqtt", "4KB", "CH1", "CH9", "Pump",
		"generic-optocoupler", "piface-digital-2", "waveshare-rpi-relay-board", strings.Repeat("x", 70), strings.Repeat("x", 130), strings.Repeat("x.", 140) + "x", `"\u0001"`, `"\t"`, "ü"}
	for range 12 { // letters of the right one, changed
		r := []rune(right + "x")
		i := rng.IntN(len(r))
		r[i] = []rune("ax0 -_./:#%+$~ü,@")[rng.IntN(17)]
		all = append(all, "'"+strings.ReplaceAll(string(r), "'", "''")+"'")
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:len(all)*6/10]
}

// TestSchemaAgrees mutates configurations, and lets parser and schema judge them. What
// the parser takes the schema must take: an editor draws no line under what is right.
// What only the parser refuses must be in beyond.
func TestSchemaAgrees(t *testing.T) {
	texts, file := bases(t)
	c := &comparer{schema: theSchema(t), compiled: map[string]*regexp.Regexp{}, file: file, texts: map[string]bool{}, met: map[string]int{}}
	for _, k := range config.Keys() {
		c.texts[k.Path] = k.Allowed != ""
	}
	rng := rand.New(rand.NewPCG(5, 13))
	for _, text := range texts {
		if _, err := config.Parse(strings.NewReader(text), file); err != nil {
			t.Fatal(err)
		}
		c.compare(t, text, "nothing changed")
		mutate(t, text, rng, func(mutant, change string) { c.compare(t, mutant, change) })
	}
	t.Logf("%d mutants: %d right, %d refused by both, %d by the parser alone: %v",
		c.right+c.refusedByBoth+c.parserRefusesYet, c.right, c.refusedByBoth, c.parserRefusesYet, c.met)
	for _, b := range beyond {
		if c.met[b.name] == 0 {
			t.Errorf("no mutation has %s: is it beyond a schema?", b.name)
		}
	}
	if min(c.right, c.refusedByBoth, c.parserRefusesYet) < 200 {
		t.Error("too few mutants of one kind to tell anything")
	}
}

// mutate calls f with each mutant of a configuration: values and sections replaced,
// keys removed, misspelt, and put where others have them.
func mutate(t *testing.T, text string, rng *rand.Rand, f func(mutant, change string)) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	emit := func(change string) {
		out, err := yaml.Marshal(&doc)
		if err != nil {
			t.Fatal(err)
		}
		f(string(out), change)
	}
	var walk func(n *yaml.Node)
	replace := func(n *yaml.Node) {
		was := *n
		for _, value := range spoilt(rng, was.Value) {
			var other yaml.Node
			if err := yaml.Unmarshal([]byte(value), &other); err != nil {
				t.Fatalf("%s: %v", value, err)
			}
			*n = *other.Content[0]
			emit(was.Value + " -> " + value)
		}
		*n = was
	}
	walk = func(n *yaml.Node) {
		for i, child := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				name := child.Value
				for _, other := range []string{name + "s", strings.ToUpper(name), name[1:], "port", "ca_file", "key_file", "channel", "pin"} {
					if has(n, other) {
						continue
					}
					child.Value = other
					emit(name + ": -> " + other + ":")
				}
				child.Value = name
				all := n.Content
				n.Content = slices.Delete(slices.Clone(all), i, i+2)
				emit("without " + name)
				n.Content = all
				continue
			}
			walk(child)
			if n.Kind != yaml.DocumentNode {
				replace(child)
			}
		}
	}
	walk(&doc)
}

func has(section *yaml.Node, key string) bool {
	for i := 0; i < len(section.Content); i += 2 {
		if section.Content[i].Value == key {
			return true
		}
	}
	return false
}

// TestSchemaOfBadFiles judges the files that the parser's own test has.
func TestSchemaOfBadFiles(t *testing.T) {
	schema := theSchema(t)
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	refused := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil || doc.Kind == 0 || strings.Contains(file, "anchors") || strings.Contains(file, "bomb") {
			continue // not for a schema
		}
		if schema.Validate(asJSON(t, &doc)) != nil {
			refused++
		}
	}
	t.Logf("of %d files with mistakes the schema refuses %d", len(files), refused)
	if refused < len(files)/3 {
		t.Error("fewer than a third")
	}
}

// TestKeysExplained holds the sample against the parser once more: each key is
// explained, and what the schema calls a default is the default.
func TestKeysExplained(t *testing.T) {
	var doc strings.Builder
	fmt.Fprintf(&doc, "hub: {host: h.azure-devices.net, key: %s}\n", key)
	sections := map[string][]string{}
	for _, k := range config.Keys() {
		if k.About == "" {
			t.Errorf("the sample does not explain %s", k.Path)
		}
		section, name, _ := strings.Cut(k.Path, ".")
		if k.Default != "" && section != "hub" {
			sections[section] = append(sections[section], name+": "+k.Default)
		}
	}
	for section, keys := range sections {
		switch {
		case section == "relays[]":
			fmt.Fprintf(&doc, "relays: [{name: Pump, pin: GPIO17, %s}]\n", strings.Join(keys, ", "))
		case strings.HasPrefix(keys[0], ": "):
			fmt.Fprintf(&doc, "%s%s\n", section, keys[0])
		default:
			fmt.Fprintf(&doc, "%s: {%s}\n", section, strings.Join(keys, ", "))
		}
	}
	got := parse(t, doc.String())
	sameKey(t, &got.Hub.Key, key)
	want := defaults()
	want.Hub.Host = "h.azure-devices.net"
	same(t, got, want)
}
