package faultlab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tasmota-azd/test/faultlab"
	"tasmota-azd/test/uml"
)

// programs are built once, when a test first needs them: driver, daemon, stand-in.
var programs = sync.OnceValues(func() ([]string, error) {
	var bins []string
	for _, pkg := range []string{"test/faultlab/driver", "cmd/tasmota-azd", "cmd/hubsim"} {
		bin, err := uml.Build(buildDir, "tasmota-azd/"+pkg)
		if err != nil {
			return nil, err
		}
		bins = append(bins, bin)
	}
	return bins, nil
})

var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "faultlab")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// The promise, under each fault.
func TestFaults(t *testing.T) {
	for _, f := range faultlab.Faults {
		t.Run(f.Name, func(t *testing.T) {
			o := round(t, f, 2, 1)
			v := faultlab.Judge(o)
			var b strings.Builder
			if err := faultlab.Table(&b, []faultlab.Row{{Fault: f, Verdict: v}}); err != nil {
				t.Fatal(err)
			}
			t.Logf("\n%s%v", &b, v.Recoveries)
			if !v.Good() {
				t.Error(strings.Join(v.Complaints, "\n"))
			}
		})
	}
}

// round boots the guest once.
func round(t *testing.T, f faultlab.Fault, times, seed int) (o faultlab.Observation) {
	t.Helper()
	uml.Need(t, false)
	bins, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	r := uml.Run(t, uml.Options{
		Board: "none", Bins: bins, Timeout: 20 * time.Minute,
		Cmd:  fmt.Sprintf("driver '%s' %d %d", f.Name, times, seed),
		Args: []string{"--skip-idle", "--tool", "ip", "--tool", "tc", "--tool", "nft", "--out", out},
	})
	text, err := os.ReadFile(filepath.Join(out, "observation.json"))
	if r.Exit != 0 || err != nil {
		t.Fatalf("exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
	}
	if keep := os.Getenv("FAULTLAB_KEEP"); keep != "" {
		if err := os.CopyFS(filepath.Join(keep, strings.ReplaceAll(t.Name(), "/", "_")+fmt.Sprint(seed)), os.DirFS(out)); err != nil {
			t.Error(err)
		}
	}
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}
