package boards

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Entry is one entry of relays: in a configuration.
type Entry struct {
	Name        string
	Pin         string // empty: not known; the configuration is refused until it is filled in
	Active      Polarity
	MinInterval time.Duration
	Comment     string // behind the pin
}

// Entries returns the relays of the board under their labels.
func (b Board) Entries() []Entry {
	var all []Entry
	for _, c := range b.Channels {
		all = append(all, Entry{Name: c.Label, Pin: c.Pin, Active: b.Active})
	}
	return all
}

// WriteRelays writes the section relays: of a configuration. A relay of unknown
// polarity gets no pin, so that the section cannot be used before it is known.
func WriteRelays(w io.Writer, entries []Entry) error {
	var text strings.Builder
	text.WriteString("relays:\n")
	for _, e := range entries {
		fmt.Fprintf(&text, "  - name: %s\n", Scalar(e.Name))
		pin := ""
		if e.Pin != "" && e.Active != Unknown {
			pin = " " + Scalar(e.Pin)
		}
		if e.Comment != "" {
			pin += " # " + e.Comment
		}
		fmt.Fprintf(&text, "    pin:%s\n", pin)
		if e.Active != Unknown {
			fmt.Fprintf(&text, "    active_low: %t\n", e.Active == Low)
		}
		if e.MinInterval != 0 {
			fmt.Fprintf(&text, "    min_interval: %v\n", e.MinInterval)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// plain is a text that YAML reads as the same text without quotes: a letter, then
// nothing that YAML knows.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _.+/()-]*[A-Za-z0-9)]$`)

// words are plain, but YAML 1.1 or 1.2 reads something else (resolution of tags).
var words = []string{"true", "false", "yes", "no", "on", "off", "null"}

// Scalar writes a text as YAML, in quotes unless it is surely plain. Go's escapes are
// among those of YAML. Package yaml could do it too; its writer has 100 kB.
func Scalar(text string) string {
	if plain.MatchString(text) && !slices.Contains(words, strings.ToLower(text)) {
		return text
	}
	return strconv.Quote(text)
}

// Show writes the board as YAML that can be pasted into a configuration, with
// what its owner should know as comments.
func (b Board) Show(w io.Writer) error {
	if _, err := io.WriteString(w, b.about()); err != nil || b.Unsupported != "" {
		return err
	}
	if b.Active == Unknown {
		_, err := io.WriteString(w, b.untested())
		return err
	}
	if _, err := fmt.Fprintf(w, "#\n# Either write this line alone:\n#\n#board: %s\n#\n# or paste all of this:\n", b.Name); err != nil {
		return err
	}
	return WriteRelays(w, b.Entries())
}

// about is what comes before the relays.
func (b Board) about() string {
	var text strings.Builder
	fmt.Fprintf(&text, "# %s\n", b.Title)
	switch {
	case b.Unsupported != "":
		fmt.Fprintf(&text, "# Not supported: %s.\n", b.Unsupported)
	case b.Active == Unknown:
		text.WriteString("# It is not known which level of a pin closes a relay.\n")
	default:
		fmt.Fprintf(&text, "# A relay closes when its pin is %s.\n", b.Active)
	}
	for _, c := range b.Conflicts {
		fmt.Fprintf(&text, "# %s uses %s as well. To switch it off: %s\n", c.Function, strings.Join(c.Pins, ", "), c.Off)
	}
	for _, n := range b.Notes {
		fmt.Fprintf(&text, "# %s\n", n)
	}
	for _, s := range b.Sources {
		fmt.Fprintf(&text, "# Source: %s\n", s)
	}
	return text.String()
}

// untested is the section of a board whose owner has yet to try it.
func (b Board) untested() string {
	var text strings.Builder
	fmt.Fprintf(&text, "#\n# \"tasmota-azd board test %s\" finds out, and prints the section to paste.\n", b.Name)
	text.WriteString("# Who knows already may paste this, and write true or false behind each active_low:\n")
	fmt.Fprintf(&text, "board: %s\nrelays:\n", b.Name)
	for _, c := range b.Channels {
		fmt.Fprintf(&text, "  - channel: %s\n    active_low:\n", Scalar(c.Label))
	}
	return text.String()
}
