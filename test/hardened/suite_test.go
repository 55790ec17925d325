package hardened

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/gobuild"
	"tasmota-azd/test/uml"
)

// suite runs the end-to-end tests in the guest, with each of their daemons started by
// confine. A kernel with an audit log notes each system call that the unit denies (systemd
// asks for that with SYSTEMD_LOG_SECCOMP=1); in another one such a call ends the process
// that makes it. The probe shows that it is noticed. cloud.test is what one of the tests calls the cloud.
const suite = `
	sed -i 's/localhost/localhost cloud.test/' /etc/hosts
	ip link add net0 type dummy && ip link set net0 up # a device is named after its adapter
	mkdir -p /srv/lab/control/folder /srv/project/test/e2e && cd /srv/project/test/e2e
	export TMPDIR=/srv/lab LAB_STARTER=/usr/local/bin/confine E2E_PROGRAMS=/usr/bin/tasmota-azd:/usr/local/bin/hubsim
	[ -e /proc/self/loginuid ] || export CONFINE_ADD=SystemCallErrorNumber=kill
	status=0; /usr/local/bin/confine /usr/local/bin/probe try mount --config /srv/lab/control/folder/none >&2 || status=$?
	[ $status != 159 ] || echo "control: ended by SIGSYS"
	denied() { journalctl --sync; journalctl -q _TRANSPORT=audit -o cat | grep SECCOMP | grep "exe=\"$1\"" || true; }
	[ -z "$(denied /usr/local/bin/probe)" ] || echo "control: in the audit log"
	e2e.test -test.list '^Test' | sed 's/^/listed: /'
	e2e.test -test.v -test.timeout 40m -test.run "$tests" || true
	denied /usr/bin/tasmota-azd | sed 's/^/denied: /'
`

// few are the tests that CI runs in the unit: of each door one, and what the network and
// systemd have to do with. HARDENED=long, as in "make hardened", runs all.
const few = "^(TestCloudMessageSwitchesARelay|TestControlSocket|TestMethods|TestTwin|TestNotifySystemd|TestProvisioning|TestStopOpensRelaysAndRestartDoesNot)$"

// elsewhere are tests and parts of them that do not run in the guest, and why.
var elsewhere = map[string]string{
	"TestCheckAcceptsAGoodFile":          "check rightly says that the service, which is there, may not read a test's folder",
	"TestCanaryFindsLeaks":               "it builds a daemon, and there is no compiler in the guest",
	"TestTerminalCloses":                 "confine gives a daemon no terminal",
	"TestMetrics/promtool_check_metrics": "promtool judges what the daemon said, and is not in the guest",
	"TestMetrics/promtool_check_rules":   "promtool judges a file, and is not in the guest",
}

// The end-to-end tests pass while each of their daemons runs in the unit as shipped, and
// nothing that it does is denied.
func TestSuite(t *testing.T) {
	uml.Need(t, true)
	proxy := "/usr/bin/tinyproxy"
	if _, err := os.Stat(proxy); err != nil {
		t.Skip("SKIPPED, there is no tinyproxy for the guest (Debian package tinyproxy)")
	}
	dir := t.TempDir()
	tests := filepath.Join(dir, "e2e.test")
	if err := gobuild.Tests(tests, "tasmota-azd/test/e2e", []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"}); err != nil {
		t.Fatal(err)
	}
	confine, err := uml.Build(dir, "tasmota-azd/test/hardened/confine")
	if err != nil {
		t.Fatal(err)
	}
	run := few
	if os.Getenv("HARDENED") == "long" {
		run = "."
	}
	r := boot(t, machine{
		steps: "tests='" + run + "'\n" + suite,
		bins:  []string{tests, confine},
		args:  []string{"--mem", "512M", "--append", "SYSTEMD_LOG_SECCOMP=1", "--file", proxy + ":/usr/local/bin/tinyproxy", "--file", gobuild.Root(t) + "/configs:/srv/project/configs"},
		limit: 45 * time.Minute,
	})
	if how := lines(r.Stdout, `control: (.*)`); len(how) != 1 {
		t.Errorf("a denied system call is noticed by %q", how)
	}
	denied := lines(r.Stdout, `denied: (.*)`)
	if len(denied) > 0 {
		t.Errorf("the unit denies the daemon:\n%s", strings.Join(denied, "\n"))
	}
	t.Logf("%d system calls denied", len(denied))
	verdict(t, r.Stdout, regexp.MustCompile(run))
}

// verdict holds what the tests said of themselves against the list of them.
func verdict(t *testing.T, said string, run *regexp.Regexp) {
	t.Helper()
	passed, skipped := lines(said, `--- PASS: (\w+) .*`), lines(said, ` *--- SKIP: (\S+) .*`)
	for _, name := range lines(said, `--- FAIL: (\w+) .*`) {
		t.Errorf("%s failed in the unit", name)
	}
	for _, name := range skipped {
		if elsewhere[name] == "" {
			t.Errorf("%s was skipped in the unit", name)
		}
		t.Logf("NOT TESTED in the unit: %s: %s", name, elsewhere[name])
	}
	listed := slices.DeleteFunc(lines(said, `listed: (\w+)`), func(name string) bool { return elsewhere[name] != "" })
	for _, name := range listed {
		if run.MatchString(name) && !slices.Contains(passed, name) {
			t.Errorf("%s did not pass in the unit", name)
		}
	}
	t.Logf("%d of %d end-to-end tests passed in the unit", len(passed), len(listed))
}

// lines are the lines of a text that are as a pattern says, each as its group.
func lines(text, pattern string) (found []string) {
	for _, m := range regexp.MustCompile(`(?m)^`+pattern+`\r?$`).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}
