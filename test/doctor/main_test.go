// Package doctor runs the built program's check in machines, networks and clouds that
// have one fault each, and sees whether it names that one and no other.
package doctor_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tasmota-azd/internal/token"
	"tasmota-azd/test/gobuild"
)

// program is the built one, older another release of it.
var program, older string

// How a test tells itself that it runs in a network of its own, and where the programs are.
const (
	envInside   = "DOCTOR_INSIDE"
	envPrograms = "DOCTOR_PROGRAMS"
	envRows     = "DOCTOR_ROWS" // where the process inside leaves what it has seen
)

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	if dir := os.Getenv(envPrograms); dir != "" {
		program, older = filepath.Join(dir, "tasmota-azd"), filepath.Join(dir, "older")
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "doctor")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program, older = filepath.Join(dir, "tasmota-azd"), filepath.Join(dir, "older")
	err = os.Chmod(dir, 0o755)
	for bin, version := range map[string]string{program: "0.1.0", older: "0.0.9"} {
		if err == nil {
			err = gobuild.Build(bin, "tasmota-azd/cmd/tasmota-azd", []string{"CGO_ENABLED=0"}, "-ldflags", "-s -w -X main.version="+version)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// inOwnWorld runs the test that calls it once more, in a network and with mounts of its
// own, and returns true in there. It skips the test where that is not possible.
func inOwnWorld(t *testing.T) bool {
	t.Helper()
	if os.Getenv(envInside) == t.Name() {
		for _, args := range []string{
			"link set lo up", "link add v0 type veth peer name v1", "address add " + hubAddr + "/24 dev v0", "address add " + dpsAddr + "/24 dev v0",
			"link set v0 up", "link set v1 up",
		} {
			if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
				t.Fatalf("ip %s: %v: %s", args, err, out)
			}
		}
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: this takes root, to be other users and to lock programs into directories")
	}
	for tool, deb := range map[string]string{"unshare": "util-linux", "mount": "mount", "ip": "iproute2", "nft": "nftables"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NOT TESTED: %s is not installed (Debian package %s)", tool, deb)
		}
	}
	if out, err := exec.Command("unshare", "-nm", "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: this machine allows no network of one's own: %s", out)
	}
	cmd := exec.Command("unshare", "-nm", "--propagation", "private", os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), envInside+"="+t.Name(), envPrograms+"="+filepath.Dir(program))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	switch {
	case err != nil:
		t.Error(err)
	case !strings.Contains(string(out), "--- PASS: "+t.Name()+" "):
		t.Error("the test did not run inside")
	}
	return false
}

func parseKey(t *testing.T, text string) token.Key {
	t.Helper()
	key, err := token.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
