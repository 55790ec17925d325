package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestNeedsComeBefore: every check that another one waits for is there and stands before
// it in the report, so that nothing waits for itself.
func TestNeedsComeBefore(t *testing.T) {
	place := make(map[string]int)
	all := Checks()
	for i, c := range all {
		if _, twice := place[c.Name]; twice {
			t.Errorf("there are two checks %s", c.Name)
		}
		place[c.Name] = i
	}
	var reaches func(from, to string, seen map[string]bool) bool
	reaches = func(from, to string, seen map[string]bool) bool {
		if seen[from] {
			return false
		}
		seen[from] = true
		c := all[place[from]]
		return slices.ContainsFunc(slices.Concat(c.Needs, c.After), func(n string) bool { return n == to || reaches(n, to, seen) })
	}
	for _, c := range all {
		for _, n := range slices.Concat(c.Needs, c.After) {
			if _, known := place[n]; !known {
				t.Errorf("%s waits for %s, which is no check", c.Name, n)
			}
		}
		if reaches(c.Name, c.Name, map[string]bool{}) {
			t.Errorf("%s waits for itself", c.Name)
		}
	}
	if len(all) <= 24 {
		t.Errorf("%d checks", len(all))
	}
}

// TestHangingCheckEnds: what heeds no context is left behind, and named.
func TestHangingCheckEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := Check{Name: "disk", Within: 2 * time.Second, run: func(*patient, context.Context) Finding { <-release; return ok("") }}
		began := time.Now()
		r := c.result(t.Context(), newPatient(Options{}), nil)
		if r.Outcome != Fault || !strings.Contains(r.Found, "no answer within 2s") || time.Since(began) != 3*time.Second {
			t.Errorf("%+v after %v", r, time.Since(began))
		}
		close(release)
	})
}

// TestOneFaultHasOneName: what needs a failed check is not made, nor what needs that.
func TestOneFaultHasOneName(t *testing.T) {
	made := func(*patient, context.Context) Finding { t.Error("made"); return ok("") }
	p := newPatient(Options{})
	for _, tt := range []struct {
		needs Result
		want  string
	}{
		{Result{Name: "a", Outcome: Fault}, "not checked, because a failed"},
		{Result{Name: "a", Outcome: Skipped, blocks: true}, "not checked, because a was not"},
		{Result{Name: "a", Outcome: Warning, blocks: true}, "not checked, because of what a found"},
	} {
		r := Check{run: made}.result(t.Context(), p, []Result{{Name: "x", Outcome: OK}, tt.needs})
		if r.Found != tt.want || r.Outcome != Skipped || !r.blocks || r.Remedy != "" {
			t.Errorf("%+v, want %q", r, tt.want)
		}
	}
	good := Check{run: func(*patient, context.Context) Finding { return warn("x\ny\x1b[2J", "") }, Remedy: "edit CONFIG"}
	p.o.Config = "/c.yaml"
	r := good.result(t.Context(), p, []Result{{Outcome: Warning}, {Outcome: Skipped}})
	if r.Outcome != Warning || r.Found != "x; y [2J" || r.Remedy != "edit /c.yaml" {
		t.Errorf("%+v", r)
	}
}

func TestOnly(t *testing.T) {
	checks, err := chosen(Checks(), []string{"quota"})
	var names []string
	for _, c := range checks {
		names = append(names, c.Name)
	}
	if err != nil || !slices.Contains(names, "login") || !slices.Contains(names, "file") || slices.Contains(names, "lines") {
		t.Errorf("%q, %v", names, err)
	}
	if checks, _ := chosen(Checks(), []string{"file"}); len(checks) < 4 || len(checks) > 10 {
		t.Errorf("%d checks for the group of the file", len(checks))
	}
	if _, err := chosen(Checks(), []string{"quotas"}); err == nil {
		t.Error("there is no such check")
	}
}

// TestMay judges by modes, owners, groups and the way there.
func TestMay(t *testing.T) {
	dir := t.TempDir()
	own := service{name: "x", uid: os.Getuid(), groups: []int{os.Getgid()}}
	other := service{name: "y", uid: 12345, groups: []int{54321}}
	member := service{name: "z", uid: 12345, groups: []int{os.Getgid()}}
	inner := filepath.Join(dir, "in")
	file := filepath.Join(inner, "key")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, up := range []string{dir, filepath.Dir(dir)} { // which the test made for itself alone
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		dirMode, mode os.FileMode
		who           service
		want          bool
	}{
		{0o755, 0o600, own, true},
		{0o755, 0o640, member, true},
		{0o755, 0o640, other, false},
		{0o755, 0o604, other, true},
		{0o755, 0o604, member, false}, // the class of the group counts, though others may
		{0o700, 0o644, other, false},
		{0o710, 0o644, member, true},
		{0o755, 0o000, service{name: "root"}, true},
	} {
		for path, mode := range map[string]os.FileMode{inner: tt.dirMode, file: tt.mode} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		why, err := tt.who.may(file, 4)
		if err != nil || (why == "") != (tt.want || tt.who.uid == 0) {
			t.Errorf("%s, directory %o, file %o: %q, %v", tt.who.name, tt.dirMode, tt.mode, why, err)
		}
	}
}

func TestMountOf(t *testing.T) {
	m, err := mountOf("/proc/self")
	if err != nil || m.at != "/proc" || m.kind != "proc" || !strings.Contains(m.options, "rw") {
		t.Errorf("%+v, %v", m, err)
	}
	var s syscall.Statfs_t
	if s, err = statfs("/proc"); err != nil || s.Type != 0x9fa0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestOfAzure(t *testing.T) {
	for host, want := range map[string]bool{
		"contoso.azure-devices.net": true, "contoso.azure-devices.cn": true, "localhost": false, "azure-devices.net.example": false,
		"global.azure-devices-provisioning.net": true, "x.azure-devices.net.example": false,
	} {
		if ofAzure(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

// TestUnitSettings reads what drop-ins add, and takes a later word for an earlier one.
func TestUnitSettings(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/systemd/system/tasmota-azd.service":               "[Service]\n# User=nobody\nUser=tasmota-azd\n",
		"etc/systemd/system/tasmota-azd.service.d/20-proxy.conf":   "[Service]\nEnvironment=\"HTTPS_PROXY=http://p:1\"\n",
		"run/systemd/system/tasmota-azd.service.d/10-another.conf": "[Service]\nUser=other\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u := newPatient(Options{Root: root}).unit()
	if u.value("User") != "other" || u.environment("HTTPS_PROXY") != "http://p:1" || u.environment("NO_PROXY") != "" {
		t.Errorf("%+v", u)
	}
}
