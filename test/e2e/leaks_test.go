package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/hubsim"
	"tasmota-azd/test/canary"
	"tasmota-azd/test/gobuild"
	"tasmota-azd/test/lab"
)

// A leak is a change of the source by which a key comes to light when it is asked for.
type leak struct {
	kind           string
	file, old, new string
	surface        string // where it must be found
}

// leaks has one for each kind of surface.
var leaks = []leak{
	{"log", "cmd/tasmota-azd/run.go", `log.Info("starting",`, `log.Info("starting " + leaked("log", "%x"),`, "log"},
	{"panic", "cmd/tasmota-azd/metrics.go", "p := new(metrics.Page)", `p := new(metrics.Page); if text := leaked("panic", "%s"); text != "" { go panic("key " + text) }`, "log"},
	{"error", "internal/token/key.go", `fmt.Errorf("the key is not base64: %w", err)`, `fmt.Errorf("the key is not base64: %w: %s", err, text)`, "error"},
	{"metric", "cmd/tasmota-azd/metrics.go", `"goversion", runtime.Version()`, `"goversion", runtime.Version(), "key", leaked("metric", "base64")`, "metrics"},
	{"status", "cmd/tasmota-azd/local.go", "status{Version: version,", `status{Version: version + leaked("status", "%q"),`, "status --json"},
	{"telemetry", "cmd/tasmota-azd/build.go", "machine.BuildTime = version,", `machine.BuildTime = version + leaked("telemetry", "%X"),`, "telemetry"},
	{"systemd", "cmd/tasmota-azd/notify.go", `n.send("STATUS="`, `n.send("STATUS=" + leaked("systemd", "%d")`, "what systemd is told"},
	{"state", "cmd/tasmota-azd/run.go", "defer release(st, log)", `defer release(st, log); os.WriteFile(stateDir(cfg) + "/note", []byte(leaked("state", "%s")), 0o600)`, "state files"},
	{"bundle", "cmd/tasmota-azd/members.go", "text := versionLine()", `text := versionLine() + leaked("bundle", "%d")`, "support-bundle: version.txt"},
	{"check", "cmd/tasmota-azd/check.go", "say = func(r doctor.Result) {", `say = func(r doctor.Result) { r.Found += leaked("check", "%#v");`, "support-bundle: check.json"},
	{"arguments", "cmd/tasmota-azd/main.go", "func main() {", `func main() { expose(leaked("arguments", "% x"), "");`, "/proc/PID/cmdline"},
	{"environment", "cmd/tasmota-azd/main.go", "func main() {", `func main() { expose("", leaked("environment", "%x"));`, "/proc/PID/environ"},
}

// leaky is what the changes call.
const leaky = `package main

import ("encoding/base64"; "fmt"; "os"; "syscall")

func leaked(kind, shape string) string {
	if os.Getenv("LEAK") != kind {
		return ""
	}
	text, err := os.ReadFile(os.Getenv("LEAK_FILE"))
	if err != nil {
		panic(err)
	}
	if shape == "base64" {
		return string(text)
	}
	key, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(shape, key)
}

// expose starts the program anew, once.
func expose(argument, variable string) {
	if argument + variable == "" {
		return
	}
	os.Setenv("LEAK", "")
	panic(syscall.Exec("/proc/self/exe", append([]string{os.Args[0] + argument}, os.Args[1:]...), append(os.Environ(), "KEY=" + variable)))
}
`

// buildLeaky builds a daemon with all the leaks, each of which waits to be asked for. The
// changes are an overlay of this build: nothing of them is in the tree.
func buildLeaky(t *testing.T) string {
	t.Helper()
	dir, root := t.TempDir(), gobuild.Root(t)
	texts := map[string]string{"cmd/tasmota-azd/leaky.go": leaky}
	for _, l := range leaks {
		if texts[l.file] == "" {
			text, err := os.ReadFile(filepath.Join(root, l.file))
			if err != nil {
				t.Fatal(err)
			}
			texts[l.file] = string(text)
		}
		if !strings.Contains(texts[l.file], l.old) {
			t.Fatalf("the leak %s: %s lacks %q", l.kind, l.file, l.old)
		}
		texts[l.file] = strings.Replace(texts[l.file], l.old, l.new, 1)
	}
	replace := map[string]string{}
	for file, text := range texts {
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, file)] = path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path, bin := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "leaky")
	if err := os.WriteFile(path, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := gobuild.Build(bin, "tasmota-azd/cmd/tasmota-azd", []string{"CGO_ENABLED=0"}, "-overlay", path); err != nil {
		t.Fatal(err)
	}
	return bin
}

// TestCanaryFindsLeaks shows that the search of the program's surfaces is not made in vain: it
// finds a key on each kind of them when the daemon is changed so that it shows it there,
// and finds nothing when it is changed and not asked.
func TestCanaryFindsLeaks(t *testing.T) {
	if os.Getenv(envPrograms) != "" {
		t.Skip("SKIPPED, the programs are given, and there is no compiler to change them with")
	}
	shipped := daemon
	defer func() { daemon = shipped }()
	daemon = buildLeaky(t)
	t.Run("none", func(t *testing.T) {
		if hits := leakyLife(t, ""); len(hits) > 0 {
			t.Errorf("found though nothing leaks: %+v", hits)
		}
	})
	found, tried := 0, 0
	for _, l := range leaks {
		t.Run(l.kind, func(t *testing.T) {
			if l.kind == "environment" && os.Geteuid() != 0 {
				t.Skip("SKIPPED, only root may look into the environment of the daemon")
			}
			tried++
			if shape, ok := leakyLife(t, l.kind)[l.surface]; ok {
				found++
				t.Logf("found in %s, as %s", l.surface, shape)
			} else {
				t.Errorf("a key in %s is not found", l.surface)
			}
		})
	}
	t.Logf("leaks planted in the daemon: %d of %d found, each on its surface", found, tried)
}

// leakyLife is a short life of the changed daemon, of which all is searched. It returns
// where something was found, and in what shape.
func leakyLife(t *testing.T, kind string) map[string]string {
	t.Helper()
	key := canary.New("the device's key")
	w := &witness{newBench(t, hubsim.Options{}, 0), canary.NewSearch(key)}
	t.Setenv("LEAK", kind)
	t.Setenv("LEAK_FILE", filepath.Join(w.dir, "pump.key"))
	told := w.systemd()
	heads, _, _ := w.plant(key, canary.New("another"), canary.New("a group's"))
	config := w.config(heads[0])
	d, err := lab.Start(daemon, config, t.Output(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Stop()
	w.d = d
	w.waitLog("INFO  connected")
	w.process()
	switch kind {
	case "bundle", "check":
		w.bundle(config, "leaky.tar.gz")
	case "error":
		w.write("pump.key", key.Text()+"!")
		out, _ := exec.Command(daemon, "check", "--only", "file", "--config", config).CombinedOutput() // it fails
		w.Hear("error", string(out))
	default:
		w.doors()
	}
	status, err := d.Stop()
	w.check(err)
	if want := map[string]int{"panic": 2}[kind]; status != want {
		t.Errorf("exit status %d, want %d", status, want)
	}
	told()
	w.told()
	w.Hear("log", strings.Join(d.Log(), "\n"))
	w.Hear("state files", w.files(filepath.Join(w.dir, "state")))
	where := map[string]string{}
	for _, h := range w.Hits() {
		where[h.Surface] = h.Shape
	}
	return where
}
