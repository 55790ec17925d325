// Package manual writes tasmota-azd.yaml(5), the manual page of the configuration file,
// from the keys that the parser has and what the sample says of them. It is for whoever
// makes packages; the daemon does without it.
package manual

import (
	"fmt"
	"io"
	"strings"
	"time"

	"tasmota-azd/internal/config"
)

// about is what concerns no key alone.
const about = `The file is YAML with the keys below, most of which have a default. A key with nothing behind it has its default. A key that is not known and a value that is not possible are mistakes; "tasmota-azd check" names all of them, with their lines. Paths that do not begin with / begin in the directory of the file.
.PP
"tasmota-azd config init" writes a first file, in which every key is explained. "tasmota-azd config schema" prints the JSON schema for editors, which is also in the package; the first line of the file tells an editor where.`

// Write writes the page of a release and its date, for man(1).
func Write(w io.Writer, version string, date time.Time) error {
	var p page
	p.line(`.TH TASMOTA\-AZD.YAML 5 "%s" "tasmota\-azd %s" "File Formats Manual"`, date.UTC().Format("2006-01-02"), escape(version))
	p.line(".nh\n.ad l") // what is to be copied is neither broken nor stretched
	p.section("Name", "tasmota-azd.yaml - configuration of tasmota-azd")
	p.section("Synopsis", "/etc/tasmota-azd/config.yaml")
	p.line(".SH DESCRIPTION")
	for paragraph := range strings.SplitSeq(about, "\n.PP\n") {
		p.line(".PP")
		p.text(paragraph)
	}
	for _, k := range config.Keys() {
		p.key(k)
	}
	p.section("See also", "tasmota-azd(8), tasmota-azd-check(8), tasmota-azd-config-init(8)")
	_, err := io.WriteString(w, p.String())
	return err
}

// A page is one being written.
type page struct{ strings.Builder }

// line writes a request, or a text in which nothing has to be escaped.
func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// text writes a paragraph, one sentence after the other.
func (p *page) text(paragraph string) { p.line("%s", escape(paragraph)) }

func (p *page) section(title, text string) {
	p.line(".SH %s", strings.ToUpper(title))
	p.text(text)
}

// key writes what is known of a key. Those of a section stand under its title.
func (p *page) key(k config.Key) {
	if k.Heading != "" {
		p.line(".SH %s", strings.ToUpper(escape(k.Heading)))
	}
	if strings.Contains(k.Path, ".") {
		p.line(".TP\n.B %s", escape(k.Path))
	} else {
		p.line(".SS %s:", escape(k.Path))
	}
	p.text(k.About)
	if k.Allowed == "" {
		return
	}
	p.line(".br")
	possible := "Possible: " + k.Allowed + "."
	switch {
	case k.Default != "":
		possible += " Default: " + k.Default
	case k.Example != "":
		possible += " Example: " + k.Example
	}
	p.text(possible)
}

// escape returns text as it stands on a page: a hyphen of a command or key is one that
// can be copied, a connection string may go on in the next line, and nothing is a request.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`, ";", `;\:`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
