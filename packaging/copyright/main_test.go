package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Licences of modules that are in the program, shortened, and of some that must not be.
func TestIdentify(t *testing.T) {
	const bsd = "Redistribution and use in source and\n binary forms, with or without modification, are permitted"
	for text, want := range map[string]string{
		"Apache License\n  Version 2.0, January 2004":                         "Apache-2.0",
		"MIT License\n\nPermission is hereby granted, free of charge, to any": "MIT",
		bsd: "BSD-2-Clause",
		bsd + "\nused to endorse or promote products":                               "BSD-3-Clause",
		"Permission is hereby granted, free of charge\nApache License, Version 2.0": "Apache-2.0 and MIT",
		"GNU GENERAL PUBLIC LICENSE\nVersion 3":                                     "",
		"Permission is hereby granted, free of charge; Mozilla Public License":      "",
		bsd + "\nEclipse Public\nLicense - v 2.0":                                   "",
		"all rights reserved":                                                       "",
		"":                                                                          "",
	} {
		got, err := identify(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestParagraph(t *testing.T) {
	dir := t.TempDir()
	m := module{"example.com/m v1.2.3", dir}
	if _, err := m.paragraph(); err == nil {
		t.Error("a module without a licence is let in")
	}
	for name, text := range map[string]string{
		"LICENSE": "Eclipse Public License - v 2.0",
		"edl-v10": "Copyright (c) 2007, Eclipse\n\nRedistribution and use in source and binary forms. endorse or promote\n",
		"NOTICE":  "Made by hand.\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.paragraph()
	if err != nil {
		t.Fatal(err)
	}
	want := `
Files: example.com/m v1.2.3
Copyright: (c) 2007, Eclipse
License: BSD-3-Clause
 Copyright (c) 2007, Eclipse
 .
 Redistribution and use in source and binary forms. endorse or promote
Comment: Its notice:
 Made by hand.
`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// The test's own program has Go in it, and no modules.
func TestGoIsListed(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := run(program, &text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "\nFiles: Go go1.") {
		t.Errorf("Go is not listed in %s", text.String())
	}
}
