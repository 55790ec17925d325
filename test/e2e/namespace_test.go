package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// How a test tells itself that it runs in a network of its own, and where the
// programs are.
const (
	envInside   = "E2E_INSIDE"
	envPrograms = "E2E_PROGRAMS"
)

// packages are where Debian has the programs that a network of its own takes.
var packages = map[string]string{
	"unshare": "util-linux", "mount": "mount", "ip": "iproute2", "nft": "nftables", "tinyproxy": "tinyproxy",
}

// inOwnNetwork runs the test that calls it once more, as root of a network of its
// own where it may block ports, and returns true in there. It skips the test where
// that is not possible.
func inOwnNetwork(t *testing.T, tools ...string) bool {
	t.Helper()
	if os.Getenv(envInside) == t.Name() {
		command(t, "ip", "link", "set", "lo", "up")
		return true
	}
	for _, tool := range append(tools, "unshare", "ip") {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NOT TESTED: %s is not installed (Debian package %s)", tool, packages[tool])
		}
	}
	cmd := exec.Command("unshare", ownNetwork(t), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), envInside+"="+t.Name(), envPrograms+"="+daemon+":"+standIn)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	switch {
	case err != nil:
		t.Error(err)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skip("NOT TESTED: see above")
	case !strings.Contains(string(out), "--- PASS: "+t.Name()+" "):
		t.Error("the test did not run inside")
	}
	return false
}

// ownNetwork are the options of unshare for a network and mounts of one's own: as root,
// or else as the root of a user namespace.
func ownNetwork(t *testing.T) string {
	t.Helper()
	var said []byte
	for _, how := range []string{"-nm", "-rnm"} {
		out, err := exec.Command("unshare", how, "ip", "link", "set", "lo", "up").CombinedOutput()
		if err == nil {
			return how
		}
		said = append(said, out...)
	}
	t.Skipf("NOT TESTED: this machine allows no network of one's own: %s", said)
	return ""
}

// command runs a program that must succeed.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

// block has the network treat a TCP port as a firewall does: "drop" or "reject
// with tcp reset". It replaces what was blocked before.
func block(t *testing.T, port, how string) {
	t.Helper()
	rules := "flush ruleset; add table inet wall; add chain inet wall out { type filter hook output priority 0; }; " +
		"add rule inet wall out tcp dport " + port + " " + how
	if out, err := exec.Command("nft", rules).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: nftables does not work here: %s", out)
	}
}

func unblock(t *testing.T) {
	t.Helper()
	command(t, "nft", "flush ruleset")
}
