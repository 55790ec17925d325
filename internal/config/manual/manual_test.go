package manual_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/config/manual"
)

// TestWrite: the page has every key with what it may be, and no line that man(1) takes
// for a request by mistake.
func TestWrite(t *testing.T) {
	var out bytes.Buffer
	if err := manual.Write(&out, "0.1.0", time.Date(2026, 11, 25, 23, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\(ha`, "^", `\(ti`, "~", `\(ga`, "`", `\:`, "", `\e`, `\`).Replace(out.String())
	if !strings.HasPrefix(plain, `.TH TASMOTA-AZD.YAML 5 "2026-11-25" "tasmota-azd 0.1.0"`) {
		t.Errorf("it begins with %.80s", plain)
	}
	for _, k := range config.Keys() {
		name := "\n.B " + k.Path + "\n"
		if !strings.Contains(k.Path, ".") {
			name = "\n.SS " + k.Path + ":\n"
		}
		if strings.Count(plain, name) != 1 || !strings.Contains(plain, k.About) || !strings.Contains(plain, k.Allowed) || !strings.Contains(plain, k.Default) {
			t.Errorf("the page lacks %s, or what is to be said of it", k.Path)
		}
	}
	for line := range strings.Lines(out.String()) {
		request, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch request {
		case ".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".br", ".nh", ".ad":
		default:
			if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") || line == "\n" {
				t.Errorf("a line that is no text: %q", line)
			}
		}
	}
}
