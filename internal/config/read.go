package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxFile is the largest configuration that is read, in bytes.
const maxFile = 1 << 20

// read returns the outermost node of the YAML in r.
func read(r io.Reader, file string) (*yaml.Node, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fail(file, 0, fileFault(file, err))
	}
	if len(text) > maxFile {
		return nil, fail(file, 1, "is larger than 1 MiB; this cannot be a configuration")
	}
	if line, what := notText(text); what != "" {
		return nil, fail(file, line, what)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	var doc, second yaml.Node
	in := &lineReader{lines: lines}
	yml := yaml.NewDecoder(in)
	switch err := decode(yml, &doc); {
	case errors.Is(err, io.EOF):
		return nil, empty(file)
	case err != nil:
		return nil, syntaxError(file, lines, in.read, err)
	}
	root, end := doc.Content[0], in.read
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" && root.Style&yaml.TaggedStyle == 0 {
		return nil, empty(file)
	}
	if err := decode(yml, &second); !errors.Is(err, io.EOF) {
		return nil, fail(file, separator(lines, end), "a second document begins here; one file holds one configuration, without --- in the middle")
	}
	return root, nil
}

// separator returns the line of the "---" at or before line last.
func separator(lines [][]byte, last int) int {
	for n := last; n > 0; n-- {
		if bytes.HasPrefix(lines[n-1], []byte("---")) {
			return n
		}
	}
	return max(last, 1)
}

func empty(file string) error {
	return fail(file, 1, "the file is empty; begin with the commented sample that comes with tasmota-azd, configs/config.yaml")
}

// decode reads one document. The YAML library has panicked on malformed input
// before, and a bad file must never end the daemon.
func decode(yml *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("yaml: not valid YAML")
		}
	}()
	return yml.Decode(doc)
}

// notText returns the first line that is not text in UTF-8, and why.
func notText(text []byte) (line int, what string) {
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		return 1, "the file is in UTF-16; save it as UTF-8"
	}
	line = 1
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case r == '\n':
			line++
		case r == utf8.RuneError && size == 1:
			return line, "the line is not in UTF-8; save the file as UTF-8"
		case r == '\r' && (len(text) == 0 || text[0] != '\n'):
			return line, "a line ends with a carriage return alone; save the file with Unix line ends"
		case r == '\u0085', r == '\u2028', r == '\u2029', unicode.IsControl(r) && r != '\t' && r != '\r':
			return line, fmt.Sprintf("the line holds the control character %U; remove it", r)
		}
	}
	return 0, ""
}

// A lineReader hands out one line for each Read, and counts them: YAML asks
// for the next line only when it is done with those before, so the count says
// where it stopped. The library's own errors say where it began.
type lineReader struct {
	lines [][]byte
	rest  []byte
	read  int
}

func (l *lineReader) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		if l.read == len(l.lines) {
			return 0, io.EOF
		}
		l.rest = l.lines[l.read]
		l.read++
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// syntaxError words what the YAML library says of lines, which it read as far
// as line last.
func syntaxError(file string, lines [][]byte, last int, err error) error {
	e := &Error{File: file}
	for i, line := range lines {
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if bytes.ContainsRune(indent, '\t') && len(bytes.TrimSpace(line)) > 0 {
			e.Mistakes = append(e.Mistakes, Mistake{Line: i + 1, Text: "the line is indented with a tab; YAML takes blanks only"})
		}
	}
	if e.Mistakes != nil {
		return e
	}
	return fail(file, broken(lines, last), explain(err))
}

// broken returns the line where the mistake is that stopped YAML in line last:
// the one after the longest beginning of the file that is right in itself. A
// quote that is never closed is thus found where it opens.
func broken(lines [][]byte, last int) int {
	budget := maxFile // in bytes; so the search ends in time for any file
	for n := min(last, len(lines)) - 1; n > 0; n-- {
		beginning := bytes.Join(lines[:n], nil)
		if budget -= len(beginning); budget < 0 {
			return max(last, 1)
		}
		var doc yaml.Node
		err := decode(yaml.NewDecoder(bytes.NewReader(beginning)), &doc)
		if err == nil || errors.Is(err, io.EOF) {
			return n + 1
		}
	}
	return 1
}

// explain says in other words what the YAML library complains of. It never
// quotes the file.
func explain(err error) string {
	for _, known := range []struct{ yaml, words string }{
		{"cannot start any token", "a value that begins with %, @ or a backquote needs quotes around it"},
		{"mapping values are not allowed", `a colon is in the wrong place: the line may be indented too far, or hold two "key: value", or the line before lacks its colon`},
		{"did not find expected key", "the line is indented otherwise than those it belongs to, or text follows a closing quote"},
		{"expected '-' indicator", `the line must be indented as deep as the keys of its entry, or begin a new entry with "- "`},
		{"could not find expected ':'", "the colon after the key is missing"},
		{"unexpected end of stream", "the quote that opens here is never closed"},
		{"',' or", "the bracket that opens here is never closed, or a comma is missing"},
		{"node content", "a bracket is not closed, or a comma has nothing before or after it"},
		{"unknown anchor", "a value that begins with * needs quotes around it"},
		{"unknown escape", "within double quotes a backslash has to be doubled; single quotes leave it alone"},
		{"block sequence entries", `a list begins in the line below its key, with "- "`},
	} {
		if strings.Contains(err.Error(), known.yaml) {
			return known.words
		}
	}
	return "this is not valid YAML"
}
