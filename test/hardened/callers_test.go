package hardened

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// Who is in the group of the service may ask and switch, and is named in the cause by its
// own word; who is not is told what to do.
func TestCallers(t *testing.T) {
	r := boot(t, machine{limit: 4 * time.Minute, steps: `
		printf 'anna:x:2001:2001::/:/bin/sh\nbert:x:2002:2002::/:/bin/sh\n' >>/etc/passwd
		printf 'anna:x:2001:\nbert:x:2002:\n' >>/etc/group
		sed -i 's/^\(tasmota-azd:x:[0-9]*:\).*/\1anna/' /etc/group
		as() { user=$1; shift; setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"; }
		confine "LoadCredential=group.key:/run/cloud/group.key"
		sed -i "s/^ntp:.*/ntp: {servers: []}/" $config
		up; became "INFO  connected"
		section modes; stat -c '%A %U:%G' /run/tasmota-azd /run/tasmota-azd/control.sock
		section anna; as anna tasmota-azd cmd Power1 on
		section annas; as anna tasmota-azd why Pump -n 1
		section bert; as bert tasmota-azd cmd Power1 off 2>&1 || echo "exit $?"
		section bundle; as bert tasmota-azd support-bundle -o /srv/open/bert.tar.gz 2>&1 || echo "exit $?"
		section annas bundle; as anna tasmota-azd support-bundle -o /srv/open/anna.tar.gz 2>&1 || echo "exit $?"
		section root; tasmota-azd cmd Power1 off; tasmota-azd why Pump -n 1
		section sudo; SUDO_USER=anna tasmota-azd cmd Power1 on; tasmota-azd why Pump -n 1
		section service; as tasmota-azd tasmota-azd cmd Power1 off; tasmota-azd why Pump -n 1
		down
	`})
	said := sections(r.Stdout)
	for name, want := range map[string]string{
		"modes":        `drwxr-xr-x tasmota-azd:tasmota-azd\nsrw-rw---- tasmota-azd:tasmota-azd`,
		"anna":         `\{"POWER1":"ON"\}`,
		"annas":        `went ON: local someone-says-anna/\d+-`,
		"bert":         `no permission for /run/tasmota-azd/control.sock: .*sudo usermod -aG tasmota-azd bert, .*\nexit 1`,
		"bundle":       `not all of status.json: no permission for .*usermod -aG tasmota-azd bert`,
		"annas bundle": `(?s)status.json +\d+ bytes.*not all of settings.json: open /var/lib/tasmota-azd/state: permission denied.*not all of journal.txt: .*insufficient permissions`,
		"root":         `went off: local root/\d+-`,
		"sudo":         `went ON: local root-says-anna/\d+-`,
		"service":      `went off: local tasmota-azd/\d+-`,
	} {
		if !regexp.MustCompile(want).MatchString(said[name]) {
			t.Errorf("%s: %q is not as %q", name, said[name], want)
		}
	}
	if strings.Contains(r.Stderr, "says-bert") {
		t.Error("bert was heard")
	}
}
