package packages_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wanted are the steps of the README's installation, each of which the journey takes.
var wanted = []string{"after a change of the configuration", "check and start", "configure", "enroll", "get the package",
	"go back", "install", "purge", "remove", "upgrade"}

// readme are the commands of the README's section about installation, by the bold words
// before them, and those of its table of upgrades. What follows under a heading of its own
// is about other ways.
func readme(t *testing.T) map[string]string {
	t.Helper()
	_, section, ok := strings.Cut(read(t, "../../README.md"), "\n## Install it on a Raspberry Pi\n")
	section, _, ended := strings.Cut(section, "\n### ")
	if !ok || !ended {
		t.Fatal("the README has no such section")
	}
	steps := map[string]string{}
	step := regexp.MustCompile("(?s)\\*\\*([^*]+)\\*\\*|```sh\n(.*?)```|```.*?```")
	name := ""
	for _, m := range step.FindAllStringSubmatch(section, -1) {
		switch {
		case m[1] != "":
			name = strings.ToLower(m[1])
		case m[2] != "":
			steps[name] += m[2]
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `(sudo apt [^`]+)`").FindAllStringSubmatch(section, -1)
	for i, name := range []string{"upgrade", "go back", "remove", "purge"} {
		if len(rows) != 4 {
			t.Fatalf("the table has the commands %q", rows)
		}
		steps[name] = rows[i][1] + "\n"
	}
	if got := slices.Sorted(maps.Keys(steps)); !slices.Equal(got, wanted) {
		t.Fatalf("the README has commands for %q; the journey takes %q", got, wanted)
	}
	return steps
}

// older is a release from before configurations could be reloaded and devices enrolled: its
// program knows nothing of what later ones keep.
const older = "a2c2aee6d99c"

// release builds the package of a release.
func release(t *testing.T, commit, version string) string {
	t.Helper()
	if commit != "" && exec.Command("git", "cat-file", "-e", commit).Run() != nil {
		t.Logf("NOT TESTED with an older program: this clone has no commit %s", commit)
		commit = ""
	}
	dist, err := build(building{dir: filepath.Join(work, version), commit: commit, version: version})
	if err != nil {
		t.Fatal(err)
	}
	return deb(t, dist)
}

// TestReadmeSteps needs no machine: it says at once when the README has other steps.
func TestReadmeSteps(t *testing.T) {
	if get := readme(t)["get the package"]; !strings.HasPrefix(get, "make packages DEBS=arm64 ") {
		t.Errorf("the package is had by other means than the test's: %s", get)
	}
}
