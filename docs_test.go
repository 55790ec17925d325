package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
