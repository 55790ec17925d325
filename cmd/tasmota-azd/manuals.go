//go:build manuals

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"tasmota-azd/internal/config/manual"
)

// With the build tag "manuals" this is not the daemon but the program that writes what
// a package has for the shell, into the directory that it is called with: a page of the
// manual for each command and for the configuration file, the completions, and the
// schema for editors.
func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manuals DIRECTORY")
		os.Exit(2)
	}
	if err := write(command(io.Discard, io.Discard), os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "manuals: %v\n", err)
		os.Exit(1)
	}
}

func write(root *cobra.Command, dir string) error {
	built, err := time.Parse("2006-01-02T15:04:05", buildTime)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true // it has the date of today
	header := &doc.GenManHeader{Section: "8", Date: &built, Source: "tasmota-azd " + version, Manual: "System Administration"}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return err
	}
	if err := writeSchema(dir); err != nil {
		return err
	}
	if err := create(filepath.Join(dir, "tasmota-azd.yaml.5"), func(w io.Writer) error { return manual.Write(w, version, built) }); err != nil {
		return err
	}
	if err := root.GenBashCompletionFileV2(filepath.Join(dir, "tasmota-azd.bash"), true); err != nil {
		return err
	}
	if err := root.GenZshCompletionFile(filepath.Join(dir, "_tasmota-azd")); err != nil {
		return err
	}
	return root.GenFishCompletionFile(filepath.Join(dir, "tasmota-azd.fish"), true)
}

// writeSchema writes what "tasmota-azd config schema" prints.
func writeSchema(dir string) error {
	return create(filepath.Join(dir, "config.schema.json"), func(w io.Writer) error {
		schema := command(w, io.Discard)
		schema.SetArgs([]string{"config", "schema"})
		return schema.Execute()
	})
}

// create makes a file with what fill writes.
func create(path string, fill func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}
