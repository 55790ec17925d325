package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tasmota-azd/internal/config"
)

// TestReadmeNamesEveryKey holds the README against the sample configuration, which
// internal/config holds against the parser.
func TestReadmeNamesEveryKey(t *testing.T) {
	readme := read(t, "README.md")
	section := ""
	for line := range strings.Lines(read(t, "configs/config.yaml")) {
		// "# text" explains, "#key:" is a key that is off.
		m := regexp.MustCompile(`^( *)#?( *)(- )?([a-z_]+):`).FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(strings.TrimSpace(line), "# ") {
			continue
		}
		key := m[4]
		switch {
		case m[1]+m[2] == "" && m[3] == "":
			section = key
		case section == "relays":
			key = "relays[]." + key
		default:
			key = section + "." + key
		}
		if !strings.Contains(readme, "`"+key) {
			t.Errorf("README.md does not name the key %s", key)
		}
	}
}

// TestReadmeTellsOfKeys holds the table of the README against the parser: each key has
// one row, with its default, and with the words and limits of what it may be.
func TestReadmeTellsOfKeys(t *testing.T) {
	rows := map[string][]string{}
	name := regexp.MustCompile("`([a-z_.\\[\\]]+)`")
	for line := range strings.Lines(read(t, "README.md")) {
		cells := strings.Split(line, " | ")
		if len(cells) != 4 || !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(cells[0], -1) {
			rows[m[1]] = cells
		}
	}
	limit := regexp.MustCompile(`[0-9]+[0-9A-Za-z.]*`)
	words := regexp.MustCompile(`^[a-z]+(, [a-z]+)* or [a-z]+$`)
	for _, k := range config.Keys() {
		cells := rows[k.Path]
		if k.Allowed == "" {
			continue
		}
		if cells == nil {
			t.Errorf("the table of README.md has no row for %s", k.Path)
			continue
		}
		standard, _, _ := strings.Cut(strings.Trim(k.Default, `"[`), ",")
		if k.Default != "" && !strings.HasPrefix(cells[1], "`"+standard+"`") {
			t.Errorf("%s: README.md says that the default is %s, and it is %s", k.Path, cells[1], standard)
		}
		said := limit.FindAllString(k.Allowed, -1)
		if words.MatchString(k.Allowed) {
			said = strings.FieldsFunc(strings.Replace(k.Allowed, " or ", ", ", 1), func(r rune) bool { return r == ',' || r == ' ' })
		}
		for _, word := range said {
			if !regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).MatchString(cells[2]) {
				t.Errorf("%s: README.md says that it may be %s, and it may be %s", k.Path, cells[2], k.Allowed)
			}
		}
	}
}

// TestLinksLeadSomewhere follows the links between the documents of this repository.
func TestLinksLeadSomewhere(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "conformance/README.md")
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, file := range files {
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: link to %s: %v", file, m[1], err)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
