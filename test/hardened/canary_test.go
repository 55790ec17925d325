package hardened

import (
	"strings"
	"testing"
	"time"

	"tasmota-azd/test/canary"
)

// TestCanaryInTheUnit searches what comes to light on a machine with systemd: the journal
// with all its fields, also after a crash, what systemd tells, the archive for those who
// help, and everything that is written to the disk. The keys are a credential of the unit.
func TestCanaryInTheUnit(t *testing.T) {
	r := boot(t, machine{limit: 4 * time.Minute, steps: `
		confine "LoadCredential=group.key:/run/cloud/group.key" "Environment=PASSWORD=$(cat /run/cloud/group.key)"
		sed -i 's/format: text/format: auto/; s/^ntp:.*/ntp: {servers: []}/' $config
		systemctl start tasmota-azd; until tasmota-azd status | grep -q 'connected to'; do sleep 0.2; done
		send power1 on; gpio wait GPIO17 1 20
		again systemctl kill -s ABRT --kill-who=main tasmota-azd
		until tasmota-azd status | grep -q 'connected to'; do sleep 0.2; done
		pid=$(systemctl show -P MainPID tasmota-azd)
		section key; cat /run/cloud/group.key
		section core; grep 'core file' /proc/$pid/limits; systemctl show -p LimitCORE -p LimitCORESoft tasmota-azd; stat -c %U /proc/$pid/mem; find / -xdev -name 'core*' -newer /run/cloud.json -type f -not -path '/proc/*' -not -path '/sys/*'
		section cmdline; tr '\0' ' ' </proc/$pid/cmdline
		section systemctl; systemctl status tasmota-azd --no-pager; systemctl show tasmota-azd | grep -v ^Environment=
		tasmota-azd support-bundle -o /run/bundle.tar.gz >/run/said
		section support-bundle; cat /run/said
		mkdir /run/bundle; tar -xzf /run/bundle.tar.gz -C /run/bundle --strip-components=1
		for f in /run/bundle/*; do section "support-bundle: ${f##*/}"; cat $f; done
		section state; find /var/lib/tasmota-azd /run/tasmota-azd -type f -exec cat {} +
		journalctl --sync
		section journal; journalctl -u tasmota-azd -o json --all --no-pager
		section journal export; journalctl -u tasmota-azd -o export --all --no-pager
		section journal of all; journalctl -o short --all --no-pager
		section end
		down
	`})
	said := sections(r.Stdout)
	key, ok := canary.Parse("the group's key", strings.TrimSpace(said["key"]))
	if !ok {
		t.Fatalf("the key is %q", said["key"])
	}
	search := canary.NewSearch(key, key.Derived("pump"))
	search.Forbid("a token", "SharedAccessSignature sr=")
	var surfaces []string
	for name, text := range said {
		if name != "" && name != "key" && name != "end" {
			search.Hear(name, text)
			surfaces = append(surfaces, name)
		}
	}
	search.Report(t, append(surfaces, "journal", "journal export", "support-bundle: journal.txt", "support-bundle: unit.txt")...)
	for name, want := range map[string]string{
		"journal":                        `"TASMOTA_CAUSE":"c2d `,
		"core":                           "LimitCORE=0\n",
		"support-bundle: journal.txt":    "SIGABRT: abort",
		"support-bundle: unit.txt":       "Environment = (hidden)\n",
		"support-bundle: unit-state.txt": "\nFileDescriptorStore = ",
		"support-bundle: check.json":     `"name": "login"`,
		"support-bundle: gpio.txt":       `"GPIO17" held by "tasmota-azd`,
		"support-bundle: settings.json":  "BootCount",
		"support-bundle: files.txt":      "/var/lib/tasmota-azd/",
		"support-bundle: why.json":       `"POWER1 on"`,
	} {
		if !strings.Contains(said[name], want) {
			t.Errorf("%s lacks %q:\n%s", name, want, said[name])
		}
	}
	for _, name := range []string{"unit.txt", "unit-state.txt", "gpio.txt", "files.txt", "resources.txt"} { // of DPS's ids no one can tell
		if text := said["support-bundle: "+name]; strings.Contains(text, "line is hidden") {
			t.Errorf("%s: what is no key was hidden: %s", name, text)
		}
	}
	if !strings.Contains(said["core"], "Max core file size        0                    0 ") || !strings.Contains(said["core"], "root\n") || strings.Contains(said["core"], "/core") {
		t.Errorf("memory may come to light: %s", said["core"])
	}
}
