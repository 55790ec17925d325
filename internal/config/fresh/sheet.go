package fresh

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tasmota-azd/internal/boards"
)

// A sheet is the sample, line by line, being filled in.
type sheet struct {
	lines []string
	at    map[string]int // the line of each key, such as relays.pin
}

// setting is a line with a key, which has an effect or not.
var setting = regexp.MustCompile(`^( *)(- )?(#?)([a-z][a-z0-9_]*):( .*)?$`)

func newSheet(sample string) *sheet {
	s := &sheet{lines: strings.Split(sample, "\n"), at: map[string]int{}}
	section := ""
	for i, line := range s.lines {
		m := setting.FindStringSubmatch(line)
		switch {
		case m == nil:
		case m[1] == "":
			section = m[4]
			s.at[section] = i
		default:
			s.at[section+"."+m[4]] = i
		}
	}
	return s
}

func (s *sheet) String() string { return strings.Join(s.lines, "\n") }

// set gives a key a text, and takes the # before it away.
func (s *sheet) set(key, text string) { s.plain(key, boards.Scalar(text)) }

// plain gives a key a value as it is to be written.
func (s *sheet) plain(key, value string) {
	m := setting.FindStringSubmatch(s.lines[s.at[key]])
	s.lines[s.at[key]] = m[1] + m[2] + m[4] + ": " + value
}

// setIf does so if there is a value.
func (s *sheet) setIf(key, value string) {
	if value != "" {
		s.set(key, value)
	}
}

// off puts a # before a key.
func (s *sheet) off(key string) {
	m := setting.FindStringSubmatch(s.lines[s.at[key]])
	if m[3] == "" {
		s.lines[s.at[key]] = m[1] + "#" + m[2] + m[4] + ":" + m[5]
	}
}

// entries fills in the sample's entry of relays: with the first, and puts the others
// behind it. The key where says which relay each is.
func (s *sheet) entries(where string, relays []Relay, closesAt boards.Polarity) {
	s.set("relays.name", relays[0].Name)
	s.set(where, relays[0].At)
	activeLow := fmt.Sprint(closesAt == boards.Low)
	if closesAt != "" {
		s.plain("relays.active_low", activeLow)
	}
	var more []string
	for _, r := range relays[1:] {
		_, key, _ := strings.Cut(where, ".")
		more = append(more, "", "  - name: "+boards.Scalar(r.Name), "    "+key+": "+boards.Scalar(r.At))
		if closesAt != "" {
			more = append(more, "    active_low: "+activeLow)
		}
	}
	last := 0
	for key, i := range s.at {
		if strings.HasPrefix(key, "relays.") {
			last = max(last, i)
		}
	}
	s.lines = slices.Insert(s.lines, last+1, more...) // the last change: at is wrong from here on
}
