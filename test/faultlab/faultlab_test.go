package faultlab_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tasmota-azd/test/document"
	"tasmota-azd/test/faultlab"
	"tasmota-azd/test/gobuild"
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

// The promise, under one fault after the other.
func TestFaults(t *testing.T) {
	var names []string
	for _, f := range faultlab.Faults {
		names = append(names, f.Name)
	}
	judge(t, faultlab.Fault{Name: "each of them, short", Times: 1, Rounds: 1}, names...)
}

// The promise, under each fault for long: `make faultlab`. The table goes into the
// document, if it is whole.
func TestTable(t *testing.T) {
	long(t)
	var rows []faultlab.Row
	for _, f := range faultlab.Faults {
		t.Run(f.Name, func(t *testing.T) { rows = append(rows, judge(t, f, f.Name)) })
	}
	var b strings.Builder
	if err := faultlab.Table(&b, rows); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &b)
	if len(rows) == len(faultlab.Faults) {
		put(t, "make faultlab", b.String())
	}
}

// long skips what takes many minutes.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("FAULTLAB") != "long" {
		t.Skip("SKIPPED, it takes many minutes: make faultlab")
	}
}

// put puts a table into the document.
func put(t *testing.T, maker, table string) {
	t.Helper()
	if err := document.Put(filepath.Join(gobuild.Root(t), "docs", "reliability.md"), maker, table); err != nil {
		t.Error(err)
	}
}

// judge runs the rounds of a fault. Those that do not go as promised leave their logs
// in the folder that FAULTLAB_KEEP names.
func judge(t *testing.T, f faultlab.Fault, names ...string) faultlab.Row {
	t.Helper()
	r := faultlab.Row{Fault: f}
	for seed := range f.Rounds {
		out := t.TempDir()
		v := faultlab.Judge(round(t, out, seed, slices.Repeat(names, f.Times)))
		r.Verdict.Add(v)
		if v.Good() {
			continue
		}
		t.Error(strings.Join(v.Complaints, "\n"))
		if keep := os.Getenv("FAULTLAB_KEEP"); keep != "" {
			dir := filepath.Join(keep, fmt.Sprintf("%s %d", strings.ReplaceAll(f.Name, "/", " per "), seed))
			if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(out))); err != nil {
				t.Error(err)
			}
		}
	}
	var b strings.Builder
	if err := faultlab.Table(&b, []faultlab.Row{r}); err != nil {
		t.Fatal(err)
	}
	t.Logf("recovered in %v\n%s", r.Recoveries, &b)
	return r
}

// round boots the guest once.
func round(t *testing.T, out string, seed int, faults []string) (o faultlab.Observation) {
	t.Helper()
	r := drive(t, []string{"--skip-idle", "--out", out}, fmt.Sprintf("faults %d '%s'", seed, strings.Join(faults, "' '")))
	text, err := os.ReadFile(filepath.Join(out, "observation.json"))
	if r.Exit != 0 || err != nil {
		t.Fatalf("exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
	}
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// drive boots the guest and runs the driver in it.
func drive(t *testing.T, args []string, do string) uml.Result {
	t.Helper()
	uml.Need(t, false)
	for _, tool := range tools {
		need(t, tool.name, tool.pkg)
		args = append(args, "--tool", tool.name)
	}
	bins, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return uml.Run(t, uml.Options{Board: "none", Bins: bins, Timeout: time.Hour, Args: args, Cmd: "driver " + do})
}

func need(t *testing.T, tool, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("NOT TESTED: %s is not installed (Debian package %s)", tool, pkg)
	}
}

// tools are this machine's, for the guest.
var tools = []struct{ name, pkg string }{{"ip", "iproute2"}, {"tc", "iproute2"}, {"nft", "nftables"}}
