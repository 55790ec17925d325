package main

import (
	"fmt"
	"slices"
	"strings"
)

// head is about the program itself.
const head = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tasmota-azd
Comment: The program is linked statically. After its own licence come those of the
 modules that are in it.

Files: *
Copyright: the authors of tasmota-azd
License: Apache-2.0
` + apache

const apache = ` On Debian systems, the full text of the Apache License, Version 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
`

// licences are those that have been agreed to, and words that only they have. None of
// them asks for more than to be passed on with the program.
var licences = []struct {
	name  string
	words []string
	not   string
}{
	{"Apache-2.0", []string{"Apache License", "Version 2.0"}, ""},
	{"MIT", []string{"Permission is hereby granted, free of charge"}, ""},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "endorse or promote"}, ""},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}, "endorse or promote"},
}

// foreign are words of licences that have not been agreed to, which could hide
// beside one that has.
var foreign = []string{
	"GNU GENERAL PUBLIC LICENSE", "GNU LESSER", "GNU AFFERO", "Mozilla Public License",
	"Eclipse Public License", "Business Source License", "Server Side Public License", "Creative Commons",
}

// identify names the licences in a text, or says why it cannot be used.
func identify(text string) (string, error) {
	words := strings.ToLower(strings.Join(strings.Fields(text), " "))
	has := func(s string) bool { return strings.Contains(words, strings.ToLower(s)) }
	for _, f := range foreign {
		if has(f) {
			return "", fmt.Errorf("the licence names the %s, which nobody has agreed to", f)
		}
	}
	var found []string
	for _, l := range licences {
		if !slices.ContainsFunc(l.words, func(w string) bool { return !has(w) }) && (l.not == "" || !has(l.not)) {
			found = append(found, l.name)
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("the licence is none that has been agreed to")
	}
	return strings.Join(found, " and "), nil
}

// paragraph is what the copyright file says of the module.
func (m module) paragraph() (string, error) {
	text, notice, err := m.read()
	if err != nil {
		return "", err
	}
	name, err := identify(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.path, err)
	}
	p := "\nFiles: " + m.path + "\nCopyright: " + owners(text) + "\nLicense: " + name + "\n"
	if name == "Apache-2.0" {
		p += apache
	} else {
		p += indent(text)
	}
	if notice != "" {
		p += "Comment: Its notice:\n" + indent(notice)
	}
	return p, nil
}

// owners are the lines in which the owners name themselves.
func owners(text string) string {
	var all []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Copyright ") && !strings.ContainsAny(line, "[{") {
			all = append(all, strings.TrimSpace(strings.TrimPrefix(line, "Copyright ")))
		}
	}
	if len(all) == 0 {
		return "its authors"
	}
	return strings.Join(all, "\n ")
}

// indent makes a text the continuation of a field: each line begins with a blank, and
// an empty one is a full stop.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimRight(line, " \t\r\n\f")
		if line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	return b.String()
}
