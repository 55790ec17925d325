package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tasmota-azd/systemd"
)

var unitChecks = []Check{
	{Name: "unit", Group: "unit", What: "the unit is as it was shipped",
		Remedy: "sudo systemctl revert tasmota-azd, or sudo apt install --reinstall tasmota-azd", run: (*patient).unitFile},
	{Name: "drop-ins", Group: "unit", What: "no drop-in takes away what protects the relays, or the machine", Needs: []string{"unit"},
		Remedy: "sudo systemctl revert tasmota-azd, if that is not wanted", run: (*patient).dropIns},
	{Name: "enabled", Group: "unit", What: "the service starts with the machine", Needs: []string{"unit"}, Remedy: "sudo systemctl enable tasmota-azd", run: (*patient).enabled},
}

const unitName = "tasmota-azd.service"

// unitDirs are where systemd looks, the first first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// A unit is the file that counts, and what drop-ins add.
type unit struct {
	path string
	text string
	more map[string]string // drop-ins: path and text
}

// unit reads it. Without one its text is empty.
func (p *patient) unit() unit {
	u := unit{more: make(map[string]string)}
	for _, dir := range unitDirs {
		path := p.path(dir + "/" + unitName)
		if text, err := os.ReadFile(path); err == nil && u.text == "" {
			u.path, u.text = path, string(text)
		}
		drops, _ := filepath.Glob(p.path(dir + "/" + unitName + ".d/*.conf")) // the pattern is good
		for _, drop := range drops {
			if text, err := os.ReadFile(drop); err == nil {
				u.more[drop] = string(text)
			}
		}
	}
	return u
}

// value is the last one of a setting.
func (u unit) value(name string) (value string) {
	for _, text := range append([]string{u.text}, u.drops()...) {
		for _, line := range settings(text) {
			if v, ok := strings.CutPrefix(line, name+"="); ok {
				value = v
			}
		}
	}
	return value
}

func (u unit) drops() (texts []string) {
	paths := make([]string, 0, len(u.more))
	for path := range u.more {
		paths = append(paths, path)
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	for _, path := range paths {
		texts = append(texts, u.more[path])
	}
	return texts
}

// environment is a variable that the unit sets.
func (u unit) environment(name string) (value string) {
	for _, text := range u.drops() {
		for _, line := range settings(text) {
			v, ok := strings.CutPrefix(line, "Environment=")
			if v, ok2 := strings.CutPrefix(strings.Trim(v, `"'`), name+"="); ok && ok2 {
				value = strings.Trim(v, `"'`)
			}
		}
	}
	return value
}

// settings are the lines that say something.
func settings(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") && !strings.HasPrefix(line, "[") {
			lines = append(lines, line)
		}
	}
	return lines
}

func (p *patient) unitFile(context.Context) Finding {
	u := p.unit()
	if u.text == "" {
		return skip("there is none: the daemon is not installed as a service")
	}
	adoptProxy(u)
	shipped, is := settings(systemd.Unit), settings(u.text)
	var changed []string
	for _, line := range shipped {
		if !slices.Contains(is, line) {
			changed = append(changed, "without "+line)
		}
	}
	for _, line := range is {
		if !slices.Contains(shipped, line) {
			changed = append(changed, "with "+line)
		}
	}
	if changed == nil {
		return ok(u.path)
	}
	remedy := "sudo apt install --reinstall tasmota-azd && sudo systemctl daemon-reload"
	if strings.HasPrefix(u.path, p.path("/etc/")) {
		remedy = "sudo systemctl revert tasmota-azd (or keep changes in a drop-in: sudo systemctl edit tasmota-azd)"
	}
	return warn(fmt.Sprintf("%s is altered: %s", u.path, strings.Join(changed[:min(len(changed), 5)], "; ")), remedy)
}

// harmless are settings that a drop-in is for.
var harmless = []string{"LoadCredential=", "LoadCredentialEncrypted=", "SetCredential=", "SetCredentialEncrypted=", "Environment=", "EnvironmentFile="}

func (p *patient) dropIns(context.Context) Finding {
	u := p.unit()
	if u.text == "" {
		return skip("there is no unit")
	}
	var changed []string
	for path, text := range u.more {
		for _, line := range settings(text) {
			if !slices.ContainsFunc(harmless, func(h string) bool { return strings.HasPrefix(line, h) }) {
				changed = append(changed, path+": "+line)
			}
		}
	}
	slices.Sort(changed)
	if changed == nil {
		return ok(fmt.Sprintf("%d, none of them changes what is shipped", len(u.more)))
	}
	return warn(strings.Join(changed[:min(len(changed), 5)], "; "), "")
}

// enabledAt is the link that starts the service, or empty.
func (p *patient) enabledAt() string {
	for _, dir := range unitDirs {
		path := p.path(dir + "/multi-user.target.wants/" + unitName)
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	return ""
}

func (p *patient) enabled(context.Context) Finding {
	if p.unit().text == "" {
		return skip("there is no unit")
	}
	if at := p.enabledAt(); at != "" {
		return ok(at)
	}
	return warn("the service does not start with the machine", "")
}
