// Command copyright writes the copyright file of a package: the licences of a program
// and of every module that is linked into it, as the program's own build information
// lists them. It fails when one has a licence that nobody has agreed to yet, so it is
// the licence check as well.
package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: copyright PROGRAM")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "copyright: %v\n", err)
		os.Exit(1)
	}
}

// run writes the file for the program at path.
func run(path string, w io.Writer) error {
	modules, err := linked(path)
	if err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString(head)
	for _, m := range modules {
		p, err := m.paragraph()
		if err != nil {
			return err
		}
		text.WriteString(p)
	}
	_, err = io.WriteString(w, text.String())
	return err
}

// A module is a part of the program that has a licence of its own.
type module struct{ path, dir string }

// linked lists the modules in the program, and Go itself, of which there is some in
// every program.
func linked(program string) ([]module, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	root, err := ask("env", "GOROOT")
	if err != nil {
		return nil, err
	}
	all := []module{{"Go " + info.GoVersion, root}}
	for _, d := range info.Deps {
		dir, err := ask("list", "-m", "-f", "{{.Dir}}", d.Path)
		if err != nil {
			return nil, err
		}
		all = append(all, module{d.Path + " " + d.Version, dir})
	}
	return all, nil
}

// ask returns what the go command says.
func ask(args ...string) (string, error) {
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// names are those of the files with a licence; the first that is there counts. edl-v10
// comes first: Paho may be had under that, a BSD licence, or under the EPL.
var names = []string{"edl-v10", "LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING"}

// read returns the licence of the module, and what its authors want to be told along.
func (m module) read() (licence, notice string, err error) {
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(m.dir, name))
		if err != nil {
			continue
		}
		notice, _ := os.ReadFile(filepath.Join(m.dir, "NOTICE")) // most have none
		return string(text), string(notice), nil
	}
	return "", "", fmt.Errorf("%s has no file with a licence", m.path)
}
