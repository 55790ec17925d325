// Package gobuild compiles the programs of this module for the tests, with the build
// tag that the Makefile releases them with.
package gobuild

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// tags are the Makefile's TAGS: what is tested is what is shipped.
const tags = "nethttpomithttp2"

// Build compiles the package pkg, such as "tasmota-azd/cmd/hubsim", into the file bin.
// env adds to the environment, such as GOARCH=arm64, and flags to those of go build.
func Build(bin, pkg string, env []string, flags ...string) error {
	return compile([]string{"build"}, bin, pkg, env, flags...)
}

// Tests compiles the tests of a package, as Build does a program.
func Tests(bin, pkg string, env []string) error {
	return compile([]string{"test", "-c"}, bin, pkg, env)
}

func compile(command []string, bin, pkg string, env []string, flags ...string) error {
	args := slices.Concat(command, []string{"-tags", tags, "-o", bin}, flags, []string{pkg})
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// Root finds the project above the package that is being tested.
func Root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above this test")
	return ""
}
