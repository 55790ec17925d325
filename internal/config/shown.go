package config

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"tasmota-azd/internal/token"
)

// shown are the keys whose values others may see, by their paths. What is not listed is
// hidden, also a key that comes later: a test wants a decision on each.
var shown = map[string]bool{
	"hub.host": true, "hub.port": true, "hub.device_id": true, "hub.key_file": true, "hub.secondary_key_file": true,
	"hub.cert_file": true, "hub.cert_key_file": true, "hub.connection_string_file": true, "hub.transport": true,
	"hub.token_ttl": true, "hub.keep_alive": true, "hub.ca_file": true,
	"dps.scope_id": true, "dps.endpoint": true, "dps.registration_id": true, "dps.key_file": true, "dps.key_kind": true,
	"dps.cert_file": true, "dps.cert_key_file": true, "dps.ca_file": true,
	"ntp.servers[]": true,
	"gpio.driver":   true, "gpio.sim_dir": true, "gpio.on_stop": true, "gpio.stagger": true, "gpio.max_per_minute": true, "gpio.max_age": true,
	"board":            true,
	"relays[].channel": true, "relays[].name": true, "relays[].pin": true, "relays[].active_low": true,
	"relays[].min_interval": true, "relays[].max_age": true,
	"telemetry.period": true, "telemetry.full_topic": true, "telemetry.daily_limit": true, "telemetry.meter": true,
	"state_dir": true, "metrics.listen": true, "log.level": true, "log.format": true,
}

// A View is a configuration for other eyes.
type View struct {
	Text     []byte   // a line for each value: where it stands, its key, itself if it may be shown
	Files    []string // that the keys named …_file name
	StateDir string   // as it stands there, empty without one
}

// ViewOf reads a configuration, which may have mistakes as long as it is YAML. It shows
// no comment, no name of a key that there is not, and no value that may be a secret.
func ViewOf(r io.Reader, file string) (View, error) {
	root, err := read(r, file)
	if err != nil {
		return View{}, err
	}
	v := viewer{dir: filepath.Dir(file), keys: map[string]bool{}}
	for section, name := range known() {
		v.keys[join(section, name)] = true
	}
	v.node(root, "", "")
	return View{v.text.Bytes(), v.files, v.stateDir}, nil
}

// A viewer collects a View.
type viewer struct {
	dir      string
	keys     map[string]bool
	text     bytes.Buffer
	files    []string
	stateDir string
}

// node shows n. Its path is that of the list above, its place has the numbers of entries.
func (v *viewer) node(n *yaml.Node, path, place string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			if path := join(path, name); v.keys[path] {
				v.node(n.Content[i+1], path, join(place, name))
			} else {
				v.line(n.Content[i], join(place, "(no key of this release)"), hidden)
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			v.node(item, path+"[]", fmt.Sprintf("%s[%d]", place, i))
		}
	default:
		v.line(n, place, v.value(n, path))
	}
}

const hidden = "(hidden)"

func (v *viewer) value(n *yaml.Node, path string) string {
	_, notKey := token.ParseKey(n.Value)
	switch short := notKey == nil && !strings.HasPrefix(n.Value, "/"); { // or a path
	case n.Kind != yaml.ScalarNode || !shown[path] || short || secretive(n.Value):
		return hidden
	case n.ShortTag() == "!!null":
		return "(nothing)"
	}
	if strings.HasSuffix(path, "_file") {
		v.files = append(v.files, v.resolve(n.Value))
	}
	if path == "state_dir" {
		v.stateDir = v.resolve(n.Value)
	}
	return quote(n.Value)
}

func (v *viewer) resolve(name string) string {
	c := checker{dir: v.dir}
	return c.resolve(name)
}

func (v *viewer) line(n *yaml.Node, place, value string) {
	fmt.Fprintf(&v.text, "line %s: %s = %s\n", strconv.Itoa(n.Line), place, value)
}

// Conceal replaces what looks like a key, a connection string or a token in a text of
// lines that may hold anything, and returns in how many lines.
func Conceal(text []byte) (clean []byte, lines int) {
	for line := range bytes.Lines(text) {
		bare := bytes.TrimRight(line, "\n")
		if secretive(string(bare)) {
			lines++
			clean = append(append(clean, "(this line is hidden, it looks like it holds a key)"...), line[len(bare):]...)
			continue
		}
		clean = append(clean, line...)
	}
	return clean, lines
}
