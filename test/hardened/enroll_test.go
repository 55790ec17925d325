package hardened

import (
	"strings"
	"testing"
)

// TestEnrolled gives a board the key of a group, on a real systemd: what is left on the
// disk is the device's key, sealed to this machine, and the unit as shipped works with it.
func TestEnrolled(t *testing.T) {
	r := boot(t, machine{steps: `
		sed -i '/key_file/d; s/^ntp:.*/ntp: {servers: []}/' $config
		cat >>$config <<END
# ours
dps: {scope_id: 0ne00000001, endpoint: "localhost:8443", ca_file: /run/cloud/ca.pem}
END
		chmod 640 $config; chgrp tasmota-azd $config
		rm /etc/systemd/system/tasmota-azd.service.d/test.conf
		sealed=/etc/credstore.encrypted/tasmota-azd.device.key

		echo "== another user"
		runuser -u nobody -- tasmota-azd enroll </run/cloud/group.key 2>&1 || echo "status $?"
		[ ! -e $sealed ]

		echo "== enroll"
		(cd /etc/tasmota-azd && tasmota-azd enroll --config config.yaml) </run/cloud/group.key
		stat -c '%a %U:%G' $config $sealed
		tasmota-azd check --only file,keys && ls /run | grep -c ^tasmota-azd- || true
		systemctl enable --now tasmota-azd 2>&1; became "INFO  connected"
		send power1 on; gpio wait GPIO17 1 20
		key=$(hubsim device show pump | sed 's/.*SharedAccessKey=//'); group=$(cat /run/cloud/group.key)
		[ ${#key} = 44 ] && [ ${#group} = 44 ]
		for k in "$key" "$group"; do
			grep -rlF "$k" /etc /var /usr/lib/systemd /root /home /tmp || echo "nowhere in clear"
		done
		tr '\0' '\n' </proc/$(systemctl show -P MainPID tasmota-azd)/environ | grep -F "$key" || echo "not in the environment"

		echo "== a wrong key"
		sha256sum $sealed $config >/run/sums
		head -c 32 /dev/urandom | base64 | tasmota-azd enroll >/run/said 2>&1 || echo "status $?"
		sha256sum --quiet -c /run/sums && echo "as it was"

		echo "== again, beside the daemon"
		was=$(journal | grep -c "INFO  connected")
		tasmota-azd enroll </run/cloud/group.key | tail -1
		sha256sum --quiet -c /run/sums >/run/said 2>&1 || cut -d: -f2 /run/said | head -1
		systemctl restart tasmota-azd; became "INFO  connected" $((was + 1))
		gpio get GPIO17

		echo "== the card without the key of the machine"
		down
		mv /var/lib/systemd/credential.secret /root/
		! systemd-creds decrypt --name=device.key $sealed - 2>&1
		! systemctl start tasmota-azd 2>/dev/null || echo started
		systemctl stop tasmota-azd
		systemd-creds setup 2>/dev/null # the key of another machine
		! systemd-creds decrypt --name=device.key $sealed - 2>&1
		mv /root/credential.secret /var/lib/systemd/
		systemctl start tasmota-azd; became "INFO  connected" $((was + 2)); echo "back again"

		echo "== without systemd-creds"
		mv /usr/bin/systemd-creds /root/
		tasmota-azd enroll </run/cloud/group.key | head -3 | tail -1
		ls $sealed /etc/systemd/system/tasmota-azd.service.d/enroll.conf 2>/dev/null || echo "nothing sealed"
		stat -c '%a %U:%G' /etc/tasmota-azd/device.key
		systemctl restart tasmota-azd; became "INFO  connected" $((was + 3)); echo "works"
		down
	`})
	out := strings.ReplaceAll(r.Stdout, "\r", "")
	for _, want := range []string{
		"run: sudo tasmota-azd enroll\nstatus 1\n",
		"since there is no TPM2 chip",
		"group was not kept",
		"  sudo systemctl enable --now tasmota-azd\n",
		"640 root:tasmota-azd\n600 root:root\n",
		"no mistakes; 2 relay(s)", "\n0\nCreated symlink",
		"nowhere in clear\nnowhere in clear\nnot in the environment\n",
		"== a wrong key\nstatus 1\nas it was\n",
		"  sudo systemctl restart tasmota-azd    # moves no relay\n FAILED\n1\n",
		"== the card without the key of the machine\n",
		"back again\n",
		"NOT sealed, as there is no systemd-creds on this machine",
		"nothing sealed\n600 tasmota-azd:tasmota-azd\nworks\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(out, "started\n") {
		t.Error("the unit starts without its key")
	}
}
