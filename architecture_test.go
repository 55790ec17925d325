// Package architecture holds no code, only the test of the import rules that
// ARCHITECTURE.md draws.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms lists what each package of the daemon may import from this module.
// A package that is not listed fails the test: it has no place in the map yet.
var rooms = map[string]string{
	"internal/cause":    "",
	"internal/token":    "",
	"internal/store":    "",
	"internal/spread":   "",
	"internal/clock":    "",
	"internal/logs":     "",
	"internal/lasting":  "",
	"internal/metrics":  "",
	"internal/dps":      "internal/certificate internal/token",
	"internal/hub":      "internal/certificate internal/metrics internal/spread internal/token",
	"internal/twin":     "",
	"internal/config":   "configs internal/boards internal/certificate internal/token",
	"internal/boards":   "configs",
	"internal/bundle":   "",
	"configs":           "",
	"configs/dtdl":      "internal/commands internal/twin",
	"internal/commands": "internal/cause",
	"internal/edges":    "internal/cause",
	"internal/journal":  "internal/cause internal/edges internal/store",
	"internal/system":   "internal/commands internal/system/nl80211",
	"internal/relay":    "internal/cause internal/lasting internal/relay/gpiochip internal/relay/header internal/relay/host internal/relay/sim",

	"internal/boards/trial":   "internal/boards",
	"internal/config/fresh":   "configs internal/boards",
	"internal/config/edit":    "internal/boards",
	"internal/config/manual":  "internal/config",
	"internal/certificate":    "internal/token",
	"internal/system/nl80211": "",
	"internal/relay/gpiochip": "",
	"internal/relay/header":   "",
	"internal/relay/host":     "internal/relay/header",
	"internal/relay/sim":      "internal/relay/header",

	"internal/certificate/certtest": "internal/certificate",

	"internal/identity": "internal/certificate internal/dps internal/hub internal/lasting internal/spread internal/store internal/token",
	"internal/enroll":   "internal/boards internal/config internal/config/edit internal/token",
	"internal/control":  "internal/metrics",
	"internal/doctor":   "internal/clock internal/config internal/control internal/dps internal/hub internal/identity internal/relay internal/relay/gpiochip internal/store systemd",
	"systemd":           "",
	"internal/device":   "internal/cause internal/commands internal/edges internal/hub internal/journal internal/lasting internal/metrics internal/store internal/twin",
	"cmd/tasmota-azd": "configs internal/boards internal/boards/trial internal/bundle internal/cause internal/clock internal/commands internal/config internal/config/edit internal/config/fresh internal/control internal/device internal/doctor internal/dps internal/edges internal/enroll " +
		"internal/hub internal/identity internal/journal internal/logs internal/metrics internal/relay internal/relay/gpiochip internal/store internal/system internal/token internal/twin",

	// The stand-in is a product of its own.
	"internal/hubsim": "internal/token",
	"cmd/hubsim":      "internal/hubsim internal/token",

	// What makes the packages, in no program.
	"packaging/copyright": "",
}

// doors lists the packages through which an outside module may come in.
var doors = map[string]string{
	"gopkg.in/yaml.v3":                    "internal/config internal/boards",
	"github.com/beevik/ntp":               "internal/clock",
	"github.com/eclipse/paho.mqtt.golang": "internal/hub internal/hubsim test/bench/bare",
	"github.com/gorilla/websocket":        "internal/hub internal/hubsim",
	"periph.io/x/conn/v3":                 "internal/relay test/bench/bare",
	"github.com/warthog618/go-gpiocdev":   "internal/relay/gpiochip",
	"periph.io/x/host/v3":                 "internal/relay",
	"github.com/spf13/cobra":              "cmd/tasmota-azd cmd/hubsim",
	"github.com/coreos/go-systemd/v22":    "cmd/tasmota-azd",
	"golang.org/x/sync":                   "cmd/tasmota-azd cmd/hubsim",
	"golang.org/x/sys":                    "internal/store internal/relay internal/hub internal/system internal/control internal/enroll test/hardened/probe test/bench/edge",
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestRoomsImportDownwards(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, "tasmota-azd/")
		if name == "tasmota-azd" || strings.HasPrefix(name, "test/") {
			continue
		}
		may, known := rooms[name]
		if !known {
			t.Errorf("%s has no place in the map of rooms: add it to ARCHITECTURE.md and to this test", name)
			continue
		}
		for _, imp := range p.Imports {
			inside, ok := strings.CutPrefix(imp, "tasmota-azd/")
			if ok && !slices.Contains(strings.Fields(may), inside) {
				t.Errorf("%s imports %s, which does not lie below it", name, inside)
			}
		}
	}
}

func TestOutsideModulesHaveOneDoor(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, "tasmota-azd/")
		for _, imp := range p.Imports {
			if !strings.Contains(strings.Split(imp, "/")[0], ".") {
				continue // the standard library, or this module
			}
			if !admitted(name, imp) {
				t.Errorf("%s imports %s: that module comes in through %s", name, imp, door(imp))
			}
		}
	}
}

func TestDaemonHoldsNothingOfTheStandIn(t *testing.T) {
	for _, p := range list(t, "./cmd/tasmota-azd") {
		for _, dep := range p.Deps {
			if strings.Contains(dep, "hubsim") {
				t.Errorf("the daemon links %s", dep)
			}
		}
	}
}

// A key has one way out, and one room that takes it.
func TestKeysAreRevealedToBeSealed(t *testing.T) {
	out, err := exec.Command("git", "grep", "-l", "--untracked", `\.Reveal()`, "--", "cmd", "internal", ":!*_test.go").Output()
	if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, []string{"internal/enroll/try.go"}) {
		t.Errorf("%v: keys are revealed in %q", err, got)
	}
}

func TestPackagesSayWhatTheyOwn(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{if and .GoFiles (not .Doc)}}{{.ImportPath}}{{end}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for p := range strings.FieldsSeq(string(out)) {
		t.Errorf("%s has no package comment", p)
	}
}

// admitted reports whether a package of this module may import imp. A package
// below a door, such as internal/relay/sim, may use it as well.
func admitted(name, imp string) bool {
	for d := range strings.FieldsSeq(door(imp)) {
		if name == d || strings.HasPrefix(name, d+"/") {
			return true
		}
	}
	return false
}

// door is where the module that holds imp may come in.
func door(imp string) string {
	for module, d := range doors {
		if imp == module || strings.HasPrefix(imp, module+"/") {
			return d
		}
	}
	return "no package: add it to doors, with the reason for the new module in the commit"
}

func list(t *testing.T, pattern string) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", pattern).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pattern, err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
